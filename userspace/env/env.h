/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment of format/, image/ and chain/: the twin for a process.
 *
 * Gives the kernel's names, with the kernel's meaning, to the code that is
 * compiled into both (module/env.h is the other twin). Lists, RCU and grace
 * periods are liburcu's, locks are pthread's, the rest is the compiler's.
 * Allocations go through q2_env_alloc(), so that a test can make the n-th fail.
 */
#ifndef Q2_ENV_H
#define Q2_ENV_H

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-bp.h>
#include <urcu/list.h>
#include <urcu/rculist.h>
#include <urcu/hlist.h>
#include <urcu/rcuhlist.h>

/* linux/types.h */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64; /* as in the kernel, so that %llu is right */
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u64 __be64;
typedef unsigned int gfp_t;

/* linux/limits.h */
#define U32_MAX UINT32_MAX
#define U64_MAX ULLONG_MAX
#define S64_MAX LLONG_MAX

/* linux/compiler.h and friends */
#define __packed __attribute__((packed))
#define __printf(f, a) __attribute__((format(printf, f, a)))
#define __must_check __attribute__((warn_unused_result))
#define __force
#define __maybe_unused __attribute__((unused))
#define fallthrough __attribute__((fallthrough))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#undef static_assert /* assert.h has one that wants a message */
#define static_assert(expr) _Static_assert(expr, #expr)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define cond_resched() ((void)0)

/* linux/minmax.h, linux/math.h, linux/align.h, linux/bits.h, linux/log2.h */
#define min(a, b)                       \
	({                              \
		__typeof__(a) _a = (a); \
		__typeof__(b) _b = (b); \
		_a < _b ? _a : _b;      \
	})
#define max(a, b)                       \
	({                              \
		__typeof__(a) _a = (a); \
		__typeof__(b) _b = (b); \
		_a > _b ? _a : _b;      \
	})
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((u64)(n), d)
#define round_up(x, y) ((((x)-1) | ((__typeof__(x))(y)-1)) + 1)
#define round_down(x, y) ((x) & ~((__typeof__(x))(y)-1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)
#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define is_power_of_2(n) ((n) != 0 && ((n) & ((n)-1)) == 0)
#define ilog2(n) (63 - __builtin_clzll((u64)(n)))

/* linux/overflow.h */
#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)
#define check_sub_overflow(a, b, d) __builtin_sub_overflow(a, b, d)
#define check_mul_overflow(a, b, d) __builtin_mul_overflow(a, b, d)

/* asm/byteorder.h, linux/unaligned.h */
#define be16_to_cpu(x) be16toh(x)
#define be32_to_cpu(x) be32toh(x)
#define be64_to_cpu(x) ((u64)be64toh(x))
#define cpu_to_be16(x) htobe16(x)
#define cpu_to_be32(x) htobe32(x)
#define cpu_to_be64(x) ((u64)htobe64(x))

/* linux/err.h */
#define MAX_ERRNO 4095
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}

static inline bool IS_ERR(const void *ptr)
{
	return (unsigned long)ptr >= (unsigned long)-MAX_ERRNO;
}

static inline int PTR_ERR_OR_ZERO(const void *ptr)
{
	return IS_ERR(ptr) ? PTR_ERR(ptr) : 0;
}

/* linux/slab.h, linux/mm.h: memory is aligned to 4096 from a page up, so that
 * direct I/O can use it, as in the kernel.
 */
#define GFP_KERNEL 0
#define GFP_NOIO 0
#define __GFP_NOWARN 0
#define __GFP_NORETRY 0
#define __GFP_NOMEMALLOC 0
#define Q2_GFP_TRY 0

/* Every allocation. Returns NULL when there is none; memory is not cleared. */
void *q2_env_alloc(size_t size);

static inline void *kvmalloc(size_t size, gfp_t gfp)
{
	(void)gfp;
	return q2_env_alloc(size);
}

static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	void *p = kvmalloc(size, gfp);

	if (p)
		memset(p, 0, size);
	return p;
}

static inline void *kvmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return check_mul_overflow(n, size, &bytes) ? NULL : kvmalloc(bytes, gfp);
}

static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return check_mul_overflow(n, size, &bytes) ? NULL : kvzalloc(bytes, gfp);
}

#define kmalloc(size, gfp) kvmalloc(size, gfp)
#define kzalloc(size, gfp) kvzalloc(size, gfp)
#define kcalloc(n, size, gfp) kvcalloc(n, size, gfp)
#define kmalloc_array(n, size, gfp) kvmalloc_array(n, size, gfp)
#define kvfree(p) free((void *)(p))
#define kfree(p) free((void *)(p))

/* linux/list.h, linux/rculist.h, linux/rcupdate.h, over liburcu */
#define list_head cds_list_head
#define LIST_HEAD(name) CDS_LIST_HEAD(name)
#define INIT_LIST_HEAD(h) CDS_INIT_LIST_HEAD(h)
#define list_add(n, h) cds_list_add(n, h)
#define list_add_tail(n, h) cds_list_add_tail(n, h)
#define list_del(n) cds_list_del(n)
#define list_del_init(n) cds_list_del_init(n)
#define list_move(n, h) cds_list_move(n, h)
#define list_move_tail(n, h)             \
	do {                             \
		cds_list_del(n);         \
		cds_list_add_tail(n, h); \
	} while (0)
#define list_splice_init(l, h)         \
	do {                           \
		cds_list_splice(l, h); \
		CDS_INIT_LIST_HEAD(l); \
	} while (0)
#define list_empty(h) cds_list_empty(h)
#define list_entry(p, t, m) cds_list_entry(p, t, m)
#define list_first_entry(h, t, m) cds_list_first_entry(h, t, m)
#define list_last_entry(h, t, m) cds_list_entry((h)->prev, t, m)
#define list_for_each_entry(p, h, m) cds_list_for_each_entry(p, h, m)
#define list_for_each_entry_safe(p, n, h, m) cds_list_for_each_entry_safe(p, n, h, m)
#define list_for_each_entry_reverse(p, h, m) cds_list_for_each_entry_reverse(p, h, m)

#define hlist_head cds_hlist_head
#define hlist_node cds_hlist_node
#define INIT_HLIST_HEAD(h) CDS_INIT_HLIST_HEAD(h)
#define hlist_add_head(n, h) cds_hlist_add_head(n, h)
#define hlist_add_head_rcu(n, h) cds_hlist_add_head_rcu(n, h)
#define hlist_del(n) cds_hlist_del(n)
#define hlist_del_rcu(n) cds_hlist_del_rcu(n)
#define hlist_for_each_entry(p, h, m) cds_hlist_for_each_entry_2(p, h, m)
#define hlist_for_each_entry_safe(p, n, h, m)                                                   \
	for (p = cds_hlist_entry_safe((h)->next, __typeof__(*p), m); p && ((n = p->m.next), 1); \
	     p = cds_hlist_entry_safe(n, __typeof__(*p), m))
#define hlist_for_each_entry_rcu(p, h, m) cds_hlist_for_each_entry_rcu_2(p, h, m)

/* linux/hash.h */
static inline u32 hash_64(u64 val, unsigned int bits)
{
	return (val * 0x61C8864680B583EBULL) >> (64 - bits);
}

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

/* What the kernel has under the same name already in the C library:
 * memcpy, memset, memcmp, strlen, snprintf, vsnprintf.
 */
#define scnprintf(b, n, ...) snprintf(b, n, __VA_ARGS__)

#endif
