/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of the environment that allocates. Part of every twin of env.h, after
 * its sync.h, from which come might_alloc() and q2_env_free().
 */
#ifndef Q2_ENV_MEMORY_H
#define Q2_ENV_MEMORY_H

#include "base.h"

/* linux/slab.h, linux/mm.h: memory is aligned to 4096 from a page up, so that
 * direct I/O can use it, as in the kernel.
 */
#define __GFP_DIRECT_RECLAIM 0x1U
#define __GFP_NOWARN 0x2U
#define __GFP_NORETRY 0x4U
#define __GFP_NOMEMALLOC 0x8U
#define GFP_KERNEL __GFP_DIRECT_RECLAIM
#define GFP_NOIO __GFP_DIRECT_RECLAIM
#define GFP_NOWAIT __GFP_NOWARN
#define GFP_ATOMIC 0U
#define Q2_GFP_TRY (GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN | __GFP_NOMEMALLOC)

/* Every allocation. Returns NULL when there is none; memory is not cleared. */
void *q2_env_alloc(size_t size);

static inline void *kvmalloc(size_t size, gfp_t gfp)
{
	might_alloc(gfp);
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
#define kvfree(p) q2_env_free((void *)(p))
#define kfree(p) q2_env_free((void *)(p))

static inline char *kstrdup(const char *text, gfp_t gfp)
{
	size_t bytes = strlen(text) + 1;
	char *copy = kvmalloc(bytes, gfp);

	return copy ? memcpy(copy, text, bytes) : NULL;
}

#endif
