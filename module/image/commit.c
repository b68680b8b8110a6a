// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking metadata to the disk, in order.
 *
 * What a commit writes is what there was when it began, as copies: changes made
 * meanwhile wait for the next one; without memory for copies they wait for this
 * one to end. The order, and what a crash in between leaves:
 *
 *	1. refcounts, and slices of tables that L1 does not name yet
 *	   (clusters with a refcount and no reference: leaks)
 *	   -- flush: guest data and these are durable --
 *	2. slices of tables that L1 names, and L1
 *	   (each word is old or new: a sector is written whole)
 *	   -- flush --
 *	3. clusters that lost their last reference are given back: first to the
 *	   host, then to the allocator
 *	   (refcounts without references until a later commit writes them: leaks)
 *
 * So data and refcounts are durable before a reference to them is on the disk,
 * and NO-REUSE: a reference is off the disk before its cluster is used again.
 *
 * ERROR-STAYS: a flush that failed is the end of writing: the host has forgotten which
 * pages it lost, and its next flush succeeds without them.
 * tests/crash cuts the power at every write.
 */
#include "env.h"
#include "image/internal.h"

/**
 * struct piece - what is written at one place
 * @offset: host offset
 * @data: a copy
 * @slice: what was copied, with a reference: until the piece is on the disk
 *         nobody may read the slice from there again. NULL: a piece of L1.
 */
struct piece {
	u64 offset;
	void *data;
	struct q2_slice *slice;
};

struct batch {
	struct piece *pieces; /* those of step 1, then those of step 2 */
	unsigned int room;    /* that have data */
	unsigned int nr;
	unsigned int nr_refs; /* of step 1 */
	struct list_head freed;
};

void q2_mark_dirty(struct q2_image *img, struct q2_slice *slice, struct list_head *list)
{
	lockdep_assert_held(&img->lock);
	if (!list_empty(&slice->dirty))
		return;
	q2_cache_hold(img->cache, slice);
	list_add_tail(&slice->dirty, list);
	WRITE_ONCE(img->nr_dirty, img->nr_dirty + 1);
}

unsigned int q2_image_dirty(const struct q2_image *img)
{
	return READ_ONCE(img->nr_dirty);
}

bool q2_image_stable(const struct q2_image *img)
{
	return !READ_ONCE(img->unstable);
}

int q2_image_fail(struct q2_image *img, int error, const char *what)
{
	lockdep_assert_held(&img->lock);
	if (READ_ONCE(img->mode) == Q2_MODE_RW) {
		WRITE_ONCE(img->mode, Q2_MODE_RO);
		if (img->hooks && img->hooks->failed)
			img->hooks->failed(img->hooks_arg, what);
	}
	return error;
}

int q2_image_flush(struct q2_image *img)
{
	int ret;

	lockdep_assert_held(&img->lock);
	ret = q2_file_flush(img->file);
	return ret ? q2_image_fail(img, ret, "the file cannot be flushed") : 0;
}

int q2_image_write_failed(struct q2_image *img, int error, const char *what)
{
	if (error == -ENOSPC || error == -ENOMEM)
		return error;
	return q2_image_fail(img, error, what);
}

int q2_image_corrupt(struct q2_image *img, const char *what)
{
	/* The mark is for others: QEMU and we refuse to write such an image. */
	if (READ_ONCE(img->mode) == Q2_MODE_RW && img->hdr.version >= 3) {
		img->hdr.incompatible |= Q2_INCOMPAT_CORRUPT;
		if (!q2_write_header(img, &img->hdr))
			q2_file_flush(img->file);
	}
	return q2_image_fail(img, -EUCLEAN, what);
}

int q2_write_header(struct q2_image *img, const struct q2_header *hdr)
{
	u32 piece = q2_piece(img);
	void *buf = img->scratch;
	int ret;

	/* Read, change, write: unknown fields behind the known ones stay. */
	ret = q2_file_read(img->file, 0, buf, piece);
	if (!ret) {
		q2_header_encode(hdr, buf);
		ret = q2_file_write(img->file, 0, buf, piece);
	}
	return ret;
}

