/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of struct q2_image, for the files of this folder alone.
 *
 * Who writes metadata, and in which order (spec, and QEMU's block/qcow2-cache.c):
 *
 *	table.c	  L1 and L2 words change in memory; L2 tables are made
 *	space.c	  refcounts change in memory; refcount blocks and tables are made
 *	write.c	  what a guest write, discard or zero request changes
 *	commit.c  takes what has changed to the disk, ordered
 *	turn.c	  makes all tables others at once, on shadow.c's refcounts
 *
 * Lock order: committing (held over I/O) -> lock (held over metadata I/O) ->
 * words, and the cache's lock (leaf locks).
 */
#ifndef Q2_IMAGE_INTERNAL_H
#define Q2_IMAGE_INTERNAL_H

#include "format/overlap.h"
#include "image/cache.h"
#include "image/image.h"
#include "image/owned.h"
#include "image/write.h"

/*
 * In memory alone: no commit has named this L2 table on the disk yet, so its
 * slices may be written in any order. The bit is reserved on disk, and masked
 * away when the word is written.
 */
#define Q2_L1_FRESH BIT_ULL(0)

/*
 * More dirty slices than this, or more clusters (or bytes of them) that wait for
 * a commit to be free, and the next writer commits first.
 */
#define Q2_MAX_DIRTY 256
#define Q2_MAX_FREED 4096
#define Q2_MAX_FREED_BYTES (256ULL << 20)

/*
 * What a request needs at most to get on without memory: slices for an L2 table,
 * refcounts and what a commit looks at; records of what it frees.
 */
#define Q2_RESERVED_SLICES 4
#define Q2_RESERVED_FREED 2

/* Clusters that lost a reference; the disk may still show it. */
struct q2_freed {
	struct list_head list;
	u64 host; /* of the first cluster */
	u64 clusters;
};

struct q2_image {
	struct q2_file *file;
	struct q2_header hdr; /* changed under lock and words */
	struct q2_geometry geo;
	u64 *l1; /* host byte order, hdr.l1_size entries; changed under words */
	struct q2_cache *cache;

	/* What follows is used once q2_image_make_writable() has been called. */
	bool writable;	     /* set once, when all of it is ready */
	bool awaits_backing; /* q2_image_await_backing(); set while nobody else is there */
	int mode;	     /* enum q2_mode; degrades under lock, read anywhere */
	const struct q2_image_hooks *hooks;
	void *hooks_arg;
	struct mutex lock;		  /* all that changes metadata */
	spinlock_t words;		  /* L1 words and L2 slices, against lookups */
	struct list_head dirty_refcounts; /* slices, each with a reference; protected by lock */
	struct list_head dirty_fresh;	  /* of L2 tables with Q2_L1_FRESH */
	struct list_head dirty_l2;
	struct list_head freed;	      /* struct q2_freed; protected by lock */
	u64 nr_freed;		      /* clusters that are not given back yet; changed under lock */
	struct list_head spare_freed; /* records kept for when there is no memory; under lock */
	unsigned int nr_spare_freed;  /* protected by lock */
	unsigned int nr_dirty;	      /* slices on the three lists */
	bool unstable; /* L2 or L1 words that no commit has made durable: q2_image_stable() */
	u64 *l1_dirty; /* a bit for each slice-sized piece of L1; protected by lock */
	bool any_l1_dirty;
	u64 *reftable; /* host byte order; protected by lock */
	u32 reftable_entries;
	u64 free_hint; /* cluster to look at first; protected by lock */
	u64 end;       /* from this cluster on nobody has written yet; changed under lock */
	void *scratch; /* a cluster: what is written to the file at once; protected by lock */
	u64 snapshots_bytes;
	struct q2_owned owned; /* clusters of L2 tables and refcount blocks; changed under lock */
	struct mutex committing;
	u64 commit_asked;  /* protected by lock */
	u64 commit_done;   /* protected by committing */
	int commit_result; /* protected by committing */
};

/* Bytes of a slice: the unit in which metadata is read and written. */
static inline u32 q2_piece(const struct q2_image *img)
{
	return q2_cache_slice_bytes(img->cache);
}

/* Does what the image does not hold come from a backing file, or will it? */
static inline bool q2_has_below(const struct q2_image *img)
{
	return img->hdr.has_backing || img->awaits_backing;
}

static inline u64 q2_clusters(const struct q2_image *img, u64 bytes)
{
	return (bytes + img->geo.cluster_size - 1) >> img->geo.cluster_bits;
}

/*
 * space.c
 */

/* Read the refcount table. Return: 0 or -errno. */
int q2_space_open(struct q2_image *img, struct q2_err *err);

/*
 * Take up to @want free clusters that lie side by side; their refcount becomes
 * 1. @untouched: they read zeroes, nobody has ever written there.
 * Return: 0; -ENOSPC; -EUCLEAN they are metadata, the image is marked corrupt.
 */
int q2_space_alloc(struct q2_image *img, u64 want, u64 *host, u64 *got, bool *untouched);

/* Is there only one reference to the cluster? Also false when nobody can tell. */
bool q2_space_is_last(struct q2_image *img, u64 host);

/* Are the clusters none of the tables, the header included? Without lock. Return: 0 or -EUCLEAN. */
int q2_space_check(struct q2_image *img, u64 host, u64 clusters);

/*
 * The slice with the refcount of @cluster by a refcount table of @entries words;
 * NULL: no block covers it. To be given back with q2_cache_put().
 */
struct q2_slice *q2_space_slice(struct q2_image *img, const u64 *reftable, u64 entries,
				u64 cluster);

/* Clusters that the file can hold. */
u64 q2_space_max(const struct q2_image *img);

/* Clusters are about to be written to. Return: they read zeroes so far. */
bool q2_space_touch(struct q2_image *img, u64 cluster, u64 nr);

/* Drop one reference of each cluster. Nothing on the disk refers to it any more. */
int q2_space_put(struct q2_image *img, u64 host, u64 clusters);

/*
 * table.c
 */

/*
 * The slice with the L2 entry for @guest, in a table that may be written: made
 * or copied if need be. To be given back with q2_cache_put().
 */
struct q2_slice *q2_table_get(struct q2_image *img, u64 guest);

/* The slice has been changed: remember to write it. */
void q2_table_dirty(struct q2_image *img, struct q2_slice *slice, u64 guest);

/* Words of the entry for @guest in its slice. */
void q2_table_read(struct q2_image *img, const struct q2_slice *slice, u64 guest, u64 *word,
		   u64 *bitmap);
void q2_table_write(struct q2_image *img, struct q2_slice *slice, u64 guest, u64 word, u64 bitmap);

/*
 * commit.c
 */

/* A slice is dirty: put it on @list, with a reference, unless it is on one. */
void q2_mark_dirty(struct q2_image *img, struct q2_slice *slice, struct list_head *list);

/* Remember @freed, whose clusters lost a reference that the disk may still show. */
void q2_add_freed(struct q2_image *img, struct q2_freed *freed);

/* A record, or NULL: a commit may give one back. */
struct q2_freed *q2_freed_get(struct q2_image *img);

/* It is not needed any more. NULL is none. */
void q2_freed_put(struct q2_image *img, struct q2_freed *freed);

/*
 * Take the image alone: what has ended is durable, nothing is dirty or waits to be
 * freed, and both locks are held until q2_image_release(). No guest request is
 * between begin and end. Return: 0; -EROFS; -errno, and nothing is held.
 */
int q2_image_hold(struct q2_image *img);
void q2_image_release(struct q2_image *img);

/* Write the slices of a list as they are, and leave them on it. */
int q2_write_slices(struct q2_image *img, struct list_head *list);

/* Nothing on a list is dirty any more. */
void q2_clean_slices(struct q2_image *img, struct list_head *list);

/* Write the header again, as @hdr has it; not durable by itself. */
int q2_write_header(struct q2_image *img, const struct q2_header *hdr);

/* Write @bytes of words as big-endian at @offset, a piece at a time. */
int q2_write_words(struct q2_image *img, u64 offset, const u64 *words, u32 nr);

/* Metadata cannot be written, or is broken: no more writing. Returns @error. */
int q2_image_fail(struct q2_image *img, int error, const char *what);

/* Flush the file. A failure makes the image read-only: what was lost stays lost. */
int q2_image_flush(struct q2_image *img);

/*
 * Writing new metadata that nothing refers to yet has failed. For want of room or
 * memory only the request fails, otherwise as q2_image_fail(). Returns @error.
 */
int q2_image_write_failed(struct q2_image *img, int error, const char *what);

/* Broken metadata was found while writing: as above, and the header says so. */
int q2_image_corrupt(struct q2_image *img, const char *what);

#endif
