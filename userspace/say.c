// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "say.h"

static void *or_die(void *p)
{
	if (!p) {
		fputs("qcowctl: out of memory\n", stderr);
		exit(STATUS_FAILED);
	}
	return p;
}

int say(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		or_die(NULL);
	fflush(stdout);
	fputs("qcowctl: ", stderr);
	escape_put(stderr, text);
	fputc('\n', stderr);
	free(text);
	return -1;
}

void *xalloc(size_t size)
{
	return or_die(calloc(1, size ? size : 1));
}

void *xrealloc(void *old, size_t n, size_t size)
{
	return or_die(reallocarray(old, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return or_die(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	return or_die(strndup(s, len));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&s, fmt, ap);
	va_end(ap);
	return or_die(len < 0 ? NULL : s);
}
