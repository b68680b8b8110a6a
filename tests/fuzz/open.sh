# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: any image, alone or over another: opened, looked up and mapped without a crash, and all answers agree
# needs: clang; timeout 86400; tests/run --seconds N fuzzes longer
"$TOP/tests/deps" tool unit
make -s -C "$TOP" build/fuzz/open
FUZZ_SECONDS=${FUZZ_SECONDS:-10} "$TOP/tests/fuzz/run" "$TOP/build/fuzz" open
