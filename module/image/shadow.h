/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The refcounts of an image as they will be: a second refcount table beside the
 * first, with new blocks for those counts that change.
 *
 * Does: change any number of refcounts, and hand out clusters, without touching
 * one that is valid now. All of it becomes valid, or none, by the one write of
 * the header that names the new table. Does not: write the header, or know what
 * the clusters are for.
 *
 * Until that write everything lies in clusters that are free by the old table:
 * whatever goes wrong before, a power cut included, there is nothing to undo.
 *
 * The caller has q2_image_hold() all along: nobody else counts.
 */
#ifndef Q2_IMAGE_SHADOW_H
#define Q2_IMAGE_SHADOW_H

#include "image/internal.h"

/**
 * struct q2_shadow - refcounts to come
 * @img: image
 * @reftable: the new table's words, host byte order
 * @done: a bit for each entry: its old and new block are counted
 * @entries: of both
 * @offset: host offset of the new table, once q2_shadow_seal() has succeeded; that
 *          of the old one if no count has changed
 * @clusters: of it
 * @changed: a count has
 * @cursor: cluster to look at next for a free one: none is looked at twice
 * @start: where that began
 * @wrapped: it has gone on at the start of the file
 * @dirty: changed slices of new blocks
 * @slice: where the last count was, or NULL
 * @slice_at: cluster whose count is the first in it
 * @block: a cluster's bytes
 * @freed: struct q2_freed, clusters whose last reference has gone; as far as there
 *         was memory
 */
struct q2_shadow {
	struct q2_image *img;
	u64 *reftable;
	u64 *done;
	u64 entries;
	u64 offset;
	u32 clusters;
	bool changed;
	u64 cursor;
	u64 start;
	bool wrapped;
	struct list_head dirty;
	struct q2_slice *slice;
	u64 slice_at;
	void *block;
	struct list_head freed;
};

/* Begin: as the counts are now. Return: 0 or -ENOMEM. */
int q2_shadow_init(struct q2_shadow *sh, struct q2_image *img);

/* Forget everything that is not the image's by now. */
void q2_shadow_destroy(struct q2_shadow *sh);

/* The count to come. Return: 0; -EUCLEAN nothing counts it; -errno. */
int q2_shadow_get(struct q2_shadow *sh, u64 cluster, u64 *count);

/*
 * One reference more, or one less, to a cluster in use. Return: 0; -ERANGE the
 * refcount is too narrow; -EUCLEAN it is not in use; -ENOSPC; -errno.
 */
int q2_shadow_ref(struct q2_shadow *sh, u64 cluster);
int q2_shadow_unref(struct q2_shadow *sh, u64 cluster);

/*
 * Clusters side by side, each with one reference, that are free by the old table,
 * too. Return: 0; -ENOSPC; -EUCLEAN they are metadata, the image is marked corrupt.
 */
int q2_shadow_alloc(struct q2_shadow *sh, u64 clusters, u64 *host);

/*
 * Count what the new table and its blocks take, and the old ones no more, and
 * write it all. No count changes afterwards. Not durable yet.
 */
int q2_shadow_seal(struct q2_shadow *sh);

/* The header names the new table: it is the image's. */
void q2_shadow_adopt(struct q2_shadow *sh);

/* It is so durably: give the room of what has been freed back to the host. */
void q2_shadow_discard(struct q2_shadow *sh);

#endif
