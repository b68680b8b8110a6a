// SPDX-License-Identifier: GPL-2.0-only
/*
 * Host clusters: refcounts, and where the next free ones are.
 *
 * A refcount goes up in memory when a cluster is handed out, and reaches the
 * disk before anything that refers to the cluster (commit.c). It goes down in
 * memory only after the reference is gone from the disk. So what a crash leaves
 * is never worse than a leak.
 *
 * New refcount blocks describe themselves: they lie at the start of the range
 * they cover, where nothing can be in use yet. They are durable before the
 * refcount table names them, and the table names them before the next commit
 * writes an L2 entry that relies on them.
 */
#include "env.h"
#include "format/refcount.h"
#include "image/internal.h"

/* Ranges covered ahead when blocks are small: fewer flushes for their sake. */
#define COVER_AHEAD (64ULL << 20)

/* Refcount blocks that are looked at to find the end of an image on a block device. */
#define LAST_BLOCKS 16

static u64 per_slice(const struct q2_image *img)
{
	return (u64)q2_piece(img) * 8 >> img->geo.refcount_order;
}

u64 q2_space_max(const struct q2_image *img)
{
	u64 limit = min_t(u64, img->file->limit, Q2_OFFSET_MASK);

	return limit >> img->geo.cluster_bits;
}

struct q2_slice *q2_space_slice(struct q2_image *img, const u64 *reftable, u64 entries, u64 cluster)
{
	u64 block = cluster >> img->geo.refblock_bits;
	u32 index = cluster & ((1U << img->geo.refblock_bits) - 1);
	u64 byte = ((u64)index << img->geo.refcount_order) >> 3;

	if (block >= entries || !reftable[block])
		return NULL;
	return q2_cache_get(img->cache, (reftable[block] & Q2_REFTABLE_OFFSET_MASK) +
						round_down(byte, (u64)q2_piece(img)));
}

static struct q2_slice *slice_of(struct q2_image *img, u64 cluster)
{
	return q2_space_slice(img, img->reftable, img->reftable_entries, cluster);
}

/*
 * Where what is in use ends. A file ends there, or a little later; on a block
 * device the last refcount tells. Not looked for behind many empty blocks.
 */
static int find_end(struct q2_image *img, struct q2_err *err)
{
	u64 n = per_slice(img), entry = img->reftable_entries, cluster, i;
	unsigned int blocks = 0;

	img->end = q2_clusters(img, img->file->size);
	if (img->file->grows)
		return 0;
	while (entry-- && blocks < LAST_BLOCKS) {
		u64 first = entry << img->geo.refblock_bits;

		if (!img->reftable[entry])
			continue;
		blocks++;
		for (cluster = first + (1ULL << img->geo.refblock_bits); cluster > first;
		     cluster -= n) {
			struct q2_slice *slice = slice_of(img, cluster - n);

			if (IS_ERR(slice))
				return q2_err_set(err, -PTR_ERR(slice),
						  "a refcount block cannot be read");
			for (i = n; i && !q2_refcount_get(&img->geo, slice->data, i - 1); i--)
				;
			q2_cache_put(img->cache, slice);
			img->end = cluster - n + i;
			if (i)
				return 0;
		}
	}
	return 0;
}

int q2_space_open(struct q2_image *img, struct q2_err *err)
{
	u64 bytes = (u64)img->hdr.refcount_table_clusters << img->geo.cluster_bits;
	__be64 *disk;
	u32 i;
	int ret;

	img->reftable_entries = bytes / sizeof(u64);
	img->reftable = kvmalloc(bytes, GFP_KERNEL);
	if (!img->reftable)
		return -ENOMEM;
	disk = (__force __be64 *)img->reftable;
	ret = q2_file_read(img->file, img->hdr.refcount_table_offset, disk, bytes);
	if (ret)
		return q2_err_set(err, -ret, "the refcount table at %llu cannot be read",
				  img->hdr.refcount_table_offset);
	for (i = 0; i < img->reftable_entries && !ret; i++) {
		u64 offset;

		img->reftable[i] = be64_to_cpu(disk[i]);
		ret = q2_reftable_entry_decode(&img->geo, img->reftable[i], &offset, err);
		if (!ret && offset)
			ret = q2_owned_add(&img->owned, offset);
	}
	return ret ? ret : find_end(img, err);
}

