# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: any first cluster: the header and its extensions decode within bounds or are refused in a sentence
# needs: clang; timeout 86400; tests/run --seconds N fuzzes longer
"$TOP/tests/deps" tool unit
make -s -C "$TOP" build/fuzz/header
FUZZ_SECONDS=${FUZZ_SECONDS:-10} "$TOP/tests/fuzz/run" "$TOP/build/fuzz" header
