// SPDX-License-Identifier: GPL-2.0-only
/* Waits, completions and time: that wake-ups come through, that lost ones are found. */
#include "explore.h"

static wait_queue_head_t queue;
static struct completion done;
static spinlock_t lock;
static bool ready, slept;
static int count;
static u64 woke_at;

static void setup_all(void)
{
	init_waitqueue_head(&queue);
	init_completion(&done);
	spin_lock_init(&lock);
}

static void wait_ready(void *arg)
{
	wait_event(queue, READ_ONCE(ready));
}

static void set_and_wake(void *arg)
{
	WRITE_ONCE(ready, true);
	wake_up_all(&queue);
}

static void wake_and_set(void *arg)
{
	wake_up_all(&queue);
	WRITE_ONCE(ready, true);
}

static void setup_wake(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_ready, NULL);
	explore_task("waiter2", wait_ready, NULL);
	explore_task("waker", set_and_wake, NULL);
}

static const struct explore_world wake_up_comes = {
	.name = "wait/wake-up",
	.shows = "a wake-up that follows what it tells of is never lost",
	.bound = 3,
	.setup = setup_wake,
};
EXPLORE_WORLD(wake_up_comes);

static void setup_lost(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_ready, NULL);
	explore_task("waker", wake_and_set, NULL);
}

static const struct explore_world wake_up_lost = {
	.name = "wait/lost-wake-up",
	.shows = "a wake-up that comes before what it tells of is lost",
	.finds = "waiter waits: wait_event queue: READ_ONCE(ready)",
	.bound = 1,
	.setup = setup_lost,
};
EXPLORE_WORLD(wake_up_lost);

/* A condition that looks before it enters the queue only: what wait_event() is there to avoid. */
static void check_then_sleep(void *arg)
{
	int looks = 0;

	if (READ_ONCE(ready))
		return;
	/* As if it slept at once: true when it has been called. */
	wait_event(queue, looks++ == 2);
}

static void setup_home_made(const char *ops)
{
	setup_all();
	explore_task("waiter", check_then_sleep, NULL);
	explore_task("waker", set_and_wake, NULL);
}

static const struct explore_world home_made_wait = {
	.name = "wait/home-made-wait",
	.shows = "a condition that is looked at too early only loses the wake-up",
	.finds = "a wait without an end",
	.bound = 1,
	.setup = setup_home_made,
};
EXPLORE_WORLD(home_made_wait);

static void wait_done(void *arg)
{
	wait_for_completion(&done);
	explore_check(READ_ONCE(ready));
}

static void do_complete(void *arg)
{
	WRITE_ONCE(ready, true);
	complete(&done);
}

static void setup_completion(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_done, NULL);
	explore_task("completer", do_complete, NULL);
}

static const struct explore_world completion_waits = {
	.name = "wait/completion",
	.shows = "a completion lets go after it is complete, and no earlier",
	.bound = 3,
	.setup = setup_completion,
};
EXPLORE_WORLD(completion_waits);

static void setup_one_for_two(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_done, NULL);
	explore_task("waiter2", wait_done, NULL);
	explore_task("completer", do_complete, NULL);
}

static const struct explore_world completion_one = {
	.name = "wait/completion-one",
	.shows = "complete() lets one go, so of two that wait one hangs",
	.finds = "waits: completion &done",
	.setup = setup_one_for_two,
};
EXPLORE_WORLD(completion_one);

/*
 * Time
 */

static void wait_a_second(void *arg)
{
	long left = wait_event_timeout(queue, READ_ONCE(ready), HZ);

	woke_at = ktime_get_ns();
	slept = !left;
	explore_check(slept ? woke_at == NSEC_PER_SEC : READ_ONCE(ready));
}

static void wake_later(void *arg)
{
	unsigned long before = jiffies;

	schedule_timeout_uninterruptible(HZ / 2);
	explore_check(jiffies == before + HZ / 2 && time_after(jiffies, before));
	set_and_wake(NULL);
}

static void was_woken(void)
{
	explore_check(!slept && woke_at == NSEC_PER_SEC / 2);
}

static void setup_timeout(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_a_second, NULL);
	explore_task("waker", wake_later, NULL);
}

