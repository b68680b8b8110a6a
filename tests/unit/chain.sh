# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: chains, and the flattened map over them: answers, bound, eviction
# needs: compiler, qemu-utils; timeout 600
"$TOP/tests/deps" tool qemu unit
make -s -C "$TOP" unit-build unit-golden
Q2_GOLDEN=$TOP/build/unit/golden ASAN_OPTIONS=exitcode=99 "$TOP/build/unit/asan" chain map
