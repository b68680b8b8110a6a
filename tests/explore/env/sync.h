/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the environment in which tasks meet, under the explorer's scheduler.
 *
 * The names and the meaning are the kernel's. All tasks are coroutines of one
 * thread; one of them runs at a time, and another one goes on only at a point: in
 * each call of these headers. So what is shown is this:
 *
 *	Memory is sequentially consistent, and what a task does between two points
 *	happens at once. Barriers, acquire and release are points and nothing else.
 *	What a missing barrier does is not shown here: the tests with threads under
 *	TSan (tests/unit, tests/crash) look for that, and KCSAN in the kernel. A plain
 *	access that races with another one is not shown either, by the same token.
 *
 * Otherwise a primitive allows what the kernel's allows, or more: a lock goes to any
 * of those that wait for it, not to the first. Where the kernel allows more, the
 * header of the primitive says so.
 *
 * What the kernel's debugging finds is a failure here, too: sleeping under a
 * spinlock or in a read section, unlocking what is not held, freeing what is held,
 * queued or waited for, using what was freed, locks in two orders.
 */
#ifndef Q2_EXPLORE_SYNC_H
#define Q2_EXPLORE_SYNC_H

#include "../../../userspace/env/base.h"
#include "point.h"
#include "atomic.h"
#include "lock.h"
#include "wait.h"
#include "rcu.h"
#include "clock.h"
#include "work.h"
#include "percpu.h"

/* linux/sched/mm.h, linux/slab.h: memory is the arena's. */
#define memalloc_noio_save() 0U
#define memalloc_noio_restore(flags) ((void)(flags))
#define q2_env_free(p) explore_free(p)

/* Give memory of q2_env_alloc() back: poisoned, and not used again in this schedule. */
void explore_free(void *p);

/* linux/printk.h: to the trace. */
#define pr_err(...) explore_say("error", __VA_ARGS__)
#define pr_warn(...) explore_say("warning", __VA_ARGS__)
#define pr_err_ratelimited(...) explore_say("error", __VA_ARGS__)
#define pr_warn_ratelimited(...) explore_say("warning", __VA_ARGS__)

#endif
