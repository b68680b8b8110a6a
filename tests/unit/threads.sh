# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: many threads fill, look up, evict and shrink one chain, with failures too; under ASan and under TSan
# needs: compiler, qemu-utils; timeout 600
"$TOP/tests/deps" tool qemu unit
make -s -C "$TOP" unit-build unit-golden
Q2_GOLDEN=$TOP/build/unit/golden ASAN_OPTIONS=exitcode=99 "$TOP/build/unit/asan" threads
Q2_GOLDEN=$TOP/build/unit/golden TSAN_OPTIONS=exitcode=99:suppressions=$TOP/tests/unit/tsan/suppressions "$TOP/build/unit/tsan" threads
