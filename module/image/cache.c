// SPDX-License-Identifier: GPL-2.0-only
/*
 * The metadata cache of one image.
 *
 * Lock order: cache->lock is a leaf lock; nothing is allocated or read under it.
 * A slice is read by the caller that put it into the table; others that want it
 * meanwhile wait on cache->loaded. A slice with references is on no list.
 *
 * Without memory for another slice there are the spare ones, then the oldest idle
 * one: who writes memory back must get on.
 */
#include "env.h"
#include "image/cache.h"
#include "image/image.h"

enum slice_state {
	SLICE_LOADING,
	SLICE_READY,
	SLICE_FAILED, /* out of the table; error says why */
};

struct slice {
	struct q2_slice pub;
	struct hlist_node node; /* protected by cache->lock */
	struct list_head lru;	/* protected by cache->lock; linked while refs is 0 */
	bool hashed;		/* in the table; protected by cache->lock */
	unsigned int refs;	/* protected by cache->lock */
	int state;		/* enum slice_state; release on change, acquire to read */
	int error;
};

struct q2_cache {
	struct q2_file *file;
	u32 slice_bytes;
	unsigned int hash_bits;
	unsigned long limit; /* slices */
	spinlock_t lock;
	struct hlist_head *buckets; /* protected by lock */
	struct list_head lru;	    /* protected by lock; oldest first */
	unsigned long held;	    /* slices in the table; protected by lock */
	unsigned long idle;	    /* slices on the LRU; protected by lock */
	struct list_head spares;    /* by lru; protected by lock */
	unsigned int nr_spares;	    /* protected by lock */
	unsigned int reserve;	    /* spares to keep; protected by lock */
	wait_queue_head_t loaded;
	atomic64_t hits;
	atomic64_t misses;
};

static void slice_free(struct slice *slice)
{
	if (!slice)
		return;
	kvfree(slice->pub.data);
	kfree(slice);
}

static struct slice *slice_alloc(struct q2_cache *cache, gfp_t gfp)
{
	struct slice *slice = kzalloc(sizeof(*slice), gfp);

	if (!slice)
		return NULL;
	slice->pub.data = kvmalloc(cache->slice_bytes, gfp);
	if (!slice->pub.data) {
		kfree(slice);
		return NULL;
	}
	return slice;
}

/* It is not in the table: keep it if spares are missing. */
static void slice_release(struct q2_cache *cache, struct slice *slice)
{
	if (!slice)
		return;
	spin_lock(&cache->lock);
	if (cache->nr_spares < cache->reserve) {
		list_add(&slice->lru, &cache->spares);
		cache->nr_spares++;
		slice = NULL;
	}
	spin_unlock(&cache->lock);
	slice_free(slice);
}

static struct hlist_head *bucket(struct q2_cache *cache, u64 offset)
{
	return &cache->buckets[hash_64(offset, cache->hash_bits)];
}

static struct slice *find(struct q2_cache *cache, u64 offset)
{
	struct slice *slice;

	lockdep_assert_held(&cache->lock);
	hlist_for_each_entry(slice, bucket(cache, offset), node) {
		if (slice->pub.offset == offset)
			return slice;
	}
	return NULL;
}

static void take(struct q2_cache *cache, struct slice *slice)
{
	lockdep_assert_held(&cache->lock);
	if (!slice->refs++) {
		list_del_init(&slice->lru);
		cache->idle--;
	}
}

static void unhash(struct q2_cache *cache, struct slice *slice)
{
	lockdep_assert_held(&cache->lock);
	hlist_del(&slice->node);
	slice->hashed = false;
	cache->held--;
}

/* Move up to @nr of the oldest idle slices from the table to @dropped. */
static unsigned long drop(struct q2_cache *cache, unsigned long nr, struct list_head *dropped)
{
	unsigned long done = 0;
	struct slice *slice;

	lockdep_assert_held(&cache->lock);
	while (done < nr && !list_empty(&cache->lru)) {
		slice = list_first_entry(&cache->lru, struct slice, lru);
		list_move_tail(&slice->lru, dropped);
		unhash(cache, slice);
		cache->idle--;
		done++;
	}
	return done;
}

