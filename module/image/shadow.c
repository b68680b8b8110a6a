// SPDX-License-Identifier: GPL-2.0-only
/* The refcounts of an image as they will be. */
#include "env.h"
#include "format/refcount.h"
#include "image/shadow.h"

static u64 per_slice(const struct q2_shadow *sh)
{
	return (u64)q2_piece(sh->img) * 8 >> sh->img->geo.refcount_order;
}

static u64 old_word(const struct q2_shadow *sh, u64 entry)
{
	return entry < sh->img->reftable_entries ? sh->img->reftable[entry] : 0;
}

static bool is_new(const struct q2_shadow *sh, u64 entry)
{
	return entry < sh->entries && sh->reftable[entry] != old_word(sh, entry);
}

int q2_shadow_init(struct q2_shadow *sh, struct q2_image *img)
{
	size_t bytes = (size_t)img->reftable_entries * sizeof(u64);

	lockdep_assert_held(&img->lock);
	memset(sh, 0, sizeof(*sh));
	sh->img = img;
	sh->entries = img->reftable_entries;
	sh->offset = img->hdr.refcount_table_offset;
	sh->clusters = img->hdr.refcount_table_clusters;
	sh->start = sh->cursor = max(img->free_hint, 1ULL);
	INIT_LIST_HEAD(&sh->dirty);
	INIT_LIST_HEAD(&sh->freed);
	sh->reftable = kvmalloc(bytes, GFP_NOIO);
	sh->done = kvcalloc(sh->entries / 64 + 1, sizeof(u64), GFP_NOIO);
	sh->block = kvmalloc(img->geo.cluster_size, GFP_NOIO);
	if (!sh->reftable || !sh->done || !sh->block) {
		q2_shadow_destroy(sh);
		return -ENOMEM;
	}
	memcpy(sh->reftable, img->reftable, bytes);
	return 0;
}

static void put_slice(struct q2_shadow *sh)
{
	if (sh->slice)
		q2_cache_put(sh->img->cache, sh->slice);
	sh->slice = NULL;
}

void q2_shadow_destroy(struct q2_shadow *sh)
{
	struct q2_image *img = sh->img;
	struct q2_freed *freed, *next;
	u64 i;

	put_slice(sh);
	q2_clean_slices(img, &sh->dirty);
	/* What has been changed in memory alone must not be found there. */
	for (i = 0; sh->reftable && sh->reftable != img->reftable && i < sh->entries; i++) {
		if (is_new(sh, i))
			q2_cache_forget(img->cache, sh->reftable[i], img->geo.cluster_size);
	}
	list_for_each_entry_safe(freed, next, &sh->freed, list)
		kfree(freed);
	if (sh->reftable != img->reftable)
		kvfree(sh->reftable);
	kvfree(sh->done);
	kvfree(sh->block);
	sh->reftable = NULL;
	sh->done = NULL;
	sh->block = NULL;
}

/* The slice with the count to come of @cluster; NULL: there is none. */
static int load(struct q2_shadow *sh, u64 cluster)
{
	u64 first = round_down(cluster, per_slice(sh));
	struct q2_slice *slice;

	if (sh->slice && sh->slice_at == first)
		return 0;
	put_slice(sh);
	slice = q2_space_slice(sh->img, sh->reftable, sh->entries, cluster);
	if (IS_ERR(slice))
		return PTR_ERR(slice);
	sh->slice = slice;
	sh->slice_at = first;
	return 0;
}

int q2_shadow_get(struct q2_shadow *sh, u64 cluster, u64 *count)
{
	int ret = load(sh, cluster);

	if (ret)
		return ret;
	if (!sh->slice)
		return -EUCLEAN;
	*count = q2_refcount_get(&sh->img->geo, sh->slice->data, cluster - sh->slice_at);
	return 0;
}

/* Is @cluster free by both tables? Return: 1, 0, -errno. */
static int is_free(struct q2_shadow *sh, u64 cluster)
{
	struct q2_image *img = sh->img;
	u64 count = 0;
	int ret;

	ret = q2_shadow_get(sh, cluster, &count);
	if (ret && ret != -EUCLEAN)
		return ret;
	if (!count && is_new(sh, cluster >> img->geo.refblock_bits)) {
		struct q2_slice *slice =
			q2_space_slice(img, img->reftable, img->reftable_entries, cluster);

		if (IS_ERR(slice))
			return PTR_ERR(slice);
		if (slice) {
			count = q2_refcount_get(&img->geo, slice->data,
						cluster & (per_slice(sh) - 1));
			q2_cache_put(img->cache, slice);
		}
	}
	return !count;
}

