/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One sentence about what went wrong, for the person who asked.
 *
 * Everything that can refuse an image takes a struct q2_err and fills it once,
 * where the reason is known: what is wrong, where, and what to do about it.
 */
#ifndef Q2_FORMAT_ERR_H
#define Q2_FORMAT_ERR_H

#include "env.h"

/* Room for one sentence, NUL included; longer ones are cut. */
#define Q2_ERR_LEN 256

/**
 * struct q2_err - the reason of a refusal
 * @text: NUL-terminated sentence without a newline; empty while nothing failed
 */
struct q2_err {
	char text[Q2_ERR_LEN];
};

/**
 * q2_err_set() - write the reason down and return its errno
 * @err: where to write, or NULL if nobody asks
 * @code: positive errno, for example EINVAL
 * @fmt: printf format of one sentence, no newline
 *
 * A later call replaces the text: the innermost caller writes first, an outer
 * one only if it knows better. Never blocks, allocates nothing.
 *
 * Return: -@code, so that callers can write "return q2_err_set(...)".
 */
__printf(3, 4) int q2_err_set(struct q2_err *err, int code, const char *fmt, ...);

#endif