/* Write a refcount block that says 1 of its first @used clusters. */
static int write_block(struct q2_image *img, u64 host, u64 used)
{
	void *block = img->scratch;
	u64 i;

	memset(block, 0, img->geo.cluster_size);
	for (i = 0; i < used; i++)
		q2_refcount_set(&img->geo, block, i, 1);
	return q2_file_write(img->file, host, block, img->geo.cluster_size);
}

/* Name the blocks at @first in the table, on disk as well. */
static int name_blocks(struct q2_image *img, u64 entry, u64 nr, u64 first)
{
	u32 per_piece = q2_piece(img) / sizeof(u64);
	u64 i, from;
	int ret;

	for (i = 0; i < nr; i++)
		img->reftable[entry + i] = first + (i << img->geo.cluster_bits);
	for (from = round_down(entry, (u64)per_piece); from < entry + nr; from += per_piece) {
		ret = q2_write_words(img, img->hdr.refcount_table_offset + from * sizeof(u64),
				     img->reftable + from, per_piece);
		if (ret)
			return q2_image_fail(img, ret, "the refcount table cannot be written");
	}
	return 0;
}

bool q2_space_touch(struct q2_image *img, u64 cluster, u64 nr)
{
	bool untouched = img->file->grows && cluster >= img->end;

	WRITE_ONCE(img->end, max(img->end, cluster + nr));
	return untouched;
}

/*
 * Clusters at @first that no refcount covers become refcount blocks: they are
 * none of the known tables, and are known as tables from now on.
 */
static int own_blocks(struct q2_image *img, u64 first, u64 nr)
{
	u64 size = img->geo.cluster_size, i;
	int ret;

	for (i = 0; i < nr; i++) {
		if (q2_owned_has(&img->owned, first + i * size))
			break;
	}
	if (i < nr || q2_verify_overlap(&img->hdr, img->snapshots_bytes, Q2_OVERLAP_ALL, first,
					nr * size, NULL))
		return q2_image_corrupt(img, "metadata lie where no refcount covers them");
	q2_space_touch(img, first >> img->geo.cluster_bits, nr);
	for (i = 0; i < nr; i++) {
		ret = q2_owned_add(&img->owned, first + i * size);
		if (ret) {
			while (i--)
				q2_owned_del(&img->owned, first + i * size);
			return ret;
		}
	}
	return 0;
}

/* They have not become blocks after all. */
static void disown_blocks(struct q2_image *img, u64 first, u64 nr)
{
	while (nr--)
		q2_owned_del(&img->owned, first + (nr << img->geo.cluster_bits));
}

/* Make blocks for up to @nr ranges from the one of @entry on, inside the first. */
static int add_blocks(struct q2_image *img, u64 entry, u64 nr)
{
	u64 first = entry << (img->geo.refblock_bits + img->geo.cluster_bits);
	int ret = own_blocks(img, first, nr);
	u64 i;

	if (ret)
		return ret;
	q2_cache_forget(img->cache, first, nr << img->geo.cluster_bits);
	for (i = 0; i < nr && !ret; i++)
		ret = write_block(img, first + (i << img->geo.cluster_bits), i ? 0 : nr);
	/* The block is durable before the table names it: else its refcounts are garbage. */
	if (ret)
		q2_image_write_failed(img, ret, "a refcount block cannot be written");
	else
		ret = q2_image_flush(img);
	if (ret)
		disown_blocks(img, first, nr);
	else
		ret = name_blocks(img, entry, nr, first);
	return ret;
}

/* Write @blocks new blocks at @first, which cover themselves and the @table behind them. */
static int write_reftable(struct q2_image *img, u64 first, u64 blocks, const u64 *table,
			  u64 clusters)
{
	u64 per_block = 1ULL << img->geo.refblock_bits;
	u32 bits = img->geo.cluster_bits;
	int ret = 0;
	u64 i;

	for (i = 0; i < blocks && !ret; i++)
		ret = write_block(img, first + (i << bits),
				  min(blocks + clusters - i * per_block, per_block));
	if (!ret)
		ret = q2_write_words(img, first + (blocks << bits), table,
				     (clusters << bits) / sizeof(u64));
	return ret ? q2_image_write_failed(img, ret, "a refcount table cannot be written") : 0;
}

static void name_table(struct q2_image *img, u64 offset, u32 clusters)
{
	/* q2_image_may_overwrite() looks at both. */
	spin_lock(&img->words);
	img->hdr.refcount_table_offset = offset;
	img->hdr.refcount_table_clusters = clusters;
	spin_unlock(&img->words);
}

