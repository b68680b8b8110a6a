# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the n-th allocation and the n-th read fail, for every n: an error or the right bytes, and no leak
# needs: compiler, qemu-utils; timeout 600
"$TOP/tests/deps" tool qemu unit
make -s -C "$TOP" unit-build unit-golden
Q2_GOLDEN=$TOP/build/unit/golden ASAN_OPTIONS=exitcode=99 "$TOP/build/unit/asan" faults map_without_memory
