/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the environment in which tasks meet: locks, waits, RCU, atomics.
 *
 * Locks are pthread's, RCU and grace periods liburcu's. tests/explore/env has
 * another such header, in which a scheduler of its own decides on every switch.
 */
#ifndef Q2_ENV_SYNC_H
#define Q2_ENV_SYNC_H

#include <pthread.h>

#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-bp.h>
#include <urcu/rculist.h>
#include <urcu/rcuhlist.h>

/* After those: liburcu brings an assert.h with another static_assert(). */
#include "base.h"

/* linux/compiler.h, asm/barrier.h, linux/sched.h */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define cond_resched() ((void)0)

/* linux/sched/mm.h, linux/slab.h */
#define might_alloc(gfp) ((void)(gfp))
#define q2_env_free(p) free(p)

/* linux/rculist.h, linux/rcupdate.h, over liburcu */
#define hlist_add_head_rcu(n, h) cds_hlist_add_head_rcu(n, h)
#define hlist_del_rcu(n) cds_hlist_del_rcu(n)
#define hlist_for_each_entry_rcu(p, h, m) cds_hlist_for_each_entry_rcu_2(p, h, m)

/* linux/mutex.h, linux/spinlock.h */
struct mutex {
	pthread_mutex_t m;
};

#define mutex_init(l) pthread_mutex_init(&(l)->m, NULL)
#define mutex_destroy(l) pthread_mutex_destroy(&(l)->m)
#define mutex_lock(l) pthread_mutex_lock(&(l)->m)
#define mutex_unlock(l) pthread_mutex_unlock(&(l)->m)
#define mutex_trylock(l) (pthread_mutex_trylock(&(l)->m) == 0)
#define lockdep_assert_held(l) ((void)0)
#define might_sleep() ((void)0)

typedef struct mutex spinlock_t;
#define spin_lock_init(l) mutex_init(l)
#define spin_lock(l) mutex_lock(l)
#define spin_unlock(l) mutex_unlock(l)

/* linux/wait.h: the condition may read anything; whoever makes it true calls
 * wake_up_all() afterwards, which takes the same lock: no wake-up is lost.
 */
typedef struct {
	pthread_mutex_t m;
	pthread_cond_t c;
} wait_queue_head_t;

static inline void init_waitqueue_head(wait_queue_head_t *wq)
{
	pthread_mutex_init(&wq->m, NULL);
	pthread_cond_init(&wq->c, NULL);
}

static inline void wake_up_all(wait_queue_head_t *wq)
{
	pthread_mutex_lock(&wq->m);
	pthread_cond_broadcast(&wq->c);
	pthread_mutex_unlock(&wq->m);
}

#define wait_event(wq, condition)                            \
	do {                                                 \
		pthread_mutex_lock(&(wq).m);                 \
		while (!(condition))                         \
			pthread_cond_wait(&(wq).c, &(wq).m); \
		pthread_mutex_unlock(&(wq).m);               \
	} while (0)

/* linux/atomic.h, linux/refcount.h */
typedef struct {
	int v;
} atomic_t;

typedef struct {
	s64 v;
} atomic64_t;

#define atomic_set(a, n) __atomic_store_n(&(a)->v, n, __ATOMIC_RELAXED)
#define atomic_read(a) __atomic_load_n(&(a)->v, __ATOMIC_RELAXED)
#define atomic_inc(a) ((void)__atomic_add_fetch(&(a)->v, 1, __ATOMIC_RELAXED))
#define atomic_dec(a) ((void)__atomic_sub_fetch(&(a)->v, 1, __ATOMIC_RELAXED))
#define atomic_inc_return(a) __atomic_add_fetch(&(a)->v, 1, __ATOMIC_SEQ_CST)
#define atomic_dec_and_test(a) (__atomic_sub_fetch(&(a)->v, 1, __ATOMIC_SEQ_CST) == 0)
#define atomic64_set(a, n) __atomic_store_n(&(a)->v, n, __ATOMIC_RELAXED)
#define atomic64_read(a) __atomic_load_n(&(a)->v, __ATOMIC_RELAXED)
#define atomic64_inc(a) ((void)__atomic_add_fetch(&(a)->v, 1, __ATOMIC_RELAXED))
#define atomic64_add(n, a) ((void)__atomic_add_fetch(&(a)->v, n, __ATOMIC_RELAXED))
#define atomic64_sub(n, a) ((void)__atomic_sub_fetch(&(a)->v, n, __ATOMIC_RELAXED))

typedef struct {
	atomic_t refs;
} refcount_t;

#define refcount_set(r, n) atomic_set(&(r)->refs, n)
#define refcount_read(r) atomic_read(&(r)->refs)
#define refcount_inc(r) atomic_inc(&(r)->refs)
#define refcount_dec_and_test(r) atomic_dec_and_test(&(r)->refs)

#endif
