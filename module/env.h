/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment of format/, image/, chain/, serve/ and job/: the kernel's twin.
 *
 * Those folders include this header and nothing else from outside, and hold no
 * #ifdef. userspace/env/env.h gives the same names in a process: same meaning,
 * same blocking rules. What is missing there does not exist for that code.
 */
#ifndef Q2_ENV_H
#define Q2_ENV_H

#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"

/*
 * For memory that has a reserve, or can be done without: on the way of a write
 * that gives memory back, nobody waits for memory and nobody takes the system's
 * last.
 */
#define Q2_GFP_TRY (GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

#endif
