// SPDX-License-Identifier: GPL-2.0-only
/* What must not be written over. */
#include "format/overlap.h"
#include "test.h"

#define CS 65536ULL

static const struct q2_header hdr = {
	.version = 3,
	.cluster_bits = 16,
	.autoclear = 1,
	.l1_size = 3,
	.l1_offset = 3 * CS,
	.refcount_table_offset = 5 * CS,
	.refcount_table_clusters = 2,
	.snapshots_offset = 10 * CS,
	.bitmap_directory_offset = 15 * CS,
	.bitmap_directory_size = CS + 1,
};

static void hits(u64 offset, u64 len, const char *names)
{
	struct q2_err err = {""};

	CHECK_REFUSED(q2_verify_overlap(&hdr, 100, Q2_OVERLAP_ALL, offset, len, &err), EUCLEAN,
		      &err, names);
}

static void misses(u64 offset, u64 len)
{
	CHECK_EQ(q2_verify_overlap(&hdr, 100, Q2_OVERLAP_ALL, offset, len, NULL), 0);
}

TEST(overlap_of_fixed_metadata)
{
	hits(0, 1, "the header");
	hits(CS - 1, 1, "the header");
	misses(CS, 2 * CS);
	hits(CS, 2 * CS + 1, "the L1 table");
	hits(4 * CS - 1, 1, "the L1 table"); /* the whole cluster counts */
	misses(4 * CS, CS);
	hits(4 * CS, CS + 1, "the refcount table");
	hits(7 * CS - 1, 1, "the refcount table");
	misses(7 * CS, 3 * CS);
	hits(10 * CS + 200, 1, "the snapshot table");
	hits(16 * CS, 1, "the bitmap directory");
	misses(17 * CS, CS);
	misses(5, 0);
	hits(1, U64_MAX, "beyond");
	misses(0x7fffffffffff0000ULL, 65535);
	hits(0x7fffffffffff0000ULL, 65536, "beyond");
}

TEST(overlap_looks_where_it_is_told)
{
	struct q2_header plain = hdr;

	/* Writing the L1 table itself. */
	CHECK_EQ(q2_verify_overlap(&hdr, 100, Q2_OVERLAP_ALL & ~Q2_OVERLAP_L1, 3 * CS, 24, NULL),
		 0);
	CHECK_EQ(q2_verify_overlap(&hdr, 100, Q2_OVERLAP_L1, 0, 1, NULL), 0);
	/* No snapshots, no bitmaps that anyone vouches for, an empty L1. */
	CHECK_EQ(q2_verify_overlap(&hdr, 0, Q2_OVERLAP_ALL, 10 * CS, CS, NULL), 0);
	plain.autoclear = 0;
	CHECK_EQ(q2_verify_overlap(&plain, 0, Q2_OVERLAP_ALL, 15 * CS, CS, NULL), 0);
	plain.l1_size = 0;
	CHECK_EQ(q2_verify_overlap(&plain, 0, Q2_OVERLAP_ALL, 3 * CS, CS, NULL), 0);
}
