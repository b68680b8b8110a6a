# SPDX-License-Identifier: GPL-2.0-only
# qcowctl and the library of shared code it stands on.
.PHONY: tool install-tool
TOOL_SRC := $(wildcard userspace/*.c userspace/env/env.c)
TOOL_OBJ := $(patsubst %.c,$(BUILD)/tool/%.o,$(TOOL_SRC) $(CORE_SRC))
TOOL_PKGS := devmapper json-c zlib libzstd

tool: $(BUILD)/qcowctl

$(BUILD)/tool/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/qcowctl: $(TOOL_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs $(TOOL_PKGS)) -lurcu-bp -pthread

install-tool: tool
	install -D -m 755 $(BUILD)/qcowctl $(DESTDIR)$(PREFIX)/sbin/qcowctl
	install -D -m 644 userspace/qcowctl.8 $(DESTDIR)$(PREFIX)/share/man/man8/qcowctl.8
	install -D -m 644 userspace/completion.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/qcowctl

-include $(TOOL_OBJ:.o=.d)