static void free_dropped(struct q2_cache *cache, struct list_head *dropped)
{
	struct slice *slice, *next;

	list_for_each_entry_safe(slice, next, dropped, lru)
		slice_release(cache, slice);
}

/* A slice that is not in the table, with the caller's reference; NULL: there is none to be had. */
static struct slice *slice_new(struct q2_cache *cache, u64 offset)
{
	struct slice *slice = slice_alloc(cache, Q2_GFP_TRY);
	LIST_HEAD(dropped);

	if (!slice) {
		spin_lock(&cache->lock);
		if (!list_empty(&cache->spares)) {
			list_move(cache->spares.next, &dropped);
			cache->nr_spares--;
		} else {
			drop(cache, 1, &dropped);
		}
		spin_unlock(&cache->lock);
		if (list_empty(&dropped))
			return NULL;
		slice = list_first_entry(&dropped, struct slice, lru);
	}
	INIT_LIST_HEAD(&slice->lru);
	INIT_LIST_HEAD(&slice->pub.dirty);
	slice->pub.offset = offset;
	slice->refs = 1;
	slice->state = SLICE_LOADING;
	slice->hashed = false;
	slice->error = 0;
	return slice;
}

struct q2_cache *q2_cache_create(struct q2_file *file, u32 slice_bytes, size_t limit)
{
	struct q2_cache *cache = kzalloc(sizeof(*cache), GFP_KERNEL);
	unsigned int i;

	if (!cache)
		return ERR_PTR(-ENOMEM);
	cache->file = file;
	cache->slice_bytes = slice_bytes;
	cache->limit = max_t(unsigned long, limit / slice_bytes, 1);
	cache->hash_bits = clamp(ilog2(cache->limit), 4, 16);
	cache->buckets = kvcalloc(1U << cache->hash_bits, sizeof(*cache->buckets), GFP_KERNEL);
	if (!cache->buckets) {
		kfree(cache);
		return ERR_PTR(-ENOMEM);
	}
	for (i = 0; i < 1U << cache->hash_bits; i++)
		INIT_HLIST_HEAD(&cache->buckets[i]);
	spin_lock_init(&cache->lock);
	INIT_LIST_HEAD(&cache->lru);
	INIT_LIST_HEAD(&cache->spares);
	init_waitqueue_head(&cache->loaded);
	atomic64_set(&cache->hits, 0);
	atomic64_set(&cache->misses, 0);
	if (q2_cache_reserve(cache, 1)) {
		q2_cache_destroy(cache);
		return ERR_PTR(-ENOMEM);
	}
	return cache;
}

int q2_cache_reserve(struct q2_cache *cache, unsigned int nr)
{
	cache->reserve = nr;
	while (cache->nr_spares < nr) {
		struct slice *slice = slice_alloc(cache, GFP_KERNEL);

		if (!slice)
			return -ENOMEM;
		slice_release(cache, slice);
	}
	return 0;
}

void q2_cache_destroy(struct q2_cache *cache)
{
	struct slice *slice, *next;

	cache->reserve = 0;
	q2_cache_shrink(cache, ULONG_MAX);
	list_for_each_entry_safe(slice, next, &cache->spares, lru)
		slice_free(slice);
	kvfree(cache->buckets);
	kfree(cache);
}

u32 q2_cache_slice_bytes(const struct q2_cache *cache)
{
	return cache->slice_bytes;
}

/* Read a slice that this caller put into the table, and tell the others. */
static void load(struct q2_cache *cache, struct slice *slice)
{
	int ret = q2_file_read(cache->file, slice->pub.offset, slice->pub.data, cache->slice_bytes);

	if (ret) {
		/* Out of the table first: the next one to ask tries again. */
		spin_lock(&cache->lock);
		if (slice->hashed)
			unhash(cache, slice);
		spin_unlock(&cache->lock);
		slice->error = ret;
	}
	/* Pairs with the acquire in q2_cache_get(): data or error before state. */
	smp_store_release(&slice->state, ret ? SLICE_FAILED : SLICE_READY);
	wake_up_all(&cache->loaded);
}

