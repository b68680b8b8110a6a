// SPDX-License-Identifier: GPL-2.0-only
/* Workqueues: how many items run at once, what cancel and flush wait for. */
#include "explore.h"

static struct workqueue_struct *wq;
static struct work_struct work[3];
static struct delayed_work later;
static int running, most, ran, again;
static bool gone;

static void run_item(struct work_struct *w)
{
	explore_check(!gone);
	running++;
	most = max(most, running);
	explore_yield("yield", "", NULL);
	running--;
	ran++;
	if (again && again--)
		queue_delayed_work(wq, &later, HZ);
}

static void setup_all(int max_active)
{
	unsigned int i;

	wq = alloc_workqueue("test%d", WQ_UNBOUND, max_active, 1);
	for (i = 0; i < ARRAY_SIZE(work); i++)
		INIT_WORK(&work[i], run_item);
	INIT_DELAYED_WORK(&later, run_item);
}

static void queue_three(void *arg)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(work); i++)
		explore_check(queue_work(wq, &work[i]));
	flush_workqueue(wq);
	explore_check(ran == 3);
	/* With @arg: no more than so many at once. */
	explore_check(most <= (long)arg);
}

static void destroy_end(void)
{
	destroy_workqueue(wq);
	explore_check_leaks();
}

static void setup_ordered(const char *ops)
{
	setup_all(1);
	explore_task("queuer", queue_three, (void *)1);
}

static const struct explore_world one_at_a_time = {
	.name = "work/workqueue-1",
	.shows = "a queue for one runs one item at a time, and flush waits for all",
	.bound = 3,
	.setup = setup_ordered,
	.end = destroy_end,
};
EXPLORE_WORLD(one_at_a_time);

static void setup_two(const char *ops)
{
	setup_all(2);
	explore_task("queuer", queue_three, (void *)2);
}

static const struct explore_world two_at_a_time = {
	.name = "work/workqueue-2",
	.shows = "a queue for two runs two items at once at most",
	.bound = 2,
	.setup = setup_two,
	.end = destroy_end,
};
EXPLORE_WORLD(two_at_a_time);

static void setup_two_not_one(const char *ops)
{
	setup_all(2);
	explore_task("queuer", queue_three, (void *)1);
}

static const struct explore_world two_do_run = {
	.name = "work/workqueue-both",
	.shows = "a queue for two does run two at once",
	.finds = "not so: most <= (long)arg",
	.setup = setup_two_not_one,
};
EXPLORE_WORLD(two_do_run);

static void queue_again(void *arg)
{
	bool first = queue_work(wq, &work[0]), second = queue_work(wq, &work[0]);

	explore_check(first);
	flush_work(&work[0]);
	/* What was pending was not queued again; what had begun was. */
	explore_check(ran == 1 + second);
	explore_check(most == 1);
}

static void setup_again(const char *ops)
{
	setup_all(3);
	explore_task("queuer", queue_again, NULL);
}

static const struct explore_world never_twice = {
	.name = "work/work-again",
	.shows =
		"an item is queued once while pending, again once it runs, and never runs twice at a time",
	.bound = 3,
	.setup = setup_again,
	.end = destroy_end,
};
EXPLORE_WORLD(never_twice);

static void cancel_item(void *arg)
{
	bool was;

	queue_work(wq, &work[0]);
	explore_yield("yield", "", NULL);
	was = cancel_work_sync(&work[0]);
	explore_check(ran == !was);
	gone = true;
}

static void setup_cancel(const char *ops)
{
	setup_all(1);
	explore_task("canceler", cancel_item, NULL);
}

static const struct explore_world canceled = {
	.name = "work/work-cancel",
	.shows = "after cancel_work_sync() the item has run, or never will",
	.bound = 3,
	.setup = setup_cancel,
	.end = destroy_end,
};
EXPLORE_WORLD(canceled);

static void free_uncanceled(void *arg)
{
	struct delayed_work *d = kmalloc(sizeof(*d), GFP_KERNEL);

	INIT_DELAYED_WORK(d, run_item);
	queue_delayed_work(wq, d, HZ);
	if (arg)
		cancel_delayed_work_sync(d);
	kfree(d);
}

