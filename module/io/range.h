/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest ranges that one request alone may change at a time.
 *
 * For requests that change mappings (allocation, discard, zero). Reads, and
 * writes in place, take none: what they may still be using is kept from reuse
 * by the disk's in-flight counter (disk.h).
 */
#ifndef Q2_IO_RANGE_H
#define Q2_IO_RANGE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/**
 * struct q2_ranges - the ranges that are held
 * @lock: protects @held
 * @held: struct q2_range
 * @wait: for a range to be given back
 */
struct q2_ranges {
	spinlock_t lock;
	struct list_head held;
	wait_queue_head_t wait;
};

/**
 * struct q2_range - one of them, on the stack of its holder
 * @list: in &q2_ranges.held
 * @start: first guest byte
 * @end: past the last one
 * @wanted: somebody waits for it
 */
struct q2_range {
	struct list_head list;
	u64 start;
	u64 end;
	bool wanted;
};

void q2_ranges_init(struct q2_ranges *ranges);

/* Wait until nobody holds a byte of [start, end), and hold it. Blocks. */
void q2_range_lock(struct q2_ranges *ranges, struct q2_range *range, u64 start, u64 end);

/* For who holds it: does somebody wait for a byte of it? */
bool q2_range_wanted(const struct q2_range *range);

/* Give it back. */
void q2_range_unlock(struct q2_ranges *ranges, struct q2_range *range);

#endif
