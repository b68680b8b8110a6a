// SPDX-License-Identifier: GPL-2.0-only
/* Workqueues: each item that runs has a task of its own. */
#include "task.h"
#include "arena.h"

struct workqueue_struct {
	char name[32];
	unsigned int max_active;
	unsigned int active;   /* tasks */
	struct list_head list; /* struct work_struct that have no task yet */
};

#define DEFAULT_ACTIVE 256

/* Does a task run it? */
static struct task *runner(const struct work_struct *work)
{
	u64 left;

	for (left = now.tasks; left; left &= left - 1) {
		struct task *t = &tasks[__builtin_ctzll(left)];

		if (t->work == work && t->state == TASK_LIVE)
			return t;
	}
	return NULL;
}

void explore_work_init(struct work_struct *work, work_func_t func, const char *name)
{
	struct task *t = runner(work);

	/* Memory of an item whose function has not returned yet may be used for another one. */
	if (t)
		t->work = NULL;
	*work = (struct work_struct){.func = func, .name = name};
	INIT_LIST_HEAD(&work->list);
}

bool explore_work_pending(struct work_struct *work)
{
	explore_point("is pending", work->name, work);
	return work->pending;
}

static void work_main(void *arg);

/* Items get tasks as far as the queue may have more. */
static void kick(struct workqueue_struct *wq)
{
	struct work_struct *work, *next;

	list_for_each_entry_safe(work, next, &wq->list, list) {
		unsigned int nr;

		if (wq->active >= wq->max_active)
			break;
		if (runner(work))
			continue;
		list_del_init(&work->list);
		wq->active++;
		nr = task_new(work->name, work_main, work);
		tasks[nr].work = work;
		tasks[nr].wq = wq;
		tasks[nr].work_seq = work->seq;
		work->task = nr + 1;
	}
}

/* Is any item queued up to @seq still on its way in @wq? */
static bool is_busy(const struct workqueue_struct *wq, u64 seq)
{
	const struct work_struct *work;
	u64 left;

	list_for_each_entry(work, &wq->list, list) {
		if (work->seq <= seq)
			return true;
	}
	for (left = now.tasks; left; left &= left - 1) {
		const struct task *t = &tasks[__builtin_ctzll(left)];

		if (t->wq == wq && t->work_seq <= seq)
			return true;
	}
	return false;
}

/* An item that was queued as @seq is done, or will not be. */
static void tell_flushers(const struct work_struct *work, u64 seq, struct workqueue_struct *wq)
{
	u64 left;

	for (left = now.tasks & ~now.runnable; left; left &= left - 1) {
		struct task *t = &tasks[__builtin_ctzll(left)];

		if ((t->flush == work && t->flush_seq == seq) ||
		    (wq && t->flush_wq == wq && !is_busy(wq, t->flush_seq)))
			task_wake(TASK_BIT(t - tasks));
	}
}

static void work_main(void *arg)
{
	struct task *t = current_task();
	struct work_struct *work = arg;
	struct workqueue_struct *wq = t->wq;

	explore_point("work", work->name, work);
	work->pending = false;
	work->task = 0;
	work->func(work);
	/* Its memory may be gone. */
	lock_check_end(t);
	explore_point("work ends", t->name, wq);
	t->work = NULL;
	t->wq = NULL;
	wq->active--;
	kick(wq);
	tell_flushers(arg, t->work_seq, wq);
}

static void enqueue(struct workqueue_struct *wq, struct work_struct *work)
{
	if (!arena_good(wq))
		explore_fail("%s is queued on a workqueue that is gone", work->name);
	work->timer = false;
	work->wq = wq;
	work->seq = ++now.work_seq;
	list_add_tail(&work->list, &wq->list);
	kick(wq);
}

void work_expire(struct work_struct *work)
{
	list_del_init(&work->list);
	enqueue(work->wq, work);
}

/* @delay: jiffies. */
static void enqueue_later(struct workqueue_struct *wq, struct work_struct *work,
			  unsigned long delay)
{
	work->pending = true;
	if (!delay) {
		enqueue(wq, work);
		return;
	}
	work->timer = true;
	work->wq = wq;
	work->expires = now.now + (u64)delay * (NSEC_PER_SEC / HZ);
	list_add_tail(&work->list, &now.timers);
}

static void check(const struct work_struct *work)
{
	if (!work->func)
		explore_fail("work is queued that was never initialized");
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	explore_point("queue", work->name, work);
	check(work);
	if (work->pending || work->canceling)
		return false;
	enqueue_later(wq, work, 0);
	return true;
}

bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork,
			unsigned long delay)
{
	struct work_struct *work = &dwork->work;

	explore_point("queue later", work->name, work);
	check(work);
	if (work->pending || work->canceling)
		return false;
	enqueue_later(wq, work, delay);
	return true;
}

