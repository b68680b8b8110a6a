# SPDX-License-Identifier: GPL-2.0-only
# libFuzzer targets over the code shared with the module. `make fuzz` runs each
# for FUZZ_SECONDS; what one run learns (in build/fuzz) the next begins with.
.PHONY: fuzz fuzz-build
FUZZ := $(BUILD)/fuzz
FUZZ_CC ?= clang
FUZZ_TARGETS := header l2 snapshot open
# The memory backend of the unit tests serves here too.
FUZZ_SRC := $(CORE_SRC) tests/unit/fault.c
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(FUZZ)/obj/%.o)
FUZZ_FLAGS := -g1 -O1 -fno-omit-frame-pointer -fno-sanitize-recover=undefined \
	-fsanitize=address,undefined,fuzzer

fuzz: fuzz-build
	tests/fuzz/run $(FUZZ) $(FUZZ_TARGETS)

fuzz-build: $(FUZZ_TARGETS:%=$(FUZZ)/%)

# The twin of env.h with an RCU for one thread comes first.
$(FUZZ)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_FLAGS)-no-link -Itests/fuzz/env $(CORE_CFLAGS) -Itests/unit -MMD -MP -c -o $@ $<

$(FUZZ_TARGETS:%=$(FUZZ)/%): $(FUZZ)/%: $(FUZZ)/obj/tests/fuzz/%.o $(FUZZ_OBJ)
	$(FUZZ_CC) $(FUZZ_FLAGS) -o $@ $^ -lurcu-bp -pthread

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_TARGETS:%=$(FUZZ)/obj/tests/fuzz/%.d)