struct q2_slice *q2_cache_get(struct q2_cache *cache, u64 offset)
{
	struct slice *slice, *fresh = NULL;
	LIST_HEAD(dropped);
	int error;

	spin_lock(&cache->lock);
	slice = find(cache, offset);
	if (!slice) {
		spin_unlock(&cache->lock);
		fresh = slice_new(cache, offset);
		if (!fresh)
			return ERR_PTR(-ENOMEM);
		spin_lock(&cache->lock);
		slice = find(cache, offset);
	}
	if (slice) {
		take(cache, slice);
		spin_unlock(&cache->lock);
		slice_release(cache, fresh);
		atomic64_inc(&cache->hits);
		/* Pairs with the release in load(). */
		wait_event(cache->loaded, smp_load_acquire(&slice->state) != SLICE_LOADING);
	} else {
		slice = fresh;
		hlist_add_head(&slice->node, bucket(cache, offset));
		slice->hashed = true;
		if (++cache->held > cache->limit)
			drop(cache, cache->held - cache->limit, &dropped);
		spin_unlock(&cache->lock);
		free_dropped(cache, &dropped);
		atomic64_inc(&cache->misses);
		load(cache, slice);
	}
	/* Pairs with the release in load(): the data, or the error, are there. */
	if (smp_load_acquire(&slice->state) == SLICE_READY)
		return &slice->pub;
	error = slice->error;
	q2_cache_put(cache, &slice->pub);
	return ERR_PTR(error);
}

void q2_cache_hold(struct q2_cache *cache, struct q2_slice *pub)
{
	struct slice *slice = container_of(pub, struct slice, pub);

	spin_lock(&cache->lock);
	slice->refs++;
	spin_unlock(&cache->lock);
}

void q2_cache_forget(struct q2_cache *cache, u64 offset, u64 len)
{
	u64 end = offset + len;
	LIST_HEAD(dropped);
	struct slice *slice;

	for (; offset < end; offset += cache->slice_bytes) {
		spin_lock(&cache->lock);
		slice = find(cache, offset);
		if (slice) {
			unhash(cache, slice);
			if (!slice->refs) {
				list_move_tail(&slice->lru, &dropped);
				cache->idle--;
			}
		}
		spin_unlock(&cache->lock);
	}
	free_dropped(cache, &dropped);
}

void q2_cache_put(struct q2_cache *cache, struct q2_slice *pub)
{
	struct slice *slice = container_of(pub, struct slice, pub);
	LIST_HEAD(dropped);
	bool gone = false;

	spin_lock(&cache->lock);
	if (!--slice->refs) {
		if (!slice->hashed) {
			gone = true;
		} else {
			list_add_tail(&slice->lru, &cache->lru);
			cache->idle++;
			if (cache->held > cache->limit)
				drop(cache, cache->held - cache->limit, &dropped);
		}
	}
	spin_unlock(&cache->lock);
	if (gone)
		slice_release(cache, slice);
	free_dropped(cache, &dropped);
}

void q2_cache_stats(struct q2_cache *cache, struct q2_cache_stats *stats)
{
	stats->bytes = (u64)READ_ONCE(cache->held) * cache->slice_bytes;
	stats->limit = (u64)cache->limit * cache->slice_bytes;
	stats->hits = atomic64_read(&cache->hits);
	stats->misses = atomic64_read(&cache->misses);
}

unsigned long q2_cache_shrink(struct q2_cache *cache, unsigned long nr)
{
	LIST_HEAD(dropped);
	unsigned long done;

	spin_lock(&cache->lock);
	done = drop(cache, nr, &dropped);
	spin_unlock(&cache->lock);
	free_dropped(cache, &dropped);
	return done;
}

unsigned long q2_cache_shrinkable(struct q2_cache *cache)
{
	return READ_ONCE(cache->idle);
}
