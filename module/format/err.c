// SPDX-License-Identifier: GPL-2.0-only
/* The reason of a refusal. */
#include "format/err.h"

int q2_err_set(struct q2_err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (err) {
		va_start(args, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
	}
	return -code;
}