static void setup_free(const char *ops)
{
	setup_all(1);
	explore_task("freer", free_uncanceled, NULL);
}

static const struct explore_world frees_pending = {
	.name = "work/free-pending-work",
	.shows = "freeing work that is pending is found",
	.finds = "frees work that is pending on time: run_item",
	.setup = setup_free,
};
EXPLORE_WORLD(frees_pending);

static void setup_free_canceled(const char *ops)
{
	setup_all(1);
	explore_task("freer", free_uncanceled, "");
}

static const struct explore_world frees_canceled = {
	.name = "work/free-canceled-work",
	.shows = "freeing work that has been canceled is right",
	.setup = setup_free_canceled,
	.end = destroy_end,
};
EXPLORE_WORLD(frees_canceled);

static void delay_and_flush(void *arg)
{
	u64 began = ktime_get_ns();

	explore_check(queue_delayed_work(wq, &later, 2 * HZ));
	explore_check(!queue_delayed_work(wq, &later, HZ));
	explore_check(delayed_work_pending(&later));
	explore_check(mod_delayed_work(wq, &later, HZ));
	schedule_timeout_uninterruptible(HZ + 1);
	flush_workqueue(wq);
	explore_check(ran == 1 && !delayed_work_pending(&later));
	explore_check(ktime_get_ns() == began + (u64)(HZ + 1) * (NSEC_PER_SEC / HZ));
}

static void setup_delayed(const char *ops)
{
	setup_all(1);
	explore_task("queuer", delay_and_flush, NULL);
}

static const struct explore_world delayed = {
	.name = "work/delayed-work",
	.shows = "delayed work runs when its time has come, the last one it was given",
	.bound = 2,
	.setup = setup_delayed,
	.end = destroy_end,
};
EXPLORE_WORLD(delayed);

static void cancel_repeated(void *arg)
{
	again = 3;
	queue_delayed_work(wq, &later, HZ);
	schedule_timeout_uninterruptible(2 * HZ);
	cancel_delayed_work_sync(&later);
	gone = true;
	schedule_timeout_uninterruptible(5 * HZ);
}

static void setup_repeated(const char *ops)
{
	setup_all(1);
	explore_task("canceler", cancel_repeated, NULL);
}

static const struct explore_world repeated = {
	.name = "work/work-repeats",
	.shows = "work that queues itself stays away once it has been canceled",
	.bound = 2,
	.setup = setup_repeated,
	.end = destroy_end,
};
EXPLORE_WORLD(repeated);

static void cancel_carelessly(void *arg)
{
	queue_work(wq, &work[0]);
	explore_yield("yield", "", NULL);
	cancel_delayed_work(&later);
	gone = true;
}

static void queue_later(void *arg)
{
	queue_delayed_work(wq, &later, 0);
	flush_workqueue(wq);
}

static void setup_careless(const char *ops)
{
	setup_all(1);
	explore_task("canceler", cancel_carelessly, NULL);
	explore_task("queuer", queue_later, NULL);
}

static const struct explore_world careless = {
	.name = "work/cancel-no-sync",
	.shows = "work that goes on after a cancel that does not wait is found",
	.finds = "not so: !gone",
	.setup = setup_careless,
};
EXPLORE_WORLD(careless);

static void flush_self(struct work_struct *w)
{
	flush_work(w);
}

static void queue_self_flusher(void *arg)
{
	INIT_WORK(&work[0], flush_self);
	queue_work(wq, &work[0]);
	flush_work(&work[0]);
}

static void setup_self(const char *ops)
{
	setup_all(1);
	explore_task("queuer", queue_self_flusher, NULL);
}

static const struct explore_world flushes_itself = {
	.name = "work/work-flushes-itself",
	.shows = "work that waits for itself hangs",
	.finds = "flush_self waits: work flush_self",
	.setup = setup_self,
};
EXPLORE_WORLD(flushes_itself);
