/* SPDX-License-Identifier: GPL-2.0-only */
/* Where guests have just been: for a stream job that copies there first (copy-on-read). */
#ifndef Q2_SERVE_HINTS_H
#define Q2_SERVE_HINTS_H

#include "env.h"

/* A hint that finds no place is lost: the job comes by there anyway. */
#define Q2_HINTS 64U

/**
 * struct q2_hints - guest ranges, oldest first
 * @on: somebody wants them
 * @lock: protects the rest
 * @first: index of the oldest
 * @nr: how many there are
 * @hint: a ring of them
 */
struct q2_hints {
	bool on;
	spinlock_t lock;
	unsigned int first;
	unsigned int nr;
	struct q2_hint {
		u64 guest;
		u32 len;
	} hint[Q2_HINTS];
};

void q2_hints_init(struct q2_hints *hints);

/* From now on there are some, or none any more. */
void q2_hints_switch(struct q2_hints *hints, bool on);

/* Called for each request while they are on. Never waits. @len: bytes. */
void q2_hints_add(struct q2_hints *hints, u64 guest, u32 len);

/* Take the oldest. Return: is there one? Any context. */
bool q2_hints_take(struct q2_hints *hints, struct q2_hint *hint);

#endif