/* The header names another refcount table. Afterwards nothing refers to the old one. */
static int switch_table(struct q2_image *img, u64 offset, u32 clusters)
{
	u64 old_offset = img->hdr.refcount_table_offset;
	u32 old_clusters = img->hdr.refcount_table_clusters;
	int ret;

	name_table(img, offset, clusters);
	ret = q2_write_header(img, &img->hdr);
	/* NO-REUSE: the header is durable before the old table is given away. */
	if (!ret)
		ret = q2_image_flush(img);
	if (!ret)
		return 0;
	name_table(img, old_offset, old_clusters);
	return q2_image_fail(img, ret, "the header cannot be written");
}

/*
 * A larger refcount table, with blocks for itself, at the start of the range
 * that the old one cannot name. One header update switches to it.
 */
static int grow_table(struct q2_image *img, u64 entry)
{
	u32 bits = img->geo.cluster_bits;
	u64 entries_per_cluster = img->geo.cluster_size / sizeof(u64);
	u64 entries = max(entry + entry / 2 + 2, (u64)img->reftable_entries + 1);
	u64 clusters = DIV_ROUND_UP_ULL(entries, entries_per_cluster);
	u64 first = entry << (img->geo.refblock_bits + bits);
	u64 old_table = img->hdr.refcount_table_offset;
	u32 old_clusters = img->hdr.refcount_table_clusters;
	u64 blocks = 1, i;
	u64 *table;
	int ret;

	if (clusters << bits > Q2_MAX_REFTABLE_BYTES)
		return -ENOSPC;
	while (blocks << img->geo.refblock_bits < blocks + clusters)
		blocks++;
	if (blocks + entry > clusters * entries_per_cluster ||
	    (first >> bits) + blocks + clusters > q2_space_max(img))
		return -ENOSPC;
	/* No reserve for this: with clusters of 64 KiB it is needed once in 16 TiB. */
	table = kvcalloc(clusters * entries_per_cluster, sizeof(*table), GFP_NOIO);
	if (!table)
		return -ENOMEM;
	memcpy(table, img->reftable, (size_t)img->reftable_entries * sizeof(*table));
	for (i = 0; i < blocks; i++)
		table[entry + i] = first + (i << bits);
	/* The table's own clusters are looked at like the blocks', but are no part of the set. */
	ret = own_blocks(img, first, blocks + clusters);
	if (ret)
		goto free_table;
	disown_blocks(img, first + (blocks << bits), clusters);
	q2_cache_forget(img->cache, first, (blocks + clusters) << bits);
	ret = write_reftable(img, first, blocks, table, clusters);
	/* Blocks and table are durable before the header names the table. */
	if (!ret)
		ret = q2_image_flush(img);
	if (!ret)
		ret = switch_table(img, first + (blocks << bits), clusters);
	if (ret) {
		disown_blocks(img, first, blocks);
		goto free_table;
	}
	kvfree(img->reftable);
	img->reftable = table;
	img->reftable_entries = clusters * entries_per_cluster;
	return q2_space_put(img, old_table, old_clusters);

free_table:
	kvfree(table);
	return ret;
}

/* Make refcounts exist for @cluster and the range around it. */
static int cover(struct q2_image *img, u64 cluster)
{
	u32 range_bits = img->geo.refblock_bits + img->geo.cluster_bits;
	u64 entry = cluster >> img->geo.refblock_bits, nr, most;

	if ((entry << img->geo.refblock_bits) + 2 > q2_space_max(img))
		return -ENOSPC;
	if (entry >= img->reftable_entries)
		return grow_table(img, entry);
	/* As many as there are already, within reason; all must fit into the first range. */
	most = min(max(COVER_AHEAD >> range_bits, 1ULL), entry + 1);
	most = min(most, (1ULL << img->geo.refblock_bits) / 2);
	most = min(most, q2_space_max(img) - (entry << img->geo.refblock_bits) - 1);
	for (nr = 1; nr < most && entry + nr < img->reftable_entries; nr++) {
		if (img->reftable[entry + nr])
			break;
	}
	return add_blocks(img, entry, nr);
}

int q2_space_check(struct q2_image *img, u64 host, u64 clusters)
{
	u64 i;
	int ret;

	spin_lock(&img->words);
	ret = q2_verify_overlap(&img->hdr, img->snapshots_bytes, Q2_OVERLAP_ALL, host,
				clusters << img->geo.cluster_bits, NULL);
	spin_unlock(&img->words);
	for (i = 0; i < clusters && !ret; i++) {
		if (q2_owned_has(&img->owned, host + (i << img->geo.cluster_bits)))
			ret = -EUCLEAN;
	}
	return ret;
}

