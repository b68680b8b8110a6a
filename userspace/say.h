/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sentences for the person at the terminal, and memory that is never NULL.
 *
 * Every failure is told once, by whoever knows the reason, as one sentence on
 * standard error; callers above pass the failure on in silence.
 */
#ifndef QCOWCTL_SAY_H
#define QCOWCTL_SAY_H

#include <stdarg.h>
#include <stddef.h>

/* Exit statuses of every verb but check. */
#define STATUS_DONE 0
#define STATUS_FAILED 1
#define STATUS_USAGE 2

/**
 * say() - "qcowctl: SENTENCE" on standard error
 * @fmt: printf format, no newline. Bytes that a terminal would obey are shown
 *       escaped, so names out of images may be printed as they are.
 *
 * Return: -1, so that callers can write "return say(...)".
 */
__attribute__((format(printf, 1, 2))) int say(const char *fmt, ...);

/* Memory and strings; the program ends with a sentence if there is none. */
void *xalloc(size_t size);
void *xrealloc(void *old, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t len);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

#endif
