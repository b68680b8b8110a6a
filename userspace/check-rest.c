// SPDX-License-Identifier: GPL-2.0-only
/* Clusters that are not the active disk's: snapshots, refcounts, encryption header, bitmaps. */
#include "check-internal.h"
#include "format/bitmap.h"

static int reference_snapshots(struct check *check)
{
	const struct q2_snapshots *snaps = check->snaps;
	unsigned int i;
	int ret;

	if (snaps->nr && check->bare->geo.data_file)
		check_corrupt(check, "%u snapshots beside an external data file", snaps->nr);
	for (i = 0; i < snaps->nr; i++) {
		const struct q2_snapshot *snap = &snaps->snap[i];

		if (q2_offset_into_cluster(&check->bare->geo, snap->l1_offset)) {
			check_corrupt(check, "snapshot %u: its L1 table at 0x%llx is not aligned",
				      i, snap->l1_offset);
			check->unfollowed = true;
			continue;
		}
		if (snap->l1_size > Q2_MAX_L1_BYTES / sizeof(u64)) {
			check_corrupt(check, "snapshot %u: its L1 table has %u entries, too many",
				      i, snap->l1_size);
			check->unfollowed = true;
			continue;
		}
		if (snap->l1_offset > Q2_MAX_OFFSET - Q2_MAX_L1_BYTES)
			return q2_err_set(&check->err, EINVAL,
					  "snapshot %u: its L1 table is at 0x%llx, beyond any "
					  "possible file",
					  i, snap->l1_offset);
		ret = tables_reference(check, snap->l1_offset, snap->l1_size, false);
		if (ret)
			return ret;
	}
	window_reference(check, check->snapshots_offset, check->snapshots_bytes);
	return 0;
}

/* The clusters of one bitmap's table. Any size of table goes through a small buffer. */
static int reference_bitmap(struct check *check, const struct q2_bitmap *bm)
{
	__be64 words[512];
	u32 i = 0, j, part;
	u64 offset;
	int ret;

	window_reference(check, bm->table_offset, (u64)bm->table_size * sizeof(words[0]));
	for (; i < bm->table_size; i += part) {
		part = min_t(u32, ARRAY_SIZE(words), bm->table_size - i);
		ret = q2_file_read(&check->bare->host->file,
				   bm->table_offset + (u64)i * sizeof(words[0]), words,
				   part * sizeof(words[0]));
		for (j = 0; !ret && j < part; j++) {
			ret = q2_bitmap_table_entry_decode(&check->bare->hdr, be64_to_cpu(words[j]),
							   &offset, &check->err);
			if (!ret && offset)
				window_reference(check, offset, check->bare->geo.cluster_size);
		}
		if (ret)
			return ret;
	}
	return 0;
}

/* A directory that is broken ends the check, as it does in QEMU. */
static int reference_bitmaps(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	size_t len = hdr->bitmap_directory_size, offset = 0, next;
	struct q2_bitmap bm;
	unsigned int i;
	void *dir;
	int ret;

	if (!hdr->nb_bitmaps)
		return 0;
	window_reference(check, hdr->bitmap_directory_offset, len);
	dir = kvmalloc(len, GFP_KERNEL);
	if (!dir)
		return -ENOMEM;
	ret = q2_file_read(&check->bare->host->file, hdr->bitmap_directory_offset, dir, len);
	for (i = 0; !ret && i < hdr->nb_bitmaps; i++, offset = next) {
		ret = q2_bitmap_decode(hdr, dir, len, offset, &bm, &next, &check->err);
		if (!ret)
			ret = reference_bitmap(check, &bm);
	}
	if (!ret && offset != len)
		ret = q2_err_set(&check->err, EINVAL,
				 "the bitmap directory goes on after the last bitmap");
	kvfree(dir);
	return ret;
}

/* Refcounts in a block that cannot be used are not to be mended there. */
static void bad_refblock(struct check *check)
{
	check->rebuild = true;
	check->refcounts_wrong++;
}

/* Refcount blocks; each must be where it can be and have one reference, this one. */
static void reference_refblocks(struct check *check)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 nr_clusters = check->nr_clusters, i;

	for (i = 0; i < check->refcounts.nr_blocks; i++) {
		u64 word = check->refcounts.table[i];
		u64 cluster = word >> geo->cluster_bits;
		struct q2_err err;
		u64 offset, others;

		if (q2_reftable_entry_decode(geo, word, &offset, &err)) {
			check_corrupt(check, "refcount table entry %llu: %s", i, err.text);
			bad_refblock(check);
			continue;
		}
		if (cluster >= nr_clusters) {
			check_corrupt(check, "refcount block %llu at 0x%llx is outside the file", i,
				      offset);
			bad_refblock(check);
			continue;
		}
		if (!offset)
			continue;
		others = window_has(&check->window, cluster) ? window_get(&check->window, cluster)
							     : 0;
		window_reference(check, offset, geo->cluster_size);
		if (!others)
			continue;
		/* A narrow count may not show it, but nobody else may have a refcount block. */
		check->shared = true;
		if (window_get(&check->window, cluster) == 1)
			continue;
		check_found(check, "refcount block %llu has %llu references", i,
			    window_get(&check->window, cluster));
		bad_refblock(check);
	}
}

static void reference_reftable(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	u64 first = hdr->refcount_table_offset >> hdr->cluster_bits, i;

	for (i = first; i < first + hdr->refcount_table_clusters; i++)
		if (window_has(&check->window, i) && window_get(&check->window, i))
			check->shared = true;
	window_reference(check, hdr->refcount_table_offset,
			 (u64)hdr->refcount_table_clusters << hdr->cluster_bits);
}

int rest_reference(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	int ret = reference_snapshots(check);

	if (ret)
		return ret;
	window_reference(check, hdr->crypto_offset, hdr->crypto_length);
	ret = reference_bitmaps(check);
	if (ret || check->new_refcounts)
		return ret;
	reference_reftable(check);
	reference_refblocks(check);
	return 0;
}
