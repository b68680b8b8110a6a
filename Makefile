# SPDX-License-Identifier: GPL-2.0-only
# `make` builds the tool, and the module where the running kernel's headers are found.
# Kbuild reads the file Kbuild, not this one.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
KDIR ?= /lib/modules/$(shell uname -r)/build
BUILD ?= build
CC ?= cc
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter \
	-Wno-sign-compare -Wno-missing-field-initializers
# Code shared with the module sees the user twin of env.h first (DESIGN, decision 5).
CORE_CFLAGS := -std=gnu11 $(WARNINGS) -Iuserspace/env -Imodule -D_GNU_SOURCE \
	-DQ2_VERSION='"$(VERSION)"' -pthread
CORE_SRC := $(wildcard module/format/*.c module/image/*.c module/chain/*.c)

.PHONY: all tool module dkms-source install install-tool check check-debug check-long demo bench clean lint
all: tool
	@if [ -d "$(KDIR)" ]; then $(MAKE) module; \
	else echo "no kernel headers at $(KDIR): the module was not built (make module KDIR=...)"; fi

include userspace/build.mk
-include tests/build.mk # absent where only the product is built

module:
	$(MAKE) -C "$(KDIR)" M="$(CURDIR)" W=1 modules

# The module as a source package for DKMS, under $(DESTDIR)/usr/src.
dkms-source:
	./userspace/install-source "$(DESTDIR)/usr/src/dm-qcow2-$(VERSION)" "$(VERSION)"

install: install-tool dkms-source
	@if [ -z "$(DESTDIR)" ]; then dkms install --force "dm-qcow2/$(VERSION)"; fi

demo:
	tests/demo/run

check:
	tests/check

# The functional tests on a kernel with KASAN, lockdep and kmemleak, which is built for it.
check-debug:
	tests/check --kernel debug 'functional/*'

# What goes on for longer than check: the live history, jobs, chains, fuzzing, stress and the explorer, for hours.
check-long:
	tests/check-long

bench:
	tests/bench/run

clean:
	rm -rf $(BUILD)
	@if [ -d "$(KDIR)" ]; then $(MAKE) -C "$(KDIR)" M="$(CURDIR)" clean; fi
