# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: any L1, L2, refcount and bitmap table entry: decoded to what the format allows, or refused
# needs: clang; timeout 86400; tests/run --seconds N fuzzes longer
"$TOP/tests/deps" tool unit
make -s -C "$TOP" build/fuzz/l2
FUZZ_SECONDS=${FUZZ_SECONDS:-10} "$TOP/tests/fuzz/run" "$TOP/build/fuzz" l2
