// SPDX-License-Identifier: GPL-2.0-only
/* Read sections and grace periods. */
#include "task.h"

void rcu_read_lock(void)
{
	struct task *t = current_task();

	explore_point("rcu lock", "", &now);
	t->read_sections++;
	now.rcu_readers |= current_bit();
}

bool rcu_read_lock_held(void)
{
	return current_task()->read_sections;
}

/* Callbacks run one after the other, in a task that is there while there are any due. */
static void run_callbacks(void *arg)
{
	struct task *t = current_task();

	t->atomic++;
	while (now.rcu_first && !now.rcu_first->readers) {
		struct rcu_head *head = now.rcu_first;

		now.rcu_first = head->next;
		explore_point("callback", "", head);
		head->func(head);
		now.rcu_done++;
		/* Those that wait for it in rcu_barrier() know by their count. */
		if (now.rcu_waiters) {
			u64 left;

			for (left = now.rcu_waiters; left; left &= left - 1) {
				unsigned int nr = __builtin_ctzll(left);

				if (!tasks[nr].readers && tasks[nr].flush_seq <= now.rcu_done)
					task_wake(TASK_BIT(nr));
			}
		}
	}
	t->atomic--;
	now.rcu_task = 0;
}

static void callback_due(void)
{
	if (now.rcu_first && !now.rcu_first->readers && !now.rcu_task)
		now.rcu_task = task_new("rcu", run_callbacks, NULL) + 1;
}

void rcu_read_unlock(void)
{
	struct task *t = current_task();
	struct rcu_head *head;
	u64 left;

	point_release("rcu unlock", "", &now, false);
	if (!t->read_sections)
		explore_fail("%s leaves a read section, and is in none", t->name);
	if (--t->read_sections)
		return;
	now.rcu_readers &= ~current_bit();
	for (head = now.rcu_first; head; head = head->next)
		head->readers &= ~current_bit();
	for (left = now.rcu_waiters; left; left &= left - 1) {
		struct task *waiter = &tasks[__builtin_ctzll(left)];

		if (!(waiter->readers & current_bit()))
			continue;
		waiter->readers &= ~current_bit();
		if (!waiter->readers)
			task_wake(TASK_BIT(waiter - tasks));
	}
	callback_due();
}

void explore_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	explore_point("call_rcu", "", head);
	head->func = func;
	head->next = NULL;
	head->readers = now.rcu_readers;
	if (now.rcu_first)
		now.rcu_last->next = head;
	else
		now.rcu_first = head;
	now.rcu_last = head;
	now.rcu_asked++;
	callback_due();
}

void rcu_barrier(void)
{
	struct task *t = current_task();

	explore_might_sleep("rcu_barrier");
	explore_point("rcu barrier", "", &now);
	if (now.rcu_asked == now.rcu_done)
		return;
	t->flush_seq = now.rcu_asked;
	t->readers = 0;
	now.rcu_waiters |= current_bit();
	task_wait("rcu_barrier", "");
	now.rcu_waiters &= ~current_bit();
}

void synchronize_rcu(void)
{
	struct task *t = current_task();

	explore_might_sleep("synchronize_rcu");
	explore_point("synchronize_rcu", "", &now);
	if (!now.rcu_readers)
		return;
	t->readers = now.rcu_readers;
	now.rcu_waiters |= current_bit();
	task_wait("synchronize_rcu", "");
	now.rcu_waiters &= ~current_bit();
}
