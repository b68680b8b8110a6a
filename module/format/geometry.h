/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers that follow from the header and never change while an image is open.
 */
#ifndef Q2_FORMAT_GEOMETRY_H
#define Q2_FORMAT_GEOMETRY_H

#include "env.h"

/**
 * struct q2_geometry - derived sizes
 * @version: 2 or 3
 * @cluster_bits: 9..21
 * @cluster_size: bytes
 * @l2_entry_bits: 3, or 4 with extended L2: log2 of the bytes of an L2 entry
 * @l2_bits: log2 of the entries of one L2 table (one cluster)
 * @extended_l2: subclusters are in use
 * @subcluster_bits: log2 of the bytes that one mapping decision covers:
 *                   @cluster_bits, or 5 less with extended L2
 * @refcount_order: 0..6, log2 of the bits of a refcount
 * @refblock_bits: log2 of the refcounts of one refcount block (one cluster)
 * @compressed_offset_bits: bits of the host offset in a compressed descriptor,
 *                          x = 70 - cluster_bits of the spec
 * @data_file: the image keeps its clusters in an external data file
 */
struct q2_geometry {
	u8 version;
	u8 cluster_bits;
	u8 l2_entry_bits;
	u8 l2_bits;
	u8 subcluster_bits;
	u8 refcount_order;
	u8 refblock_bits;
	u8 compressed_offset_bits;
	bool extended_l2;
	bool data_file;
	u32 cluster_size;
};

/* Guest bytes that one L2 table maps. */
static inline u64 q2_l2_coverage(const struct q2_geometry *geo)
{
	return 1ULL << (geo->l2_bits + geo->cluster_bits);
}

/* Index into L1 of the guest offset. */
static inline u64 q2_l1_index(const struct q2_geometry *geo, u64 guest)
{
	return guest >> (geo->l2_bits + geo->cluster_bits);
}

/* Index into the L2 table of the guest offset. */
static inline u32 q2_l2_index(const struct q2_geometry *geo, u64 guest)
{
	return (guest >> geo->cluster_bits) & ((1U << geo->l2_bits) - 1);
}

static inline u32 q2_offset_into_cluster(const struct q2_geometry *geo, u64 offset)
{
	return offset & (geo->cluster_size - 1);
}

#endif
