// SPDX-License-Identifier: GPL-2.0-only
#include "image/cache.h"
#include "refcounts.h"

#define CACHE_BYTES (1U << 20)

int refcounts_open(struct refcounts *refcounts, struct q2_file *file, const struct q2_header *hdr,
		   const struct q2_geometry *geo)
{
	size_t bytes = (size_t)hdr->refcount_table_clusters << hdr->cluster_bits;
	u64 i;
	int ret;

	*refcounts = (struct refcounts){
		.nr_blocks = bytes / sizeof(u64),
		.table = kvmalloc(bytes, GFP_KERNEL),
		.file = file,
		.geo = geo,
		.cache = q2_cache_create(file, min(geo->cluster_size, 4096U), CACHE_BYTES),
	};
	if (!refcounts->table || IS_ERR(refcounts->cache)) {
		ret = -ENOMEM;
	} else {
		ret = q2_file_read(file, hdr->refcount_table_offset, refcounts->table, bytes);
		for (i = 0; i < refcounts->nr_blocks; i++)
			refcounts->table[i] = be64_to_cpu(refcounts->table[i]);
	}
	if (ret)
		refcounts_close(refcounts);
	return ret;
}

void refcounts_close(struct refcounts *refcounts)
{
	if (refcounts->cache && !IS_ERR(refcounts->cache))
		q2_cache_destroy(refcounts->cache);
	kvfree(refcounts->table);
	*refcounts = (struct refcounts){0};
}

int refcounts_block(const struct refcounts *refcounts, u64 block, u64 *offset)
{
	const struct q2_geometry *geo = refcounts->geo;

	*offset = 0;
	if (block >= refcounts->nr_blocks)
		return 0;
	*offset = refcounts->table[block] & Q2_REFTABLE_OFFSET_MASK;
	if (q2_offset_into_cluster(geo, *offset) || *offset > Q2_MAX_OFFSET - geo->cluster_size)
		return -EUCLEAN;
	return 0;
}

int refcounts_get(struct refcounts *refcounts, u64 cluster, u64 *count)
{
	const struct q2_geometry *geo = refcounts->geo;
	u32 slice_bytes = q2_cache_slice_bytes(refcounts->cache);
	u32 per_slice = (slice_bytes * 8) >> geo->refcount_order;
	u32 index = cluster & ((1U << geo->refblock_bits) - 1);
	struct q2_slice *slice;
	u64 offset;
	int ret;

	*count = 0;
	ret = refcounts_block(refcounts, cluster >> geo->refblock_bits, &offset);
	if (ret || !offset)
		return ret;
	slice = q2_cache_get(refcounts->cache, offset + (u64)(index / per_slice) * slice_bytes);
	if (IS_ERR(slice))
		return PTR_ERR(slice);
	*count = q2_refcount_get(geo, slice->data, index & (per_slice - 1));
	q2_cache_put(refcounts->cache, slice);
	return 0;
}
