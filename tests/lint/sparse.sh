# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the module builds without a warning, W=1, for every kernel with headers here, and under sparse with endian checks for the newest
# needs: sparse, kernel headers; timeout 900
"$TOP/tests/deps" lint
"$TOP/tests/lint/sparse" "$T"