/* A free run, which nobody will be given again; not counted yet. */
static int take_run(struct q2_shadow *sh, u64 clusters, u64 *first)
{
	struct q2_image *img = sh->img;
	u64 run = 0;
	int ret;

	while (run < clusters) {
		if (sh->cursor >= q2_space_max(img)) {
			if (sh->wrapped)
				return -ENOSPC;
			sh->wrapped = true;
			sh->cursor = 1;
			run = 0;
		}
		if (sh->wrapped && sh->cursor >= sh->start)
			return -ENOSPC;
		ret = is_free(sh, sh->cursor);
		if (ret < 0)
			return ret;
		sh->cursor++;
		run = ret ? run + 1 : 0;
		if (!(sh->cursor & 4095))
			cond_resched();
	}
	*first = sh->cursor - clusters;
	q2_space_touch(img, *first, clusters);
	q2_cache_forget(img->cache, *first << img->geo.cluster_bits,
			clusters << img->geo.cluster_bits);
	if (q2_space_check(img, *first << img->geo.cluster_bits, clusters))
		return q2_image_corrupt(img, "a refcount says that metadata are free");
	return 0;
}

/* Room for entry @entry in the table to come. */
static int widen(struct q2_shadow *sh, u64 entry)
{
	u64 per_cluster = sh->img->geo.cluster_size / sizeof(u64);
	u64 want = round_up(entry + entry / 2 + 2, per_cluster);
	u64 *table, *done;

	want = min(want, Q2_MAX_REFTABLE_BYTES / sizeof(u64));
	if (entry >= want)
		return -ENOSPC;
	table = kvcalloc(want, sizeof(u64), GFP_NOIO);
	done = kvcalloc(want / 64 + 1, sizeof(u64), GFP_NOIO);
	if (!table || !done) {
		kvfree(table);
		kvfree(done);
		return -ENOMEM;
	}
	memcpy(table, sh->reftable, sh->entries * sizeof(u64));
	memcpy(done, sh->done, (sh->entries / 64 + 1) * sizeof(u64));
	kvfree(sh->reftable);
	kvfree(sh->done);
	sh->reftable = table;
	sh->done = done;
	sh->entries = want;
	return 0;
}

/* The block of @cluster may be written to: it is a copy at a new place. */
static int renew_block(struct q2_shadow *sh, u64 cluster)
{
	struct q2_image *img = sh->img;
	u64 entry = cluster >> img->geo.refblock_bits;
	u32 size = img->geo.cluster_size;
	u64 place;
	int ret = 0;

	if (entry >= sh->entries)
		ret = widen(sh, entry);
	if (ret || is_new(sh, entry))
		return ret;
	ret = take_run(sh, 1, &place);
	if (ret)
		return ret;
	place <<= img->geo.cluster_bits;
	put_slice(sh);
	if (sh->reftable[entry])
		ret = q2_file_read(img->file, sh->reftable[entry] & Q2_REFTABLE_OFFSET_MASK,
				   sh->block, size);
	else
		memset(sh->block, 0, size);
	if (ret)
		return ret;
	ret = q2_file_write(img->file, place, sh->block, size);
	if (ret)
		return q2_image_write_failed(img, ret, "a refcount block cannot be written");
	sh->reftable[entry] = place;
	sh->changed = true;
	return 0;
}

/* Dirty slices are bounded; of what nobody refers to any order will do. */
static int write_dirty(struct q2_shadow *sh)
{
	int ret = q2_write_slices(sh->img, &sh->dirty);

	if (ret)
		return q2_image_write_failed(sh->img, ret, "refcounts cannot be written");
	q2_clean_slices(sh->img, &sh->dirty);
	return 0;
}

static int set(struct q2_shadow *sh, u64 cluster, u64 count)
{
	int ret = renew_block(sh, cluster);

	if (!ret)
		ret = load(sh, cluster);
	if (ret)
		return ret;
	q2_refcount_set(&sh->img->geo, sh->slice->data, cluster - sh->slice_at, count);
	q2_mark_dirty(sh->img, sh->slice, &sh->dirty);
	return q2_image_dirty(sh->img) > Q2_MAX_DIRTY ? write_dirty(sh) : 0;
}

int q2_shadow_ref(struct q2_shadow *sh, u64 cluster)
{
	u64 count = 0;
	int ret = q2_shadow_get(sh, cluster, &count);

	if (!ret && !count)
		ret = -EUCLEAN;
	if (!ret && count == q2_refcount_max(&sh->img->geo))
		ret = -ERANGE;
	return ret ? ret : set(sh, cluster, count + 1);
}

