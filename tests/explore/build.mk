# SPDX-License-Identifier: GPL-2.0-only
# The explorer of interleavings: code shared with the module under a scheduler that
# owns every switch. `make explore` runs it; EXPLORE_ARGS are its options.
.PHONY: explore explore-build explore-mutate explore-flags explore-objects explore-engine
EXPLORE := $(BUILD)/explore
EXPLORE_ENGINE := $(wildcard tests/explore/*.c)
# What a schedule starts with again and again: worlds, and what they are about.
EXPLORE_WORLDS := $(sort $(wildcard tests/explore/worlds/*.c tests/explore/io/*.c) $(CORE_SRC) \
	$(wildcard module/serve/*.c module/job/*.c)) \
	tests/crash/fsck.c
EXPLORE_OBJ := $(EXPLORE_ENGINE:%.c=$(EXPLORE)/%.o) $(EXPLORE)/tests/explore/switch.o
EXPLORE_WORLD_OBJ := $(EXPLORE_WORLDS:%.c=$(EXPLORE)/%.o)
EXPLORE_CFLAGS := -g1 -O2 -fno-omit-frame-pointer -fno-pie -fcf-protection=none -Wno-maybe-uninitialized \
	-Wno-format-truncation -Itests/explore/env $(CORE_CFLAGS) -Itests/explore -Itests/explore/io -Itests/crash
EXPLORE_ARGS ?=

explore: explore-build
	$(EXPLORE)/explore $(EXPLORE_ARGS)

# Each rule broken on purpose: an hour of CPU time at most.
explore-mutate:
	tests/explore/mutate

# For that.
explore-flags:
	@echo $(EXPLORE_CFLAGS)
explore-objects:
	@echo $(EXPLORE_WORLD_OBJ)
explore-engine:
	@echo $(EXPLORE_OBJ)

explore-build: $(EXPLORE)/explore $(EXPLORE)/explore-asan

$(EXPLORE)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXPLORE_CFLAGS) -MMD -MP -c -o $@ $<

$(EXPLORE)/%.o: %.S
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

# Their static variables in sections of their own, which are saved and put back as one.
$(EXPLORE_WORLD_OBJ): $(EXPLORE)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXPLORE_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@.tmp $<
	objcopy --rename-section .data=explore_data --rename-section .bss=explore_bss $@.tmp $@
	@rm -f $@.tmp

$(EXPLORE)/explore: $(EXPLORE_OBJ) $(EXPLORE_WORLD_OBJ)
	$(CC) -no-pie -o $@ $^

# The same under ASan, which also sees plain accesses: slower, for schedules by chance.
EXPLORE_ASAN := -fsanitize=address -fsanitize-recover=address --param asan-globals=0
EXPLORE_ASAN_OBJ := $(EXPLORE_OBJ:$(EXPLORE)/%=$(EXPLORE)/asan.d/%)
EXPLORE_ASAN_WORLD_OBJ := $(EXPLORE_WORLD_OBJ:$(EXPLORE)/%=$(EXPLORE)/asan.d/%)

$(EXPLORE)/asan.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXPLORE_CFLAGS) $(EXPLORE_ASAN) -MMD -MP -c -o $@ $<

$(EXPLORE)/asan.d/%.o: %.S
	@mkdir -p $(@D)
	$(CC) -c -o $@ $<

$(EXPLORE_ASAN_WORLD_OBJ): $(EXPLORE)/asan.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(EXPLORE_CFLAGS) $(EXPLORE_ASAN) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@.tmp $<
	objcopy --rename-section .data=explore_data --rename-section .bss=explore_bss $@.tmp $@
	@rm -f $@.tmp

$(EXPLORE)/explore-asan: $(EXPLORE_ASAN_OBJ) $(EXPLORE_ASAN_WORLD_OBJ)
	$(CC) -no-pie $(EXPLORE_ASAN) -o $@ $^

-include $(EXPLORE_ASAN_OBJ:.o=.d) $(EXPLORE_ASAN_WORLD_OBJ:.o=.d)
-include $(EXPLORE_OBJ:.o=.d) $(EXPLORE_WORLD_OBJ:.o=.d)
