// SPDX-License-Identifier: GPL-2.0-only
/* RCU and SRCU: that grace periods wait for those who came before, and for no others. */
#include "explore.h"

struct thing {
	struct rcu_head rcu;
	int value;
};

static struct thing *thing;
static struct srcu_struct srcu;
static struct completion left;
static bool waited;

static struct thing *thing_new(void)
{
	struct thing *t = kmalloc(sizeof(*t), GFP_KERNEL);

	t->value = 1;
	return t;
}

static void setup_all(void)
{
	thing = thing_new();
	init_srcu_struct(&srcu);
	init_completion(&left);
}

static void thing_free(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct thing, rcu));
}

static void read_thing(void *arg)
{
	struct thing *t;

	rcu_read_lock();
	t = rcu_dereference(thing);
	if (t)
		explore_check(READ_ONCE(t->value) == 1);
	rcu_read_unlock();
}

static void read_outside(void *arg)
{
	struct thing *t;

	rcu_read_lock();
	t = rcu_dereference(thing);
	rcu_read_unlock();
	if (t)
		explore_check(READ_ONCE(t->value) == 1);
}

static void drop_by_callback(void *arg)
{
	struct thing *t = xchg(&thing, NULL);

	call_rcu(&t->rcu, thing_free);
}

static void drop_waiting(void *arg)
{
	struct thing *t = xchg(&thing, NULL);

	synchronize_rcu();
	kfree(t);
}

static void drop_at_once(void *arg)
{
	kfree(xchg(&thing, NULL));
}

static void nothing_left(void)
{
	rcu_barrier();
	explore_check_leaks();
}

static void setup_callback(const char *ops)
{
	setup_all();
	explore_task("reader", read_thing, NULL);
	explore_task("reader2", read_thing, NULL);
	explore_task("dropper", drop_by_callback, NULL);
}

static const struct explore_world callback_waits = {
	.name = "rcu/call-rcu",
	.shows = "a callback waits for the readers that came before it, and rcu_barrier() for it",
	.bound = 3,
	.setup = setup_callback,
	.end = nothing_left,
};
EXPLORE_WORLD(callback_waits);

static void setup_waiting(const char *ops)
{
	setup_all();
	explore_task("reader", read_thing, NULL);
	explore_task("reader2", read_thing, NULL);
	explore_task("dropper", drop_waiting, NULL);
}

static const struct explore_world synchronize_waits = {
	.name = "rcu/synchronize-rcu",
	.shows = "synchronize_rcu() waits for the readers that came before it",
	.bound = 3,
	.setup = setup_waiting,
	.end = nothing_left,
};
EXPLORE_WORLD(synchronize_waits);

static void setup_outside(const char *ops)
{
	setup_all();
	explore_task("reader", read_outside, NULL);
	explore_task("dropper", drop_by_callback, NULL);
}

static const struct explore_world used_outside = {
	.name = "rcu/rcu-outside",
	.shows = "what is used after its read section is found to be freed",
	.finds = "read t->value: memory that has been freed",
	.bound = 2,
	.setup = setup_outside,
};
EXPLORE_WORLD(used_outside);

static void setup_at_once(const char *ops)
{
	setup_all();
	explore_task("reader", read_thing, NULL);
	explore_task("dropper", drop_at_once, NULL);
}

static const struct explore_world freed_at_once = {
	.name = "rcu/use-after-free",
	.shows = "what is freed without a grace period is found to be used",
	.finds = "read t->value: memory that has been freed",
	.bound = 1,
	.setup = setup_at_once,
};
EXPLORE_WORLD(freed_at_once);

static void write_plainly(void *arg)
{
	struct thing *t = READ_ONCE(thing);

	explore_yield("yield", "", NULL);
	if (t)
		t->value = 2;
}

static void setup_write(const char *ops)
{
	setup_all();
	explore_task("writer", write_plainly, NULL);
	explore_task("dropper", drop_at_once, NULL);
}

static const struct explore_world written_after_free = {
	.name = "rcu/write-after-free",
	.shows = "a plain write to freed memory is found when the schedule ends",
#ifdef __SANITIZE_ADDRESS__
	.finds = "writer does what ASan has told of",
#else
	.finds = "memory was written to after it had been freed",
#endif
	.setup = setup_write,
};
EXPLORE_WORLD(written_after_free);

#ifdef __SANITIZE_ADDRESS__
static void read_plainly(void *arg)
{
	struct thing *t = READ_ONCE(thing);

	explore_yield("yield", "", NULL);
	if (t)
		explore_say("read", "%d", t->value);
}

static void setup_read(const char *ops)
{
	setup_all();
	explore_task("reader", read_plainly, NULL);
	explore_task("dropper", drop_at_once, NULL);
}

