/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the environment that has no scheduling in it: types, arithmetic,
 * errors, lists. Part of every twin of env.h; see env.h beside this file.
 */
#ifndef Q2_ENV_BASE_H
#define Q2_ENV_BASE_H

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <urcu/list.h>
#include <urcu/hlist.h>

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
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#undef static_assert /* assert.h has one that wants a message */
#define static_assert(expr) _Static_assert(expr, #expr)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

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

static inline bool IS_ERR_OR_NULL(const void *ptr)
{
	return !ptr || IS_ERR(ptr);
}

static inline void *ERR_CAST(const void *ptr)
{
	return (void *)ptr;
}

static inline int PTR_ERR_OR_ZERO(const void *ptr)
{
	return IS_ERR(ptr) ? PTR_ERR(ptr) : 0;
}

/* linux/list.h, over liburcu */
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
#define list_is_singular(h) (!list_empty(h) && (h)->next == (h)->prev)
#define list_entry(p, t, m) cds_list_entry(p, t, m)
#define list_first_entry(h, t, m) cds_list_first_entry(h, t, m)
#define list_first_entry_or_null(h, t, m) (list_empty(h) ? NULL : list_first_entry(h, t, m))
#define list_last_entry(h, t, m) cds_list_entry((h)->prev, t, m)
#define list_for_each_entry(p, h, m) cds_list_for_each_entry(p, h, m)
#define list_for_each_entry_safe(p, n, h, m) cds_list_for_each_entry_safe(p, n, h, m)
#define list_for_each_entry_reverse(p, h, m) cds_list_for_each_entry_reverse(p, h, m)

#define hlist_head cds_hlist_head
#define hlist_node cds_hlist_node
#define INIT_HLIST_HEAD(h) CDS_INIT_HLIST_HEAD(h)
#define hlist_add_head(n, h) cds_hlist_add_head(n, h)
#define hlist_del(n) cds_hlist_del(n)
#define hlist_for_each_entry(p, h, m) cds_hlist_for_each_entry_2(p, h, m)
#define hlist_for_each_entry_safe(p, n, h, m)                                                   \
	for (p = cds_hlist_entry_safe((h)->next, __typeof__(*p), m); p && ((n = p->m.next), 1); \
	     p = cds_hlist_entry_safe(n, __typeof__(*p), m))

/* linux/hash.h */
static inline u32 hash_64(u64 val, unsigned int bits)
{
	return (val * 0x61C8864680B583EBULL) >> (64 - bits);
}

/* What the kernel has under the same name already in the C library:
 * memcpy, memset, memcmp, strlen, snprintf, vsnprintf.
 */
#define scnprintf(b, n, ...) snprintf(b, n, __VA_ARGS__)

/* linux/math64.h */
#define div_u64(n, d) ((u64)(n) / (u32)(d))

/* linux/string.h: -E2BIG, and as much as there is room for. */
static inline ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);

	if (len == size) {
		memcpy(to, from, size - 1);
		to[size - 1] = '\0';
		return -E2BIG;
	}
	memcpy(to, from, len + 1);
	return len;
}

/* linux/sort.h */
#define sort(base, n, size, cmp, swap) qsort(base, n, size, cmp)

/* linux/sched/signal.h: nobody kills what runs here. */
#define fatal_signal_pending(task) false

#endif
