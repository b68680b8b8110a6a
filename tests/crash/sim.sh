# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the image code survives power cuts at any write, failing reads, writes, flushes and allocations, threads, and all short sequences of requests; qemu-img judges
# needs: compiler, qemu-utils; timeout 1200
"$TOP/tests/deps" tool qemu unit
make -s -C "$TOP" crash-build
# QEMU is asked of half as many images as crash-sim would by itself: a third of the time was its programs'.
"$TOP/tests/crash/run" "$TOP/build/crash" --seed "${SEED:-1}" --states "${STATES:-200}" --qemu-every "${QEMU_EVERY:-16}"
