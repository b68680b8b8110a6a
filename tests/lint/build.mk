# SPDX-License-Identifier: GPL-2.0-only
# Checks of the source. The direction of includes is so cheap to check that every
# build of the module and of the tool does it first.
.PHONY: lint lint-includes
lint:
	tests/lint/run $(BUILD)/lint

lint-includes:
	@tests/lint/includes

module tool: lint-includes
