// SPDX-License-Identifier: GPL-2.0-only
/* Wait queues and completions. */
#include "task.h"

static u64 deadline(u64 ns)
{
	return ns > U64_MAX - now.now ? U64_MAX : now.now + ns;
}

void explore_wake_up(wait_queue_head_t *q, const char *name)
{
	u64 left;

	explore_point("wake up", name, q);
	if (!q->ready)
		explore_fail("%s was never initialized", name);
	for (left = q->waiters; left; left &= left - 1)
		tasks[__builtin_ctzll(left)].woken = true;
	task_wake(q->waiters);
}

bool explore_queue_active(wait_queue_head_t *q, const char *name)
{
	explore_point("has waiters", name, q);
	return q->waiters;
}

void explore_wait_enter(wait_queue_head_t *q, u64 ns, const char *name)
{
	struct task *t = current_task();

	explore_point("enter queue", name, q);
	if (!q->ready)
		explore_fail("%s was never initialized", name);
	if (t->queue)
		explore_fail("%s waits inside the condition of a wait: %s", t->name, name);
	q->waiters |= current_bit();
	t->queue = q;
	t->woken = t->late = false;
	t->deadline = deadline(ns);
	/* Time does not pass while somebody can go on, so only 0 is over at once. */
	if (t->deadline <= now.now)
		t->late = true;
}

bool explore_wait_sleep(wait_queue_head_t *q, const char *name)
{
	struct task *t = current_task();

	if (!t->woken && !t->late)
		task_wait("wait_event", name);
	if (t->woken) {
		t->woken = false;
		return true;
	}
	return !t->late;
}

u64 explore_wait_leave(wait_queue_head_t *q)
{
	struct task *t = current_task();
	u64 left = t->deadline == U64_MAX  ? U64_MAX
		   : t->deadline > now.now ? t->deadline - now.now
					   : 0;

	q->waiters &= ~current_bit();
	t->queue = NULL;
	t->deadline = U64_MAX;
	return left;
}

void explore_complete(struct completion *c, unsigned int n, const char *name)
{
	explore_point("complete", name, c);
	if (!c->ready)
		explore_fail("%s was never initialized", name);
	c->done = n > 1 ? n : c->done + 1;
	task_wake(c->waiters);
}

void explore_wait_for_completion(struct completion *c, const char *name)
{
	explore_might_sleep(name);
	explore_point("wait", name, c);
	if (!c->ready)
		explore_fail("%s was never initialized", name);
	if (!c->done) {
		c->waiters |= current_bit();
		task_wait("completion", name);
		c->waiters &= ~current_bit();
	}
	if (c->done < UINT_MAX / 2)
		c->done--;
	/* What there is for one is not there for two. */
	if (!c->done)
		now.runnable &= ~c->waiters;
}

bool explore_completion_done(struct completion *c, const char *name)
{
	explore_point("is done", name, c);
	return c->done;
}
