# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: chains made at random over all options of the format, and one of 500 layers, read as qemu-img says, with many requests in flight on 2 CPUs, and many of them are written: qemu-img reads what a model says and finds no fault, the layers below are as they were
# needs: vm 6.12 6.1 7.2, qemu-utils, python3, timeout 2700

# A chain has 3.8 images in the mean: 63 are some 240, and in one run of a hundred less than 200. Most of them on the
# kernel that most use: 3 of 5, and 1 of 5 on each of the others.
images=${IMAGES:-63} deep=()
case $KERNEL in
6.12) images=$((images - images / 5 * 2)) deep=(--depth 500) ;;
*) images=$((images / 5)) ;;
esac
# Long runs take their time.
tests/differential/run --kernel "$KERNEL" --images "$images" "${deep[@]}" ${SEED:+--seed "$SEED"}