/* It is pending no more. Return: was it? */
static bool dequeue(struct work_struct *work)
{
	struct workqueue_struct *wq = work->timer ? NULL : work->wq;

	if (!work->pending)
		return false;
	if (work->task) {
		task_forget(work->task - 1);
		tasks[work->task - 1].work = NULL;
		tasks[work->task - 1].wq = NULL;
		work->task = 0;
		wq->active--;
	} else {
		list_del_init(&work->list);
	}
	work->pending = work->timer = false;
	if (wq)
		kick(wq);
	tell_flushers(work, work->seq, wq);
	return true;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *dwork, unsigned long delay)
{
	struct work_struct *work = &dwork->work;
	bool was;

	explore_point("queue later", work->name, work);
	check(work);
	if (work->canceling)
		return false;
	was = dequeue(work);
	enqueue_later(wq, work, delay);
	return was;
}

/* The item that was queued as @seq is done after this. */
static void wait_for(const struct work_struct *work, u64 seq)
{
	struct task *t = current_task();

	t->flush = work;
	t->flush_seq = seq;
	task_wait("work", work->name);
	t->flush = NULL;
}

bool cancel_work_sync(struct work_struct *work)
{
	const struct task *t;
	bool was;

	explore_might_sleep("cancel_work_sync");
	explore_point("cancel", work->name, work);
	was = dequeue(work);
	t = runner(work);
	if (t) {
		/* It does not queue itself meanwhile. */
		work->canceling++;
		wait_for(work, t->work_seq);
		work->canceling--;
	}
	return was;
}

bool cancel_delayed_work_sync(struct delayed_work *dwork)
{
	return cancel_work_sync(&dwork->work);
}

bool cancel_delayed_work(struct delayed_work *dwork)
{
	explore_point("cancel", dwork->work.name, &dwork->work);
	return dequeue(&dwork->work);
}

bool flush_work(struct work_struct *work)
{
	const struct task *t;

	explore_might_sleep("flush_work");
	explore_point("flush", work->name, work);
	if (work->pending && !work->timer) {
		wait_for(work, work->seq);
		return true;
	}
	t = runner(work);
	if (!t)
		return false;
	wait_for(work, t->work_seq);
	return true;
}

bool flush_delayed_work(struct delayed_work *dwork)
{
	struct work_struct *work = &dwork->work;

	explore_point("expire", work->name, work);
	if (work->timer)
		work_expire(work);
	return flush_work(work);
}

static void wait_for_all(struct workqueue_struct *wq, u64 seq)
{
	struct task *t = current_task();

	if (!is_busy(wq, seq))
		return;
	t->flush_wq = wq;
	t->flush_seq = seq;
	task_wait("workqueue", wq->name);
	t->flush_wq = NULL;
}

void flush_workqueue(struct workqueue_struct *wq)
{
	explore_might_sleep("flush_workqueue");
	explore_point("flush", wq->name, wq);
	wait_for_all(wq, now.work_seq);
}

void drain_workqueue(struct workqueue_struct *wq)
{
	explore_might_sleep("drain_workqueue");
	explore_point("drain", wq->name, wq);
	wait_for_all(wq, U64_MAX);
}

struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max_active, ...)
{
	struct workqueue_struct *wq = kzalloc(sizeof(*wq), GFP_KERNEL);
	va_list args;

	if (!wq)
		return NULL;
	va_start(args, max_active);
	vsnprintf(wq->name, sizeof(wq->name), fmt, args);
	va_end(args);
	wq->max_active = max_active ? max_active : DEFAULT_ACTIVE;
	INIT_LIST_HEAD(&wq->list);
	return wq;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	drain_workqueue(wq);
	kfree(wq);
}

static bool lies_in(const void *inner, const void *p, size_t bytes)
{
	return (size_t)((const u8 *)inner - (const u8 *)p) < bytes;
}

void work_check_free(const void *p, size_t bytes)
{
	const struct work_struct *work;
	u64 left;

	list_for_each_entry(work, &now.timers, list) {
		if (lies_in(work, p, bytes))
			explore_fail("%s frees work that is pending on time: %s",
				     current_task()->name, work->name);
	}
	for (left = now.tasks; left; left &= left - 1) {
		const struct task *t = &tasks[__builtin_ctzll(left)];

		/* A work item may free itself. */
		if (t->work && t->state == TASK_NEW && lies_in(t->work, p, bytes))
			explore_fail("%s frees work that is queued: %s", current_task()->name,
				     t->name);
		if (!t->wq)
			continue;
		list_for_each_entry(work, &t->wq->list, list) {
			if (lies_in(work, p, bytes))
				explore_fail("%s frees work that is queued: %s",
					     current_task()->name, work->name);
		}
	}
}
