/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzz targets share: input by small pieces, and rules that must hold. */
#ifndef Q2_FUZZ_H
#define Q2_FUZZ_H

#include "format/err.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

/* A rule that does not hold is a finding, as a crash is. */
#define HOLDS(condition)                                                                  \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* The next @bytes of the input, big-endian; zero when it is used up. */
static inline u64 take(const u8 **data, size_t *len, unsigned int bytes)
{
	u64 value = 0;

	while (bytes--) {
		value = value << 8 | (*len ? **data : 0);
		*data += *len > 0;
		*len -= *len > 0;
	}
	return value;
}

/* A refusal has one of these codes and one line to say. */
static inline void refused(int ret, const struct q2_err *err)
{
	size_t i, len = strnlen(err->text, sizeof(err->text));

	HOLDS(ret == -EINVAL || ret == -EFBIG || ret == -EOPNOTSUPP || ret == -EUCLEAN);
	HOLDS(len > 0 && len < sizeof(err->text) - 1);
	for (i = 0; i < len; i++)
		HOLDS(err->text[i] >= ' ' && err->text[i] <= '~');
}

#endif
