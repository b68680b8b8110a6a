/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ONE-CHANGER: guest ranges that one request alone may change at a time.
 *
 * For requests that change mappings (allocation, discard, zero). Reads, and
 * writes in place, take none: what they may still be using is kept from reuse
 * by the disk's in-flight counter (disk.h).
 *
 * FAIR-RANGES: first come, first served: a range waits for every earlier one that it has a byte in
 * common with, whether that is held or waits itself. So a large range is not passed by an
 * endless row of small ones, and each wait is as long as the ranges ahead are held. For the
 * same reason a task that holds a range must not ask for another one.
 */
#ifndef Q2_SERVE_RANGE_H
#define Q2_SERVE_RANGE_H

#include "env.h"

/**
 * struct q2_ranges - the ranges of a disk
 * @lock: protects the rest, and all members of the ranges on the lists
 * @held: struct q2_range
 * @waiting: the same, the one that came first at the front
 * @unit: ranges are made multiples of it, bytes
 */
struct q2_ranges {
	spinlock_t lock;
	struct list_head held;
	struct list_head waiting;
	u64 unit;
};

/**
 * struct q2_range - one of them, on the stack of its holder
 * @list: in &q2_ranges.held or &q2_ranges.waiting
 * @granted: it is held
 * @start: first guest byte
 * @end: past the last one
 * @wanted: somebody waits for it
 */
struct q2_range {
	struct list_head list;
	struct completion granted;
	u64 start;
	u64 end;
	bool wanted;
};

/* @unit: bytes, a power of two; see q2_ranges_grow_unit(). */
void q2_ranges_init(struct q2_ranges *ranges, u64 unit);

/*
 * Make ranges multiples of @unit bytes from now on, those that wait included. Who needs that
 * of the ranges that are held takes a range of everything afterwards. Never gets smaller.
 */
void q2_ranges_grow_unit(struct q2_ranges *ranges, u64 unit);

/*
 * Hold [start, end), made larger to multiples of the unit, as soon as nobody who came before
 * holds a byte of it. Blocks. The caller holds no range.
 */
void q2_range_lock(struct q2_ranges *ranges, struct q2_range *range, u64 start, u64 end);

/* For who holds it: does somebody wait for a byte of it? */
bool q2_range_wanted(const struct q2_range *range);

/* Give it back. */
void q2_range_unlock(struct q2_ranges *ranges, struct q2_range *range);

#endif
