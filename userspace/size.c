// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "size.h"

static const char units[] = "BKMGTPE";

int size_parse(const char *text, uint64_t *bytes)
{
	uint64_t whole = 0, part = 0, scale = 1, unit;
	const char *p = text;
	unsigned int shift;
	const char *at;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			return -1;
	if (*p == '.') {
		if (*++p < '0' || *p > '9')
			return -1;
		/* Nine digits of a fraction tell bytes of a gigabyte apart. */
		for (; *p >= '0' && *p <= '9'; p++)
			if (scale < 1000000000) {
				part = part * 10 + (*p - '0');
				scale *= 10;
			}
	}
	if (*p == 'b' || *p == 'k')
		at = *p == 'b' ? units : units + 1;
	else
		at = *p ? strchr(units, *p) : units;
	if (!at || (*p && p[1]))
		return -1;
	shift = 10 * (at - units);
	unit = 1ULL << shift;
	if (scale > 1 && !shift && part)
		return -1; /* half a byte */
	if (__builtin_mul_overflow(whole, unit, &whole))
		return -1;
	part = (unsigned __int128)part * unit / scale;
	if (__builtin_add_overflow(whole, part, bytes) || *bytes > INT64_MAX)
		return -1;
	return 0;
}

/* @bytes scaled down to below 1000 of a unit, whose index comes back. */
static unsigned int scale_down(uint64_t bytes, double *value)
{
	unsigned int unit = 0;

	*value = bytes;
	while (*value >= 999.5 && unit < 6) {
		*value /= 1024;
		unit++;
	}
	return unit;
}

char *size_text(uint64_t bytes)
{
	double value;
	unsigned int unit = scale_down(bytes, &value);

	return unit ? xasprintf("%.3g %ciB", value, units[unit]) : xasprintf("%.3g B", value);
}

char *size_short(uint64_t bytes)
{
	double value;
	unsigned int unit = scale_down(bytes, &value);

	return xasprintf("%.3g%c", value, units[unit]);
}
