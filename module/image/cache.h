/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The metadata cache of one image: slices of tables, found by host offset.
 *
 * A slice is a naturally aligned piece of a metadata cluster, 4096 bytes or the
 * whole cluster if that is smaller, so that huge clusters do not cost huge reads.
 * Does: hold slices as they are on disk, read each once however many ask,
 * stay below its bound by dropping the least recently used. Does not: know what
 * is in a slice, or read and write by itself when nobody asks.
 */
#ifndef Q2_IMAGE_CACHE_H
#define Q2_IMAGE_CACHE_H

#include "image/file.h"

struct q2_cache;
struct q2_cache_stats;

/**
 * struct q2_slice - a referenced piece of metadata
 * @data: bytes as on disk; valid until q2_cache_put()
 * @offset: host offset
 * @dirty: for whoever changes @data; the cache only sees that it starts empty
 */
struct q2_slice {
	void *data;
	u64 offset;
	struct list_head dirty;
};

/**
 * q2_cache_create() - an empty cache
 * @file: where slices come from; not owned
 * @slice_bytes: 512..4096, a power of two
 * @limit: bytes of slices to hold at most; slices in use may exceed it for a moment
 *
 * Return: the cache or ERR_PTR(-ENOMEM).
 */
struct q2_cache *q2_cache_create(struct q2_file *file, u32 slice_bytes, size_t limit);

/*
 * Keep @nr slices for when there is no memory; one from the start. Nobody else
 * uses the cache yet. Return: 0 or -ENOMEM.
 */
int q2_cache_reserve(struct q2_cache *cache, unsigned int nr);

/* Free it; no slice is referenced. */
void q2_cache_destroy(struct q2_cache *cache);

/* Bytes of a slice. */
u32 q2_cache_slice_bytes(const struct q2_cache *cache);

/**
 * q2_cache_get() - a slice, read from the file if it is not held
 * @cache: cache
 * @offset: host offset, a multiple of the slice size
 *
 * Blocks while the slice is read, by this caller or another.
 *
 * Return: the slice, to be given back with q2_cache_put(); ERR_PTR of the read, or
 * -ENOMEM: there is no memory, and every slice is in use.
 */
struct q2_slice *q2_cache_get(struct q2_cache *cache, u64 offset);

/* One more reference to a slice that is held. Never blocks. */
void q2_cache_hold(struct q2_cache *cache, struct q2_slice *slice);

/* Give a slice back. Never blocks. */
void q2_cache_put(struct q2_cache *cache, struct q2_slice *slice);

/**
 * q2_cache_forget() - the file changed behind the cache
 * @cache: cache
 * @offset: host offset, a multiple of the slice size
 * @len: bytes, likewise
 *
 * Slices of the range are read again by the next q2_cache_get(). Those that are
 * held stay as they are for their holders. Never blocks.
 */
void q2_cache_forget(struct q2_cache *cache, u64 offset, u64 len);

/* See q2_image_cache_stats(), q2_image_shrink(), q2_image_shrinkable(). */
void q2_cache_stats(struct q2_cache *cache, struct q2_cache_stats *stats);
unsigned long q2_cache_shrink(struct q2_cache *cache, unsigned long nr);
unsigned long q2_cache_shrinkable(struct q2_cache *cache);

#endif