int q2_write_words(struct q2_image *img, u64 offset, const u64 *words, u32 nr)
{
	u32 per_piece = q2_piece(img) / sizeof(u64);
	__be64 *buf = img->scratch;
	u32 i, done;
	int ret = 0;

	for (done = 0; done < nr && !ret; done += per_piece) {
		u32 part = min(nr - done, per_piece);

		memset(buf, 0, q2_piece(img));
		for (i = 0; i < part; i++)
			buf[i] = cpu_to_be64(words[done + i]);
		ret = q2_file_write(img->file, offset + (u64)done * sizeof(u64), buf,
				    q2_piece(img));
	}
	return ret;
}

struct q2_freed *q2_freed_get(struct q2_image *img)
{
	struct q2_freed *freed = kmalloc(sizeof(*freed), Q2_GFP_TRY);

	lockdep_assert_held(&img->lock);
	if (!freed && !list_empty(&img->spare_freed)) {
		freed = list_first_entry(&img->spare_freed, struct q2_freed, list);
		list_del(&freed->list);
		img->nr_spare_freed--;
	}
	return freed;
}

void q2_freed_put(struct q2_image *img, struct q2_freed *freed)
{
	lockdep_assert_held(&img->lock);
	if (freed && img->nr_spare_freed < Q2_RESERVED_FREED) {
		list_add(&freed->list, &img->spare_freed);
		img->nr_spare_freed++;
		freed = NULL;
	}
	kfree(freed);
}

static void batch_free(struct batch *b)
{
	unsigned int i;

	for (i = 0; i < b->room; i++)
		kvfree(b->pieces[i].data);
	kvfree(b->pieces);
}

/* Room for all that is dirty now: what comes after cannot fail half way. */
static int batch_alloc(struct q2_image *img, struct batch *b, unsigned int nr)
{
	b->pieces = kvmalloc_array(max(nr, 1U), sizeof(*b->pieces), Q2_GFP_TRY);
	if (!b->pieces)
		return -ENOMEM;
	for (; b->room < nr; b->room++) {
		b->pieces[b->room].data = kvmalloc(q2_piece(img), Q2_GFP_TRY);
		if (!b->pieces[b->room].data)
			return -ENOMEM;
	}
	return 0;
}

/* Give the slices back, or, if @keep, hold them as dirty ones on. */
static void batch_release(struct q2_image *img, struct batch *b, bool keep)
{
	unsigned int i;

	lockdep_assert_held(&img->lock);
	for (i = 0; i < b->nr; i++) {
		struct q2_slice *slice = b->pieces[i].slice;

		if (!slice)
			continue;
		if (keep)
			q2_mark_dirty(img, slice,
				      i < b->nr_refs ? &img->dirty_refcounts : &img->dirty_l2);
		q2_cache_put(img->cache, slice);
	}
}

/* Copy the slices of a list, and take them off it; the list's reference becomes the piece's. */
static void collect_slices(struct q2_image *img, struct list_head *list, struct batch *b)
{
	struct q2_slice *slice, *next;

	list_for_each_entry_safe(slice, next, list, dirty) {
		struct piece *piece = &b->pieces[b->nr++];

		memcpy(piece->data, slice->data, q2_piece(img));
		piece->offset = slice->offset;
		piece->slice = slice;
		list_del_init(&slice->dirty);
		WRITE_ONCE(img->nr_dirty, img->nr_dirty - 1);
	}
}

/* A piece of L1 as it looks on disk. */
static void encode_l1(const struct q2_image *img, u64 p, __be64 *copy)
{
	u32 per_piece = q2_piece(img) / sizeof(u64);
	u64 first = p * per_piece;
	u32 i;

	memset(copy, 0, q2_piece(img));
	for (i = 0; i < per_piece && first + i < img->hdr.l1_size; i++)
		copy[i] = cpu_to_be64(img->l1[first + i] & ~Q2_L1_FRESH);
}

