# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: any snapshot table and bitmap directory: walked within bounds, and written back the same
# needs: clang; timeout 86400; tests/run --seconds N fuzzes longer
"$TOP/tests/deps" tool unit
make -s -C "$TOP" build/fuzz/snapshot
FUZZ_SECONDS=${FUZZ_SECONDS:-10} "$TOP/tests/fuzz/run" "$TOP/build/fuzz" snapshot
