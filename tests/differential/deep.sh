# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: chains of 100 and 500 layers read as qemu-img says
# needs: vm 6.12, qemu-utils, python3, timeout 600

tests/differential/run --kernel "$KERNEL" --images 0 --depth 100 --depth 500 ${SEED:+--seed "$SEED"}
