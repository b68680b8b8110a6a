# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: headers, extensions, table entries, snapshots and bitmaps: what is decoded, every limit, every refusal
# needs: compiler, qemu-utils; timeout 600
"$TOP/tests/deps" tool qemu unit
make -s -C "$TOP" unit-build
Q2_GOLDEN=$TOP/build/unit/golden ASAN_OPTIONS=exitcode=99 "$TOP/build/unit/asan" header extensions l1 l2 ref snapshot bitmap overlap
