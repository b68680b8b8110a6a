// SPDX-License-Identifier: GPL-2.0-only
/* Guest ranges that one request alone may change at a time. */
#include "env.h"
#include "io/range.h"

void q2_ranges_init(struct q2_ranges *ranges)
{
	spin_lock_init(&ranges->lock);
	INIT_LIST_HEAD(&ranges->held);
	init_waitqueue_head(&ranges->wait);
}

/* A list will do: there are as many as workers, at most. */
static bool try_lock(struct q2_ranges *ranges, struct q2_range *range)
{
	struct q2_range *other;
	bool free = true;

	spin_lock(&ranges->lock);
	list_for_each_entry(other, &ranges->held, list) {
		if (other->start < range->end && range->start < other->end) {
			WRITE_ONCE(other->wanted, true);
			free = false;
			break;
		}
	}
	if (free)
		list_add(&range->list, &ranges->held);
	spin_unlock(&ranges->lock);
	return free;
}

void q2_range_lock(struct q2_ranges *ranges, struct q2_range *range, u64 start, u64 end)
{
	range->start = start;
	range->end = end;
	range->wanted = false;
	wait_event(ranges->wait, try_lock(ranges, range));
}

bool q2_range_wanted(const struct q2_range *range)
{
	return READ_ONCE(range->wanted);
}

void q2_range_unlock(struct q2_ranges *ranges, struct q2_range *range)
{
	spin_lock(&ranges->lock);
	list_del(&range->list);
	spin_unlock(&ranges->lock);
	if (wq_has_sleeper(&ranges->wait))
		wake_up_all(&ranges->wait);
}