static const struct explore_world read_after_free = {
	.name = "rcu/plain-read",
	.shows = "a plain read of freed memory is found, by ASan",
	.finds = "reader does what ASan has told of",
	.setup = setup_read,
};
EXPLORE_WORLD(read_after_free);
#endif

static void free_twice(void *arg)
{
	kfree(READ_ONCE(thing));
}

static void setup_twice(const char *ops)
{
	setup_all();
	explore_task("one", free_twice, NULL);
	explore_task("two", free_twice, NULL);
}

static const struct explore_world freed_twice = {
	.name = "rcu/double-free",
	.shows = "what is freed twice is found",
	.finds = "which has been freed before",
	.setup = setup_twice,
};
EXPLORE_WORLD(freed_twice);

static void sleep_reading(void *arg)
{
	rcu_read_lock();
	might_sleep();
	rcu_read_unlock();
}

static void setup_sleep(const char *ops)
{
	explore_task("reader", sleep_reading, NULL);
}

static const struct explore_world sleeps_in_section = {
	.name = "rcu/sleep-reading",
	.shows = "sleeping in a read section is found",
	.finds = "in a read section",
	.setup = setup_sleep,
};
EXPLORE_WORLD(sleeps_in_section);

/*
 * SRCU. A token may be given back by another task: here by an event, as when I/O ends.
 */

static int token;

static void leave_srcu(void *arg)
{
	srcu_read_unlock(&srcu, token);
	complete(&left);
}

static void enter_srcu(void *arg)
{
	struct thing *t;

	token = srcu_read_lock(&srcu);
	t = READ_ONCE(thing);
	explore_yield("yield", "", NULL);
	if (t)
		explore_check(READ_ONCE(t->value) == 1);
	explore_event("leave", leave_srcu, NULL);
	wait_for_completion(&left);
}

static void drop_srcu(void *arg)
{
	struct thing *t = xchg(&thing, NULL);

	synchronize_srcu(&srcu);
	kfree(t);
}

static void srcu_end(void)
{
	cleanup_srcu_struct(&srcu);
	explore_check_leaks();
}

static void setup_srcu(const char *ops)
{
	setup_all();
	explore_task("reader", enter_srcu, NULL);
	explore_task("dropper", drop_srcu, NULL);
}

static const struct explore_world srcu_waits = {
	.name = "rcu/srcu",
	.shows = "synchronize_srcu() waits for the reader that came before it, whoever ends it",
	.bound = 3,
	.setup = setup_srcu,
	.end = srcu_end,
};
EXPLORE_WORLD(srcu_waits);

/* A reader that came after the turn waits for who synchronizes: no deadlock. */
static void read_after_turn(void *arg)
{
	int idx;

	wait_for_completion(&left);
	idx = srcu_read_lock(&srcu);
	explore_yield("yield", "", NULL);
	srcu_read_unlock(&srcu, idx);
}

static void synchronize_then_tell(void *arg)
{
	synchronize_srcu(&srcu);
	waited = true;
	complete(&left);
}

static void synchronize_twice(void *arg)
{
	synchronize_srcu(&srcu);
	synchronize_srcu(&srcu);
	explore_check(true);
}

static void setup_after(const char *ops)
{
	setup_all();
	explore_task("reader", read_after_turn, NULL);
	explore_task("synchronizer", synchronize_then_tell, NULL);
	explore_task("synchronizer2", synchronize_twice, NULL);
}

static const struct explore_world srcu_lets_go = {
	.name = "rcu/srcu-after",
	.shows = "grace periods of two tasks end, with a reader that comes after the first",
	.bound = 3,
	.setup = setup_after,
};
EXPLORE_WORLD(srcu_lets_go);

static void synchronize_inside(void *arg)
{
	int idx = srcu_read_lock(&srcu);

	synchronize_srcu(&srcu);
	srcu_read_unlock(&srcu, idx);
}

static void setup_inside(const char *ops)
{
	setup_all();
	explore_task("both", synchronize_inside, NULL);
}

static const struct explore_world srcu_hangs = {
	.name = "rcu/srcu-inside",
	.shows = "a reader that waits for the grace period it holds up hangs",
	.finds = "both waits: synchronize_srcu &srcu",
	.setup = setup_inside,
};
EXPLORE_WORLD(srcu_hangs);

static void clean_up_early(void *arg)
{
	cleanup_srcu_struct(&srcu);
}

static void setup_cleanup(const char *ops)
{
	setup_all();
	explore_task("reader", enter_srcu, NULL);
	explore_task("cleaner", clean_up_early, NULL);
}

static const struct explore_world srcu_readers_left = {
	.name = "rcu/srcu-cleanup",
	.shows = "cleaning up while there are readers is found",
	.finds = "&srcu ",
	.setup = setup_cleanup,
};
EXPLORE_WORLD(srcu_readers_left);
