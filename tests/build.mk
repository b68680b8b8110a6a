# SPDX-License-Identifier: GPL-2.0-only
# No built-in rules: make would take NAME.sh for the source of NAME.
.SUFFIXES:
include tests/unit/build.mk
include tests/fuzz/build.mk
include tests/tool/build.mk
include tests/lint/build.mk
include tests/crash/build.mk
include tests/explore/build.mk
