# SPDX-License-Identifier: GPL-2.0-only
# Tests of qcowctl that need no module: under ASan and UBSan. `make check-tool` builds and runs them.
.PHONY: check-tool tool-asan
TOOL_ASAN := $(BUILD)/tool-asan
TOOL_ASAN_OBJ := $(patsubst %.c,$(TOOL_ASAN)/%.o,$(TOOL_SRC) $(CORE_SRC))
TOOL_ASAN_FLAGS := -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
TOOL_TEST_PROGRAMS := $(TOOL_ASAN)/poke $(TOOL_ASAN)/peek $(TOOL_ASAN)/damage $(TOOL_ASAN)/chain \
	$(TOOL_ASAN)/qcowctl-cut

check-tool:
	BUILD="$(abspath $(BUILD))" tests/tool/run

tool-asan: $(TOOL_ASAN)/qcowctl $(TOOL_TEST_PROGRAMS)

$(TOOL_ASAN)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_ASAN_FLAGS) $(CORE_CFLAGS) -MMD -MP -c -o $@ $<

$(TOOL_ASAN)/qcowctl: $(TOOL_ASAN_OBJ)
	$(CC) $(TOOL_ASAN_FLAGS) -o $@ $^ $(shell pkg-config --libs $(TOOL_PKGS)) -lurcu-bp -pthread

$(TOOL_ASAN)/qcowctl-cut: $(TOOL_ASAN_OBJ) tests/tool/cut.c
	$(CC) $(TOOL_ASAN_FLAGS) -Wl,--wrap=pwrite,--wrap=fdatasync -o $@ $^ \
		$(shell pkg-config --libs $(TOOL_PKGS)) -lurcu-bp -pthread

$(TOOL_ASAN)/poke $(TOOL_ASAN)/peek: tests/lib/poke.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -o $@ $<

$(TOOL_ASAN)/damage $(TOOL_ASAN)/chain: $(TOOL_ASAN)/%: tests/tool/%.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -o $@ $<

-include $(TOOL_ASAN_OBJ:.o=.d)
