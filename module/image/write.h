/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing an image: what a guest write, discard, zero and flush do to metadata.
 *
 * Guest data pass elsewhere: a writer asks q2_write_begin() where to put them,
 * puts them there, and says so with q2_write_end(), which is what makes them
 * visible. Metadata change in memory; q2_image_commit() takes them to the disk.
 *
 * The caller sees to it that of requests that touch the same guest clusters
 * only one at a time is between begin and end, in discard or in zero. Writes
 * in place to Q2_DATA with copied set need no such care and do not come here.
 * All calls block.
 */
#ifndef Q2_IMAGE_WRITE_H
#define Q2_IMAGE_WRITE_H

#include "image/image.h"

/* What may still be done with an image; it only ever gets less. */
enum q2_mode {
	Q2_MODE_RW,
	Q2_MODE_RO, /* metadata could not be written or are broken */
};

/**
 * struct q2_image_hooks - what the image asks of whoever does its I/O
 * @quiesce: returns when all guest I/O that is in flight now has ended, so that
 *           clusters freed before may be given away (NO-REUSE). Blocks. NULL: there
 *           is none.
 * @mapped: guest bytes lie at a host offset of the image now, side by side, and
 *          may be written there. Under the image's lock, with the table entry
 *          changed and before any commit can give back what it referred to
 *          before: whoever remembers answers of the image takes the new one (MAP-FOLLOWS).
 *          Does not block. NULL: nobody remembers.
 * @forget: as @mapped, but the new answer is to be asked for
 * @failed: the image has become read-only; called once, under the image's lock
 */
struct q2_image_hooks {
	void (*quiesce)(void *arg);
	void (*mapped)(void *arg, u64 guest, u64 len, u64 host);
	void (*forget)(void *arg, u64 guest, u64 len);
	void (*failed)(void *arg, const char *what);
};

/**
 * q2_image_make_writable() - allow changes
 * @img: image; nobody calls this twice at a time. Others may be looking up. One that
 *       is writable already stays as it is
 * @hooks: may be NULL
 * @arg: for the hooks
 * @err: reason of a refusal
 *
 * Refuses dirty and corrupt images. Clears the autoclear bits (spec: all that
 * are unknown, and those of what is not maintained: bitmaps), durably. Blocks.
 *
 * Return: 0, -EUCLEAN needs a repair, -EROFS the file cannot be written, -errno.
 */
int q2_image_make_writable(struct q2_image *img, const struct q2_image_hooks *hooks, void *arg,
			   struct q2_err *err);

/*
 * Are host bytes free of metadata, whatever a table entry says? A writer asks
 * before it writes in place (QEMU, qcow2_pre_write_overlap_check). Never blocks.
 */
bool q2_image_may_overwrite(struct q2_image *img, u64 host, u64 len);

/*
 * Bytes of the file up to which it is, or was, in use. What is beyond has never
 * been written since the image was opened. Never blocks.
 */
u64 q2_image_end(const struct q2_image *img);

/* May it be written? See &enum q2_mode. */
enum q2_mode q2_image_mode(const struct q2_image *img);

/**
 * struct q2_write - a guest write on its way
 * @guest: first byte of it
 * @len: bytes of it that this step covers
 * @host: host offset for the byte @guest; what is side by side in the guest from
 *        @fill_start to @fill_end is so in the host
 * @fill_start: everything from here ...
 * @fill_end: ... to here must be on the host before q2_write_end(): besides the
 *            written bytes, what the device reads there now. Nothing beyond the
 *            end of the disk is read: zeroes fill it.
 * @untouched: the host clusters read zeroes: zeroes need not be written there
 *
 * The rest is write.c's.
 */
struct q2_write {
	u64 guest;
	u64 len;
	u64 host;
	u64 fill_start;
	u64 fill_end;
	bool untouched;
	u64 first; /* guest offset of the first cluster */
	u64 clusters;
	u64 host_cluster; /* of the first cluster */
	bool fresh;	  /* host clusters are new */
	struct q2_slice *slice;
	struct list_head freed; /* records, one for each cluster that loses a reference */
};

/**
 * q2_write_begin() - find a place for guest bytes
 * @img: image
 * @guest: first byte
 * @len: bytes, at least 1, inside the disk
 * @w: result
 *
 * Covers what one run of clusters can hold, 1 MiB or a cluster at most, so the
 * caller loops until all of the request has been written.
 *
 * Return: 0; -EROFS the image is read-only by now; -ENOSPC; -EUCLEAN; -errno; -ENOMEM:
 * others hold the reserves, there will be some when they are done.
 */
int q2_write_begin(struct q2_image *img, u64 guest, u64 len, struct q2_write *w);

/**
 * q2_write_end() - the data are on the host, or will never be
 * @img: image
 * @w: from q2_write_begin()
 * @done: everything from fill_start to fill_end has been written (not: is durable)
 *
 * DATA-BEFORE-LINK: lookups find it from now on.
 */
void q2_write_end(struct q2_image *img, struct q2_write *w, bool done);

/**
 * q2_image_discard() - forget guest bytes
 * @img: image
 * @guest: first byte
 * @len: bytes
 *
 * Whole clusters are freed and read zeroes afterwards; what is no whole cluster
 * stays as it is, and so does what the image does not hold itself. Version 2
 * cannot say "zero", so there an image with a backing file keeps its clusters.
 * Their room is given back to the host after the next commit.
 *
 * Return: 0, or as q2_write_begin().
 */
int q2_image_discard(struct q2_image *img, u64 guest, u64 len);

/**
 * q2_image_unallocate() - hold nothing for guest bytes any more
 * @img: image
 * @guest: first byte, of a cluster
 * @len: bytes, whole clusters, or up to the end of the disk
 *
 * What a backing file has there shows afterwards; so that nothing is lost in a power
 * cut, what the image held is durable there before. Otherwise as q2_image_discard().
 */
int q2_image_unallocate(struct q2_image *img, u64 guest, u64 len);

/**
 * q2_image_zero() - make guest bytes read zeroes
 * @img: image
 * @guest: first byte, a multiple of the subcluster size
 * @len: bytes, likewise, or up to the end of the disk
 * @unmap: host clusters may be freed
 * @done: result: bytes done
 *
 * Return: 0; -EOPNOTSUPP: the next bytes, at least one subcluster, must be
 * written as zeroes; or as q2_write_begin().
 */
int q2_image_zero(struct q2_image *img, u64 guest, u64 len, bool unmap, u64 *done);

/**
 * q2_image_commit() - make everything that has ended durable
 * @img: image
 *
 * One flush of the file if there is no new allocation, two if there is. Calls
 * that come while one runs share the next.
 *
 * Return: 0 or -errno; after an error that left metadata unwritten the image is
 * read-only and what was durable before still is.
 */
int q2_image_commit(struct q2_image *img);

/*
 * Make everything durable and the file complete, with the refcounts that a commit
 * leaves for the next: nothing is written afterwards until something changes again.
 * A failure is kept in q2_image_mode(). Blocks.
 */
void q2_image_commit_all(struct q2_image *img);

/* Slices of metadata that wait for a commit. */
unsigned int q2_image_dirty(const struct q2_image *img);

/*
 * Is every mapping that a lookup can find durable? If so, a durable write in
 * place is durable for good. Never blocks.
 */
bool q2_image_stable(const struct q2_image *img);

#endif
