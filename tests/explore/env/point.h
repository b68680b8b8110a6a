/* SPDX-License-Identifier: GPL-2.0-only */
/* A scheduling point: where the explorer may let another task go on. */
#ifndef Q2_EXPLORE_POINT_H
#define Q2_EXPLORE_POINT_H

#include "../../../userspace/env/base.h"

/**
 * explore_point() - another task may go on before what comes next
 * @op: what comes next, a word
 * @name: the object as the source calls it
 * @addr: the object; memory of the arena must not have been freed
 */
void explore_point(const char *op, const char *name, const volatile void *addr);

/*
 * As explore_point(), where who goes on is free of charge: a task that gives up the CPU
 * by itself, or starts to wait for a device.
 */
void explore_yield(const char *op, const char *name, const volatile void *addr);

/* The schedule has failed: it ends here. Does not return. */
void explore_fail(const char *fmt, ...) __printf(1, 2) __attribute__((noreturn));

/* A line for the trace. */
void explore_say(const char *kind, const char *fmt, ...) __printf(2, 3);

/* linux/kernel.h, linux/sched/mm.h: failures under a spinlock and in a read section. */
void explore_might_sleep(const char *what);
#define might_sleep() explore_might_sleep(__func__)
#define might_alloc(gfp)                                  \
	do {                                              \
		if ((gfp)&__GFP_DIRECT_RECLAIM)           \
			explore_might_sleep("allocates"); \
	} while (0)

/*
 * linux/sched.h. Another task may go on, at the cost of a preemption: the kernel need not let
 * one. So a loop that waits for others by this alone is one without an end.
 */
#define cond_resched() (explore_might_sleep("cond_resched"), explore_point("resched", "", NULL))

#endif
