# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: shellcheck finds no error in the shell scripts
# needs: shellcheck
"$TOP/tests/deps" lint
"$TOP/tests/lint/shell"