/* The dirty pieces of L1 are on their way, or on the disk: their tables are not fresh any more. */
static void clean_l1(struct q2_image *img)
{
	u64 per_piece = q2_piece(img) / sizeof(u64);
	u64 pieces = DIV_ROUND_UP_ULL(img->hdr.l1_size, per_piece);
	u64 p, i;

	for (p = 0; img->any_l1_dirty && p < pieces; p++) {
		if (!(img->l1_dirty[p / 64] & BIT_ULL(p % 64)))
			continue;
		for (i = p * per_piece; i < (p + 1) * per_piece && i < img->hdr.l1_size; i++)
			WRITE_ONCE(img->l1[i], img->l1[i] & ~Q2_L1_FRESH);
		img->l1_dirty[p / 64] &= ~BIT_ULL(p % 64);
	}
	img->any_l1_dirty = false;
}

/* Copy the dirty pieces of L1. */
static void collect_l1(struct q2_image *img, struct batch *b)
{
	u64 pieces = DIV_ROUND_UP_ULL((u64)img->hdr.l1_size * sizeof(u64), q2_piece(img));
	u64 p;

	for (p = 0; img->any_l1_dirty && p < pieces; p++) {
		struct piece *piece;

		if (!(img->l1_dirty[p / 64] & BIT_ULL(p % 64)))
			continue;
		piece = &b->pieces[b->nr++];
		piece->offset = img->hdr.l1_offset + p * q2_piece(img);
		piece->slice = NULL;
		encode_l1(img, p, piece->data);
	}
	clean_l1(img);
}

static unsigned int count_l1(const struct q2_image *img)
{
	u64 words = DIV_ROUND_UP_ULL((u64)img->hdr.l1_size * sizeof(u64), q2_piece(img)) / 64 + 1;
	unsigned int n = 0;
	u64 i, bits;

	for (i = 0; img->any_l1_dirty && i < words; i++) {
		for (bits = img->l1_dirty[i]; bits; bits &= bits - 1)
			n++;
	}
	return n;
}

/* Everything dirty becomes a piece. Return: 0; -ENOMEM: nothing has changed. */
static int collect(struct q2_image *img, struct batch *b)
{
	int ret = batch_alloc(img, b, img->nr_dirty + count_l1(img));

	if (ret)
		return ret;
	/* L1 last: until then a table is fresh, and its slices belong to step 1. */
	collect_slices(img, &img->dirty_refcounts, b);
	collect_slices(img, &img->dirty_fresh, b);
	b->nr_refs = b->nr;
	collect_slices(img, &img->dirty_l2, b);
	collect_l1(img, b);
	return 0;
}

static int write_pieces(struct q2_image *img, const struct batch *b, unsigned int from,
			unsigned int to)
{
	int ret = 0;

	for (; from < to && !ret; from++)
		ret = q2_file_write(img->file, b->pieces[from].offset, b->pieces[from].data,
				    q2_piece(img));
	return ret;
}

void q2_add_freed(struct q2_image *img, struct q2_freed *freed)
{
	struct q2_freed *last;

	lockdep_assert_held(&img->lock);
	WRITE_ONCE(img->nr_freed, img->nr_freed + freed->clusters);
	/* One record for what lies side by side: one hole to punch. */
	if (!list_empty(&img->freed)) {
		last = list_last_entry(&img->freed, struct q2_freed, list);
		if (last->host + (last->clusters << img->geo.cluster_bits) == freed->host) {
			last->clusters += freed->clusters;
			q2_freed_put(img, freed);
			return;
		}
	}
	list_add_tail(&freed->list, &img->freed);
}

/* Clusters at the start of @freed that nobody else refers to. */
static u64 last_run(struct q2_image *img, const struct q2_freed *freed)
{
	u64 run = 0;

	mutex_lock(&img->lock);
	while (run < freed->clusters &&
	       q2_space_is_last(img, freed->host + (run << img->geo.cluster_bits)))
		run++;
	mutex_unlock(&img->lock);
	return run;
}

/* Step 3 for one record. After an error what is left of it is in it. */
static int give_back_one(struct q2_image *img, struct q2_freed *freed)
{
	u64 size = img->geo.cluster_size;
	int ret = 0;

	while (freed->clusters && !ret) {
		u64 run = last_run(img, freed);

		/*
		 * A run that nobody refers to is punched before the allocator may
		 * hand it out again: a hole that came later would eat new data. A
		 * cluster that others refer to keeps its data.
		 */
		if (run && img->file->ops->discard)
			img->file->ops->discard(img->file, freed->host, run * size);
		run = max(run, 1ULL);
		mutex_lock(&img->lock);
		for (; run && !ret; run--) {
			ret = q2_space_put(img, freed->host, 1);
			if (ret)
				break;
			freed->host += size;
			freed->clusters--;
			WRITE_ONCE(img->nr_freed, img->nr_freed - 1);
		}
		mutex_unlock(&img->lock);
	}
	return ret;
}

