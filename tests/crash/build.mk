# SPDX-License-Identifier: GPL-2.0-only
# Power cuts and faults under the write path of module/image. `make crash-sim`
# builds and runs the simulation, under ASan and UBSan, and its threads under TSan
# as well; `make crash-mutate` shows that it notices each broken rule.
.PHONY: crash-sim crash-build crash-mutate
CRASH := $(BUILD)/crash
# The RCU that TSan understands is also the one that is quick to wait for.
CRASH_SRC := $(wildcard tests/crash/*.c) $(CORE_SRC) tests/unit/tsan/rcu.c
CRASH_ASAN_OBJ := $(CRASH_SRC:%.c=$(CRASH)/asan.d/%.o)
CRASH_TSAN_OBJ := $(CRASH_SRC:%.c=$(CRASH)/tsan.d/%.o)
CRASH_CFLAGS := -g -O2 -fno-omit-frame-pointer -Wno-maybe-uninitialized -Wno-format-truncation
CRASH_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
CRASH_TSAN := -fsanitize=thread
CRASH_ARGS ?=

crash-sim: crash-build
	tests/crash/run $(CRASH) $(CRASH_ARGS)

crash-build: $(CRASH)/asan $(CRASH)/tsan

crash-mutate:
	tests/crash/mutate

$(CRASH)/asan.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CRASH_CFLAGS) $(CRASH_ASAN) -Itests/unit/tsan $(CORE_CFLAGS) -Itests/crash -MMD -MP -c -o $@ $<

$(CRASH)/tsan.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CRASH_CFLAGS) $(CRASH_TSAN) -Itests/unit/tsan $(CORE_CFLAGS) -Itests/crash -MMD -MP -c -o $@ $<

$(CRASH)/asan: $(CRASH_ASAN_OBJ)
	$(CC) $(CRASH_ASAN) -o $@ $^ -pthread

$(CRASH)/tsan: $(CRASH_TSAN_OBJ)
	$(CC) $(CRASH_TSAN) -o $@ $^ -pthread

-include $(CRASH_ASAN_OBJ:.o=.d) $(CRASH_TSAN_OBJ:.o=.d)