static const struct explore_world timeout_woken = {
	.name = "wait/timeout-woken",
	.shows = "who waits for a second and is called after half of it does not wait longer",
	.bound = 2,
	.setup = setup_timeout,
	.end = was_woken,
};
EXPLORE_WORLD(timeout_woken);

static void timed_out(void)
{
	explore_check(slept);
}

static void setup_no_waker(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_a_second, NULL);
}

static const struct explore_world timeout_late = {
	.name = "wait/timeout",
	.shows = "who is not called goes on after its time, to the nanosecond",
	.bound = 2,
	.setup = setup_no_waker,
	.end = timed_out,
};
EXPLORE_WORLD(timeout_late);

/* With a budget for it, a second may pass while others could go on. */
static const struct explore_world timeout_early = {
	.name = "wait/timeout-early",
	.shows = "time that passes early is found by who relies on the speed of others",
	.finds = "not so",
	.early = 1,
	.setup = setup_timeout,
	.end = was_woken,
};
EXPLORE_WORLD(timeout_early);

static void wait_precisely(void *arg)
{
	explore_check(wait_event_hrtimeout(queue, READ_ONCE(ready), ns_to_ktime(1500)) == -ETIME);
	explore_check(ktime_get_ns() == 1500);
	WRITE_ONCE(ready, true);
	explore_check(!wait_event_hrtimeout(queue, READ_ONCE(ready), ns_to_ktime(1500)));
	explore_check(ktime_get_ns() == 1500);
}

static void setup_precise(const char *ops)
{
	setup_all();
	explore_task("waiter", wait_precisely, NULL);
}

static const struct explore_world hrtimeout = {
	.name = "wait/hrtimeout",
	.shows = "a wait in nanoseconds ends to the nanosecond",
	.setup = setup_precise,
};
EXPLORE_WORLD(hrtimeout);

static wait_queue_head_t *allocated;

static void free_queue(void *arg)
{
	kfree(allocated);
}

static void wait_there(void *arg)
{
	wait_event(*allocated, READ_ONCE(count));
}

static void setup_freed_queue(const char *ops)
{
	allocated = kmalloc(sizeof(*allocated), GFP_KERNEL);
	init_waitqueue_head(allocated);
	explore_task("waiter", wait_there, NULL);
	explore_task("freer", free_queue, NULL);
}

static const struct explore_world frees_queue = {
	.name = "wait/free-waited-for",
	.shows = "freeing a wait queue that somebody is in is found",
	.finds = "frees a wait queue that waiter is in",
	.setup = setup_freed_queue,
};
EXPLORE_WORLD(frees_queue);

/*
 * What happens at each step
 */

static int limit;

static void count_up(void *arg)
{
	int i;

	for (i = 0; i < 3; i++)
		WRITE_ONCE(count, count + 1);
}

static void is_below(void)
{
	explore_check(count < limit);
}

static void setup_always(const char *ops)
{
	limit = 4;
	explore_task("one", count_up, NULL);
	explore_task("two", count_up, NULL);
}

static const struct explore_world always = {
	.name = "wait/always",
	.shows = "what is to be so at each step is looked at",
	.finds = "not so: count < limit",
	.setup = setup_always,
	.always = is_below,
};
EXPLORE_WORLD(always);

static void go_round(void *arg)
{
	while (!*(volatile bool *)&ready)
		;
}

static void setup_circles(const char *ops)
{
	explore_task("goer", go_round, NULL);
}

static const struct explore_world circles = {
	.name = "wait/circles",
	.shows = "a loop without any step is found",
	.finds = "goer goes round in circles",
	.setup = setup_circles,
};
EXPLORE_WORLD(circles);

static void yield_often(void *arg)
{
	int i;

	for (i = 0; i < 1000; i++)
		explore_yield("yield", "", NULL);
}

static void setup_yield(const char *ops)
{
	explore_task("one", yield_often, NULL);
	explore_task("two", yield_often, NULL);
}

/* With --strategy random: what a switch costs. */
static const struct explore_world yields = {
	.name = "wait/yields",
	.shows = "a thousand switches",
	.switches = 1,
	.setup = setup_yield,
};
EXPLORE_WORLD(yields);
