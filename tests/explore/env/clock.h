/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtual time. It stands still while any task can go on, and then jumps to what comes
 * next: what is waited for is never early, and a second costs nothing. With a budget for
 * it (--early) it may also jump while others could go on.
 */
#ifndef Q2_EXPLORE_CLOCK_H
#define Q2_EXPLORE_CLOCK_H

#include "point.h"

typedef s64 ktime_t;

#define NSEC_PER_SEC 1000000000L
#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_USEC 1000L

/* linux/jiffies.h */
#define HZ 250
#define MAX_SCHEDULE_TIMEOUT LONG_MAX
#define MAX_JIFFY_OFFSET ((LONG_MAX >> 1) - 1)
#define jiffies explore_jiffies()
#define msecs_to_jiffies(ms) ((unsigned long)DIV_ROUND_UP((u64)(ms), 1000 / HZ))
#define jiffies_to_msecs(j) ((unsigned int)((j) * (1000 / HZ)))
#define nsecs_to_jiffies(ns) ((unsigned long)((ns) / (NSEC_PER_SEC / HZ)))
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define time_before(a, b) time_after(b, a)
#define time_after_eq(a, b) ((long)((a) - (b)) >= 0)
#define time_before_eq(a, b) time_after_eq(b, a)

/* linux/ktime.h, linux/timekeeping.h */
#define ns_to_ktime(ns) ((ktime_t)(ns))
#define ms_to_ktime(ms) ((ktime_t)(ms)*NSEC_PER_MSEC)

/* Virtual time. */
unsigned long explore_jiffies(void);
u64 ktime_get_ns(void);

/* linux/sched.h, linux/delay.h. Blocks for @ns of virtual time. Return: 0. */
long explore_sleep(u64 ns);
#define schedule_timeout_uninterruptible(j) explore_sleep((u64)(j) * (NSEC_PER_SEC / HZ))
#define msleep(ms) ((void)explore_sleep((u64)(ms)*NSEC_PER_MSEC))

#endif
