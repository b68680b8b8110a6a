# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the module builds without a warning, W=1 and sparse with endian checks, for every kernel with headers here
# needs: sparse, kernel headers; timeout 900
"$TOP/tests/deps" lint
"$TOP/tests/lint/sparse" "$T"
