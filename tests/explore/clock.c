// SPDX-License-Identifier: GPL-2.0-only
/* Virtual time. */
#include "task.h"

unsigned long explore_jiffies(void)
{
	/* As in the kernel, the counter has wrapped, as an int, five minutes after it began. */
	return (unsigned int)(-300 * HZ) + now.now / (NSEC_PER_SEC / HZ);
}

u64 ktime_get_ns(void)
{
	return now.now;
}

/* The next deadline, U64_MAX: none. */
static u64 next_deadline(void)
{
	const struct work_struct *work;
	u64 next = U64_MAX, left;

	for (left = now.tasks & ~now.runnable; left; left &= left - 1)
		next = min(next, tasks[__builtin_ctzll(left)].deadline);
	list_for_each_entry(work, &now.timers, list)
		next = min(next, work->expires);
	return next;
}

bool clock_waits(void)
{
	return next_deadline() != U64_MAX;
}

bool clock_advance(void)
{
	u64 next = next_deadline(), left;
	struct work_struct *work, *after;

	if (next == U64_MAX)
		return false;
	now.now = max(now.now, next);
	if (engine.tracing)
		explore_say("time", "%llu us", now.now / 1000);
	for (left = now.tasks & ~now.runnable; left; left &= left - 1) {
		struct task *t = &tasks[__builtin_ctzll(left)];

		if (t->deadline <= now.now) {
			t->late = true;
			task_wake(TASK_BIT(t - tasks));
		}
	}
	list_for_each_entry_safe(work, after, &now.timers, list) {
		if (work->expires <= now.now)
			work_expire(work);
	}
	return true;
}

long explore_sleep(u64 ns)
{
	struct task *t = current_task();

	explore_might_sleep("schedule_timeout");
	explore_point("sleep", "", &now);
	t->deadline = now.now + ns;
	task_wait("time", "");
	t->deadline = U64_MAX;
	return 0;
}
