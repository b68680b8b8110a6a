# SPDX-License-Identifier: GPL-2.0-only
# The crash simulation of module/image: `make crash-sim` builds and runs it.
.PHONY: crash-sim crash-build
CRASH := $(BUILD)/crash
CRASH_SRC := $(wildcard tests/crash/*.c) $(CORE_SRC)
CRASH_OBJ := $(CRASH_SRC:%.c=$(CRASH)/%.o)
CRASH_CFLAGS := -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined

crash-sim: crash-build
	$(CRASH)/crash-sim $(CRASH_ARGS)

crash-build: $(CRASH)/crash-sim

$(CRASH)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CRASH_CFLAGS) $(CORE_CFLAGS) -Itests/crash -MMD -MP -c -o $@ $<

$(CRASH)/crash-sim: $(CRASH_OBJ)
	$(CC) $(CRASH_CFLAGS) -o $@ $^ -lurcu-bp -pthread

-include $(CRASH_OBJ:.o=.d)