/* Step 3. What cannot be given back now is tried again by the next commit. */
static void give_back(struct q2_image *img, struct list_head *list)
{
	struct q2_freed *freed, *next;

	if (list_empty(list))
		return;
	/* NO-REUSE: guest I/O that found these before they were freed has ended after this. */
	if (img->hooks && img->hooks->quiesce)
		img->hooks->quiesce(img->hooks_arg);
	list_for_each_entry_safe(freed, next, list, list) {
		int ret = give_back_one(img, freed);

		mutex_lock(&img->lock);
		list_del(&freed->list);
		if (ret)
			list_add_tail(&freed->list, &img->freed);
		else
			q2_freed_put(img, freed);
		mutex_unlock(&img->lock);
	}
}

int q2_write_slices(struct q2_image *img, struct list_head *list)
{
	struct q2_slice *slice;
	int ret = 0;

	list_for_each_entry(slice, list, dirty) {
		ret = q2_file_write(img->file, slice->offset, slice->data, q2_piece(img));
		if (ret)
			break;
	}
	return ret;
}

void q2_clean_slices(struct q2_image *img, struct list_head *list)
{
	struct q2_slice *slice, *next;

	list_for_each_entry_safe(slice, next, list, dirty) {
		list_del_init(&slice->dirty);
		WRITE_ONCE(img->nr_dirty, img->nr_dirty - 1);
		q2_cache_put(img->cache, slice);
	}
}

/* Write the dirty pieces of L1, by the scratch buffer. */
static int write_l1(struct q2_image *img)
{
	u32 per_piece = q2_piece(img) / sizeof(u64);
	u64 pieces = DIV_ROUND_UP_ULL(img->hdr.l1_size, per_piece);
	int ret = 0;
	u64 p;

	for (p = 0; img->any_l1_dirty && p < pieces && !ret; p++) {
		if (!(img->l1_dirty[p / 64] & BIT_ULL(p % 64)))
			continue;
		encode_l1(img, p, img->scratch);
		ret = q2_file_write(img->file, img->hdr.l1_offset + p * q2_piece(img), img->scratch,
				    q2_piece(img));
	}
	return ret;
}

/*
 * Steps 1 and 2 without memory for copies: nothing can change meanwhile, for the
 * lock is held throughout. The same order as that of write_batch().
 */
static int write_held(struct q2_image *img)
{
	int ret;

	lockdep_assert_held(&img->lock);
	ret = q2_write_slices(img, &img->dirty_refcounts);
	if (!ret)
		ret = q2_write_slices(img, &img->dirty_fresh);
	if (!ret)
		ret = q2_file_flush(img->file);
	if (!ret)
		ret = q2_write_slices(img, &img->dirty_l2);
	if (!ret)
		ret = write_l1(img);
	if (!ret)
		ret = q2_file_flush(img->file);
	if (ret)
		return ret;
	q2_clean_slices(img, &img->dirty_refcounts);
	q2_clean_slices(img, &img->dirty_fresh);
	q2_clean_slices(img, &img->dirty_l2);
	clean_l1(img);
	return 0;
}

/* Steps 1 and 2 from copies. */
static int write_batch(struct q2_image *img, const struct batch *b)
{
	int ret = write_pieces(img, b, 0, b->nr_refs);

	if (!ret)
		ret = q2_file_flush(img->file);
	if (!ret)
		ret = write_pieces(img, b, b->nr_refs, b->nr);
	if (!ret)
		ret = q2_file_flush(img->file);
	return ret;
}

/* Nothing is left for a later commit but refcounts that went down. */
static bool is_settled(struct q2_image *img)
{
	lockdep_assert_held(&img->lock);
	return list_empty(&img->dirty_l2) && list_empty(&img->dirty_fresh) && !img->any_l1_dirty &&
	       list_empty(&img->freed);
}

