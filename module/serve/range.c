// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest ranges that one request alone may change at a time.
 *
 * Lists will do: there are as many ranges as workers, at most.
 */
#include "env.h"
#include "serve/range.h"

void q2_ranges_init(struct q2_ranges *ranges, u64 unit)
{
	spin_lock_init(&ranges->lock);
	INIT_LIST_HEAD(&ranges->held);
	INIT_LIST_HEAD(&ranges->waiting);
	ranges->unit = unit;
}

/* ONE-CHANGER: no cluster is in two ranges. */
static void make_multiple(struct q2_range *range, u64 unit)
{
	range->start = round_down(range->start, unit);
	if (range->end <= U64_MAX - unit)
		range->end = round_up(range->end, unit);
}

void q2_ranges_grow_unit(struct q2_ranges *ranges, u64 unit)
{
	struct q2_range *range;

	spin_lock(&ranges->lock);
	ranges->unit = max(ranges->unit, unit);
	list_for_each_entry(range, &ranges->waiting, list)
		make_multiple(range, ranges->unit);
	spin_unlock(&ranges->lock);
}

static bool overlap(const struct q2_range *a, const struct q2_range *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Tell every holder that @range has to wait for. Return: is there none? */
static bool tell_holders(struct q2_ranges *ranges, const struct q2_range *range)
{
	struct q2_range *other;
	bool free = true;

	list_for_each_entry(other, &ranges->held, list) {
		if (overlap(other, range)) {
			WRITE_ONCE(other->wanted, true);
			free = false;
		}
	}
	return free;
}

/* FAIR-RANGES: does it come before all that wait and that it has a byte in common with? */
static bool is_first(struct q2_ranges *ranges, const struct q2_range *range)
{
	const struct q2_range *other;

	list_for_each_entry(other, &ranges->waiting, list) {
		if (other == range)
			break;
		if (overlap(other, range))
			return false;
	}
	return true;
}

/*
 * FAIR-RANGES: what can be granted is, in the order of coming. A later one that waits makes a
 * range wanted.
 */
static void grant(struct q2_ranges *ranges)
{
	struct q2_range *range, *next;

	list_for_each_entry_safe(range, next, &ranges->waiting, list) {
		if (!tell_holders(ranges, range) || !is_first(ranges, range))
			continue;
		list_move_tail(&range->list, &ranges->held);
		/* Its owner may return, and the range be gone, after this. */
		complete(&range->granted);
	}
}

void q2_range_lock(struct q2_ranges *ranges, struct q2_range *range, u64 start, u64 end)
{
	range->start = start;
	range->end = end;
	range->wanted = false;
	init_completion(&range->granted);
	spin_lock(&ranges->lock);
	make_multiple(range, ranges->unit);
	list_add_tail(&range->list, &ranges->waiting);
	if (tell_holders(ranges, range) && is_first(ranges, range)) {
		list_move_tail(&range->list, &ranges->held);
		spin_unlock(&ranges->lock);
		return;
	}
	spin_unlock(&ranges->lock);
	wait_for_completion(&range->granted);
}

bool q2_range_wanted(const struct q2_range *range)
{
	return READ_ONCE(range->wanted);
}

void q2_range_unlock(struct q2_ranges *ranges, struct q2_range *range)
{
	spin_lock(&ranges->lock);
	list_del(&range->list);
	grant(ranges);
	spin_unlock(&ranges->lock);
}
