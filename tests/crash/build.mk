# SPDX-License-Identifier: GPL-2.0-only
# Power cuts and faults under the write path of module/image. `make crash-sim`
# builds and runs the simulation, under ASan and UBSan, and its threads under TSan
# as well; `make crash-mutate` shows that it notices each broken rule. `make
# crash-replay` builds what plays back logs of the real device (replay/replay.c).
.PHONY: crash-sim crash-build crash-mutate crash-replay
CRASH := $(BUILD)/crash
# The RCU that TSan understands is also the one that is quick to wait for.
CRASH_SRC := $(wildcard tests/crash/*.c) $(CORE_SRC) tests/unit/tsan/rcu.c
CRASH_ASAN_OBJ := $(CRASH_SRC:%.c=$(CRASH)/asan.d/%.o)
CRASH_TSAN_OBJ := $(CRASH_SRC:%.c=$(CRASH)/tsan.d/%.o)
CRASH_CFLAGS := -g1 -O2 -fno-omit-frame-pointer -Wno-maybe-uninitialized -Wno-format-truncation
CRASH_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
CRASH_TSAN := -fsanitize=thread
CRASH_ARGS ?=

crash-sim: crash-build
	tests/crash/run $(CRASH) $(CRASH_ARGS)

crash-build: $(CRASH)/asan $(CRASH)/tsan

crash-replay: $(CRASH)/crash-replay

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

# The same but for the groups of tests. It waits for programs most of the time.
CRASH_REPLAY_SRC := $(filter-out tests/crash/groups.c tests/crash/run_%.c,$(CRASH_SRC)) \
	$(filter-out %/workload.c,$(wildcard tests/crash/replay/*.c))
CRASH_REPLAY_OBJ := $(CRASH_REPLAY_SRC:%.c=$(CRASH)/replay.d/%.o)

$(CRASH)/replay.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CRASH_CFLAGS) -Itests/unit/tsan $(CORE_CFLAGS) -Itests/crash -MMD -MP -c -o $@ $<

$(CRASH)/crash-replay: $(CRASH_REPLAY_OBJ)
	$(CC) -o $@ $^ -pthread

-include $(CRASH_REPLAY_OBJ:.o=.d)
-include $(CRASH_ASAN_OBJ:.o=.d) $(CRASH_TSAN_OBJ:.o=.d)