/* Remember it for q2_shadow_discard(), if that is possible. */
static void note_freed(struct q2_shadow *sh, u64 host)
{
	struct q2_freed *freed;

	if (!list_empty(&sh->freed)) {
		freed = list_last_entry(&sh->freed, struct q2_freed, list);
		if (freed->host + (freed->clusters << sh->img->geo.cluster_bits) == host) {
			freed->clusters++;
			return;
		}
	}
	freed = kmalloc(sizeof(*freed), Q2_GFP_TRY);
	if (!freed)
		return;
	freed->host = host;
	freed->clusters = 1;
	list_add_tail(&freed->list, &sh->freed);
}

int q2_shadow_unref(struct q2_shadow *sh, u64 cluster)
{
	u64 count = 0;
	int ret = q2_shadow_get(sh, cluster, &count);

	if (!ret && !count)
		ret = -EUCLEAN;
	if (!ret)
		ret = set(sh, cluster, count - 1);
	if (!ret && count == 1)
		note_freed(sh, cluster << sh->img->geo.cluster_bits);
	return ret;
}

int q2_shadow_alloc(struct q2_shadow *sh, u64 clusters, u64 *host)
{
	u64 first, i;
	int ret = take_run(sh, clusters, &first);

	for (i = 0; i < clusters && !ret; i++)
		ret = set(sh, first + i, 1);
	*host = first << sh->img->geo.cluster_bits;
	return ret;
}

/* Count the new blocks, and the old ones no more. That may make further ones. */
static int count_blocks(struct q2_shadow *sh, bool *more)
{
	u32 bits = sh->img->geo.cluster_bits;
	int ret = 0;
	u64 i;

	*more = false;
	for (i = 0; i < sh->entries && !ret; i++) {
		if (!is_new(sh, i) || sh->done[i / 64] & BIT_ULL(i % 64))
			continue;
		sh->done[i / 64] |= BIT_ULL(i % 64);
		*more = true;
		ret = set(sh, sh->reftable[i] >> bits, 1);
		if (!ret && old_word(sh, i))
			ret = q2_shadow_unref(sh,
					      (old_word(sh, i) & Q2_REFTABLE_OFFSET_MASK) >> bits);
	}
	return ret;
}

static int unref_run(struct q2_shadow *sh, u64 host, u64 clusters)
{
	int ret = 0;
	u64 i;

	for (i = 0; i < clusters && !ret; i++)
		ret = q2_shadow_unref(sh, (host >> sh->img->geo.cluster_bits) + i);
	return ret;
}

int q2_shadow_seal(struct q2_shadow *sh)
{
	struct q2_image *img = sh->img;
	bool more = false;
	int ret;

	if (!sh->changed)
		return 0;
	do {
		u64 want = DIV_ROUND_UP_ULL(sh->entries * sizeof(u64), img->geo.cluster_size);

		ret = count_blocks(sh, &more);
		if (ret || (sh->clusters >= want && sh->offset != img->hdr.refcount_table_offset))
			continue;
		/* The table's own place: its count may make blocks, and these the table larger. */
		more = true;
		ret = unref_run(sh, sh->offset, sh->clusters);
		if (!ret)
			ret = q2_shadow_alloc(sh, want, &sh->offset);
		sh->clusters = want;
	} while (more && !ret);
	put_slice(sh);
	if (!ret)
		ret = write_dirty(sh);
	if (ret)
		return ret;
	ret = q2_write_words(img, sh->offset, sh->reftable, sh->entries);
	return ret ? q2_image_write_failed(img, ret, "a refcount table cannot be written") : 0;
}

void q2_shadow_adopt(struct q2_shadow *sh)
{
	struct q2_image *img = sh->img;
	struct q2_freed *freed;

	lockdep_assert_held(&img->lock);
	list_for_each_entry(freed, &sh->freed, list)
		img->free_hint = min(img->free_hint, freed->host >> img->geo.cluster_bits);
	kvfree(img->reftable);
	img->reftable = sh->reftable;
	img->reftable_entries = sh->entries;
}

void q2_shadow_discard(struct q2_shadow *sh)
{
	struct q2_image *img = sh->img;
	u32 bits = img->geo.cluster_bits;
	struct q2_freed *freed;

	if (!img->file->ops->discard)
		return;
	list_for_each_entry(freed, &sh->freed, list) {
		u64 i, run = 0;

		for (i = 0; i < freed->clusters; i++, run++) {
			u64 count = 1;

			/* It may have been counted again meanwhile. */
			if (!q2_shadow_get(sh, (freed->host >> bits) + i, &count) && !count)
				continue;
			if (run)
				img->file->ops->discard(
					img->file, freed->host + ((i - run) << bits), run << bits);
			run = -1;
		}
		if (run)
			img->file->ops->discard(img->file, freed->host + ((i - run) << bits),
						run << bits);
		cond_resched();
	}
}
