// SPDX-License-Identifier: GPL-2.0-only
/* SRCU: two counters, and a turn from one to the other. */
#include "task.h"

EXPLORE_CLASS(turn_class, "a grace period of SRCU");

int explore_srcu_init(struct srcu_struct *s)
{
	*s = (struct srcu_struct){.ready = true};
	explore_lock_init(&s->turn, &turn_class);
	return 0;
}

static void check(const struct srcu_struct *s, const char *name)
{
	if (!s->ready)
		explore_fail("%s was never initialized, or is gone", name);
}

int explore_srcu_read_lock(struct srcu_struct *s, const char *name)
{
	explore_point("srcu lock", name, s);
	check(s, name);
	s->readers[s->idx]++;
	return s->idx;
}

void explore_srcu_read_unlock(struct srcu_struct *s, int idx, const char *name)
{
	point_release("srcu unlock", name, s, false);
	check(s, name);
	if (idx < 0 || idx > 1 || !s->readers[idx])
		explore_fail("%s: a reader leaves that has not come", name);
	if (!--s->readers[idx])
		task_wake(s->waiting);
}

/* Until those that count in @idx have left; others wait for their turn meanwhile. */
static void wait_for_readers(struct srcu_struct *s, int idx, const char *name)
{
	while (s->readers[idx]) {
		s->waiting |= current_bit();
		task_wait("synchronize_srcu", name);
		s->waiting &= ~current_bit();
	}
}

void explore_synchronize_srcu(struct srcu_struct *s, const char *name)
{
	int old;

	explore_might_sleep("synchronize_srcu");
	explore_point("synchronize", name, s);
	check(s, name);
	explore_lock(&s->turn, EXPLORE_MUTEX, 1, name);
	/* Some may have read the index before the last turn. */
	wait_for_readers(s, !s->idx, name);
	explore_point("turn", name, s);
	old = s->idx;
	s->idx = !old;
	wait_for_readers(s, old, name);
	explore_unlock(&s->turn, EXPLORE_MUTEX, name);
}

void explore_srcu_cleanup(struct srcu_struct *s, const char *name)
{
	explore_point("cleanup", name, s);
	check(s, name);
	if (s->readers[0] || s->readers[1] || s->turn.owner)
		explore_fail("%s is cleaned up, and has %s", name,
			     s->turn.owner ? "a grace period" : "readers");
	s->ready = false;
}
