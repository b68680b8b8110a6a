/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workqueues. Each work item runs in a task of its own, of which a queue has no more
 * at a time than its max_active; they begin in the order they were queued in, and then go
 * on in any. As in the kernel an item that is pending is not queued again, and an item
 * never runs twice at a time. There is one queue for all CPUs: where the kernel has
 * max_active for each CPU, the caller of alloc_workqueue() can say so by a larger number.
 */
#ifndef Q2_EXPLORE_WORK_H
#define Q2_EXPLORE_WORK_H

#include "point.h"
#include "clock.h"

struct workqueue_struct;

struct work_struct {
	void (*func)(struct work_struct *work);
	const char *name;
	struct workqueue_struct *wq; /* it is pending on */
	struct list_head list;	     /* of @wq, or of timers; linked while it has no task */
	u64 seq;		     /* of the last time it was queued */
	bool pending;
	bool timer;		/* pending on time, not on @wq */
	unsigned int task;	/* + 1: that has been made for it and has not begun */
	unsigned int canceling; /* tasks that cancel it and wait */
	u64 expires;		/* @timer: virtual ns */
};

struct delayed_work {
	struct work_struct work;
};

typedef void (*work_func_t)(struct work_struct *work);

#define WQ_UNBOUND 0x2U
#define WQ_FREEZABLE 0x4U
#define WQ_MEM_RECLAIM 0x8U
#define WQ_HIGHPRI 0x10U
#define WQ_CPU_INTENSIVE 0x20U
#define WQ_SYSFS 0x40U
#define WQ_PERCPU 0U
#define Q2_WQ_PERCPU WQ_PERCPU

#define INIT_WORK(w, f) explore_work_init(w, f, #f)
#define INIT_WORK_ONSTACK(w, f) INIT_WORK(w, f)
#define destroy_work_on_stack(w) ((void)(w))
#define INIT_DELAYED_WORK(w, f) explore_work_init(&(w)->work, f, #f)
#define to_delayed_work(w) container_of(w, struct delayed_work, work)
#define work_pending(w) explore_work_pending(w)
#define delayed_work_pending(w) explore_work_pending(&(w)->work)
#define alloc_ordered_workqueue(fmt, flags, ...) alloc_workqueue(fmt, flags, 1, ##__VA_ARGS__)

void explore_work_init(struct work_struct *work, work_func_t func, const char *name);
bool explore_work_pending(struct work_struct *work);
/* @max_active: items that run at once; 0: as the kernel has it. NULL: no memory. */
struct workqueue_struct *alloc_workqueue(const char *fmt, unsigned int flags, int max_active, ...)
	__printf(1, 4);
/* All of it has run; nothing is queued any more. Blocks. */
void destroy_workqueue(struct workqueue_struct *wq);
/* Return: false: it is pending already, or being canceled. @delay: jiffies. */
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
#define queue_work_on(cpu, wq, work) queue_work(wq, work)
bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
			unsigned long delay);
/* The same, whether it is pending or not. Return: it was. */
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay);
/* It is not pending afterwards, and, with "sync", does not run; that blocks. Return: it was
 * pending. */
bool cancel_work_sync(struct work_struct *work);
bool cancel_delayed_work(struct delayed_work *work);
bool cancel_delayed_work_sync(struct delayed_work *work);
/* What was queued last, or runs, is done. Blocks. Return: there was something to wait for. */
bool flush_work(struct work_struct *work);
bool flush_delayed_work(struct delayed_work *work);
/* What has been queued so far is done; or, with "drain", also what that queued. Blocks. */
void flush_workqueue(struct workqueue_struct *wq);
void drain_workqueue(struct workqueue_struct *wq);

#endif
