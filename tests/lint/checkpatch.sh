# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shows: the kernel's style check has nothing to say of the module
# needs: network once (150 MB, linux-source), perl, xz; timeout 900
"$TOP/tests/lint/checkpatch"
