// SPDX-License-Identifier: GPL-2.0-only
/* QEMU (block/qcow2-refcount.c, qcow2_check_metadata_overlap), the checks in constant time. */
#include "format/overlap.h"

/* One structure and where it lies. */
struct q2_region {
	unsigned int which;
	const char *name;
	u64 offset;
	u64 bytes;
};

int q2_verify_overlap(const struct q2_header *hdr, u64 snapshots_bytes, unsigned int which,
		      u64 offset, u64 len, struct q2_err *err)
{
	u64 cluster_size = 1ULL << hdr->cluster_bits;
	bool bitmaps = hdr->autoclear & Q2_AUTOCLEAR_BITMAPS;
	const struct q2_region regions[] = {
		{Q2_OVERLAP_HEADER, "the header", 0, cluster_size},
		{Q2_OVERLAP_L1, "the L1 table", hdr->l1_offset, (u64)hdr->l1_size * sizeof(__be64)},
		{Q2_OVERLAP_REFTABLE, "the refcount table", hdr->refcount_table_offset,
		 (u64)hdr->refcount_table_clusters << hdr->cluster_bits},
		{Q2_OVERLAP_SNAPSHOTS, "the snapshot table", hdr->snapshots_offset,
		 snapshots_bytes},
		{Q2_OVERLAP_BITMAPS, "the bitmap directory", hdr->bitmap_directory_offset,
		 bitmaps ? hdr->bitmap_directory_size : 0},
	};
	/* The regions start at cluster boundaries: the end needs no widening. */
	u64 first = round_down(offset, cluster_size);
	unsigned int i;
	u64 end;

	if (!len)
		return 0;
	if (check_add_overflow(offset, len, &end) || end > Q2_MAX_OFFSET)
		return q2_err_set(err, EUCLEAN,
				  "%llu bytes at host offset 0x%llx are beyond any possible file",
				  len, offset);

	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		const struct q2_region *r = &regions[i];

		/* Verified with the header: offset + bytes does not overflow. */
		if (r->which & which && r->bytes && first < r->offset + r->bytes && end > r->offset)
			return q2_err_set(err, EUCLEAN,
					  "%llu bytes at host offset 0x%llx overlap %s", len,
					  offset, r->name);
	}
	return 0;
}
