# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of the code shared with the module: under ASan and UBSan, and those
# with threads under TSan as well. `make unit` builds and runs them.
.PHONY: unit unit-build unit-golden
UNIT := $(BUILD)/unit
UNIT_SRC := $(wildcard tests/unit/*.c) $(CORE_SRC)
TSAN_SRC := $(UNIT_SRC) tests/unit/tsan/rcu.c
UNIT_ASAN_OBJ := $(UNIT_SRC:%.c=$(UNIT)/asan.d/%.o)
UNIT_TSAN_OBJ := $(TSAN_SRC:%.c=$(UNIT)/tsan.d/%.o)
UNIT_CFLAGS := -g1 -O1 -fno-omit-frame-pointer
UNIT_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_TSAN := -fsanitize=thread
UNIT_LIBS := -lurcu-bp -lzstd -lz -pthread

unit: unit-build unit-golden
	tests/unit/run $(UNIT)

unit-build: $(UNIT)/asan $(UNIT)/tsan

$(UNIT)/asan.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(UNIT_ASAN) $(CORE_CFLAGS) -Itests/unit -MMD -MP -c -o $@ $<

# The twin of env.h with an RCU that TSan understands comes first.
$(UNIT)/tsan.d/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(UNIT_TSAN) -Itests/unit/tsan $(CORE_CFLAGS) -Itests/unit -MMD -MP -c -o $@ $<

$(UNIT)/asan: $(UNIT_ASAN_OBJ)
	$(CC) $(UNIT_ASAN) -o $@ $^ $(UNIT_LIBS)

$(UNIT)/tsan: $(UNIT_TSAN_OBJ)
	$(CC) $(UNIT_TSAN) -o $@ $^ $(UNIT_LIBS)

# Images made by QEMU; kept until the script changes.
unit-golden: $(UNIT)/golden/complete
$(UNIT)/golden/complete: tests/unit/golden
	tests/unit/golden $(UNIT)/golden

-include $(UNIT_ASAN_OBJ:.o=.d) $(UNIT_TSAN_OBJ:.o=.d)