static int commit(struct q2_image *img)
{
	struct batch b = {};
	int ret;

	INIT_LIST_HEAD(&b.freed);
	mutex_lock(&img->lock);
	if (img->mode != Q2_MODE_RW) {
		mutex_unlock(&img->lock);
		/* Data written in place before are still to be made durable. */
		ret = q2_file_flush(img->file);
		return ret ? ret : img->commit_result ? img->commit_result : -EROFS;
	}
	if (is_settled(img)) {
		/* Refcounts that went down can wait: nothing refers to those clusters. */
		mutex_unlock(&img->lock);
		ret = q2_file_flush(img->file);
		if (ret) {
			mutex_lock(&img->lock);
			q2_image_fail(img, ret, "the file cannot be flushed");
			mutex_unlock(&img->lock);
		}
		return ret;
	}
	list_splice_init(&img->freed, &b.freed);
	if (collect(img, &b)) {
		ret = write_held(img);
	} else {
		mutex_unlock(&img->lock);
		ret = write_batch(img, &b);
		mutex_lock(&img->lock);
		/* What has not been written is known here alone, and must go on being read. */
		batch_release(img, &b, ret);
	}
	if (ret)
		q2_image_fail(img, ret, "metadata cannot be written");
	mutex_unlock(&img->lock);
	if (ret) {
		struct q2_freed *freed, *next;

		/* Never given back: the disk may still refer to them. */
		list_for_each_entry_safe(freed, next, &b.freed, list)
			kfree(freed);
	} else {
		/* Stable again, if nothing has changed since this commit began. */
		mutex_lock(&img->lock);
		if (list_empty(&img->dirty_l2) && list_empty(&img->dirty_fresh) &&
		    !img->any_l1_dirty)
			WRITE_ONCE(img->unstable, false);
		mutex_unlock(&img->lock);
		give_back(img, &b.freed);
	}
	batch_free(&b);
	return ret;
}

int q2_image_commit(struct q2_image *img)
{
	u64 asked, covers;
	int ret;

	if (!img->writable)
		return 0;
	mutex_lock(&img->lock);
	asked = ++img->commit_asked;
	mutex_unlock(&img->lock);
	mutex_lock(&img->committing);
	if (img->commit_done < asked) {
		/* FLUSH-COVERS: everyone who asks before this one begins is served by it. */
		mutex_lock(&img->lock);
		covers = img->commit_asked;
		mutex_unlock(&img->lock);
		img->commit_result = commit(img);
		img->commit_done = covers;
	}
	ret = img->commit_result;
	mutex_unlock(&img->committing);
	return ret;
}

int q2_image_hold(struct q2_image *img)
{
	/* What could not be freed is tried again; for how long is up to the caller. */
	unsigned int tries = 3;
	int ret;

	if (!img->writable)
		return -EROFS;
	mutex_lock(&img->committing);
	do {
		ret = commit(img);
		mutex_lock(&img->lock);
		if (!ret && img->mode != Q2_MODE_RW)
			ret = -EROFS;
		if (!ret && is_settled(img)) {
			if (!list_empty(&img->dirty_refcounts))
				ret = write_held(img);
			if (!ret)
				return 0;
			q2_image_fail(img, ret, "metadata cannot be written");
		}
		mutex_unlock(&img->lock);
	} while (!ret && --tries);
	mutex_unlock(&img->committing);
	return ret ? ret : -ENOMEM;
}

void q2_image_release(struct q2_image *img)
{
	mutex_unlock(&img->lock);
	mutex_unlock(&img->committing);
}

void q2_image_commit_all(struct q2_image *img)
{
	int ret;

	/* The first writes references, then frees what lost them; that is written by itself. */
	ret = q2_image_commit(img);
	/* Not beside a commit: its copies of refcounts may be older, and be written last. */
	mutex_lock(&img->committing);
	mutex_lock(&img->lock);
	if (!ret && img->mode == Q2_MODE_RW && !list_empty(&img->dirty_refcounts)) {
		ret = write_held(img);
		if (ret)
			q2_image_fail(img, ret, "metadata cannot be written");
	}
	mutex_unlock(&img->lock);
	mutex_unlock(&img->committing);
}
