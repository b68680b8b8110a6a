# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: C files are as clang-format leaves them
# needs: clang-format
"$TOP/tests/deps" unit lint
"$TOP/tests/lint/format"