/* A cluster whose refcount says free must not be one of the tables. */
static int check_free(struct q2_image *img, u64 host, u64 clusters)
{
	int ret = q2_space_check(img, host, clusters);

	return ret ? q2_image_corrupt(img, "a refcount says that metadata are free") : 0;
}

/* Without the lock: who reads must not wait for who allocates. */
bool q2_image_may_overwrite(struct q2_image *img, u64 host, u64 len)
{
	u64 first = round_down(host, (u64)img->geo.cluster_size);

	return !q2_space_check(img, first, q2_clusters(img, host + len - first));
}

/* Look for a free run in one slice, from @cluster on; 0 if there is none. */
static u64 find_free(struct q2_image *img, const struct q2_slice *slice, u64 *cluster, u64 want)
{
	u64 n = per_slice(img), i = *cluster & (n - 1), run = 0;

	while (i < n && q2_refcount_get(&img->geo, slice->data, i))
		i++;
	*cluster = (*cluster & ~(n - 1)) + i;
	while (i + run < n && run < want && *cluster + run < q2_space_max(img) &&
	       !q2_refcount_get(&img->geo, slice->data, i + run))
		run++;
	return run;
}

int q2_space_alloc(struct q2_image *img, u64 want, u64 *host, u64 *got, bool *untouched)
{
	u64 start = max(img->free_hint, 1ULL), cluster = start;
	bool wrapped = false;
	int ret;

	lockdep_assert_held(&img->lock);
	for (;;) {
		struct q2_slice *slice;
		u64 i, run;

		if (cluster >= q2_space_max(img)) {
			if (wrapped)
				return -ENOSPC;
			wrapped = true;
			cluster = 1;
		}
		if (wrapped && cluster >= start)
			return -ENOSPC;
		slice = slice_of(img, cluster);
		if (IS_ERR(slice))
			return PTR_ERR(slice);
		if (!slice) {
			ret = cover(img, cluster);
			if (ret == -ENOSPC && !wrapped) {
				cluster = q2_space_max(img);
				continue;
			}
			if (ret)
				return ret;
			continue;
		}
		run = find_free(img, slice, &cluster, want);
		if (!run) {
			q2_cache_put(img->cache, slice);
			cond_resched();
			continue;
		}
		ret = check_free(img, cluster << img->geo.cluster_bits, run);
		for (i = 0; i < run && !ret; i++)
			q2_refcount_set(&img->geo, slice->data,
					(cluster + i) & (per_slice(img) - 1), 1);
		if (!ret)
			q2_mark_dirty(img, slice, &img->dirty_refcounts);
		q2_cache_put(img->cache, slice);
		if (ret)
			return ret;
		img->free_hint = cluster + run;
		*untouched = q2_space_touch(img, cluster, run);
		*host = cluster << img->geo.cluster_bits;
		*got = run;
		return 0;
	}
}

bool q2_space_is_last(struct q2_image *img, u64 host)
{
	u64 cluster = host >> img->geo.cluster_bits;
	struct q2_slice *slice = slice_of(img, cluster);
	bool last = false;

	lockdep_assert_held(&img->lock);
	if (IS_ERR(slice) || !slice)
		return false;
	last = q2_refcount_get(&img->geo, slice->data, cluster & (per_slice(img) - 1)) == 1;
	q2_cache_put(img->cache, slice);
	return last;
}

int q2_space_put(struct q2_image *img, u64 host, u64 clusters)
{
	u64 cluster = host >> img->geo.cluster_bits;

	lockdep_assert_held(&img->lock);
	for (; clusters; clusters--, cluster++) {
		struct q2_slice *slice = slice_of(img, cluster);
		u32 index = cluster & (per_slice(img) - 1);
		u64 count;

		if (IS_ERR(slice))
			return PTR_ERR(slice);
		count = slice ? q2_refcount_get(&img->geo, slice->data, index) : 0;
		if (!count) {
			if (slice)
				q2_cache_put(img->cache, slice);
			return q2_image_corrupt(img, "a cluster in use has refcount 0");
		}
		q2_refcount_set(&img->geo, slice->data, index, count - 1);
		q2_mark_dirty(img, slice, &img->dirty_refcounts);
		q2_cache_put(img->cache, slice);
		if (count == 1) {
			q2_owned_del(&img->owned, cluster << img->geo.cluster_bits);
			img->free_hint = min(img->free_hint, cluster);
		}
	}
	return 0;
}
