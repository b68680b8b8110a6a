// SPDX-License-Identifier: GPL-2.0-only
/* Refcounts of every width and refcount table entries. */
#include "build.h"
#include "format/header.h"
#include "format/refcount.h"
#include "test.h"

static struct q2_geometry geometry(unsigned int order)
{
	struct q2_header hdr = {.version = 3, .cluster_bits = 9, .refcount_order = order};
	struct q2_geometry geo;

	q2_header_geometry(&hdr, &geo);
	return geo;
}

TEST(refcount_layout)
{
	static const u8 block[16] = {0x1b, 0x80, 0x12, 0x34, 0xff, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8};
	struct q2_geometry geo = geometry(0);

	/* Below a byte: least significant bit first. */
	CHECK_EQ(q2_refcount_get(&geo, block, 0), 1);
	CHECK_EQ(q2_refcount_get(&geo, block, 2), 0);
	CHECK_EQ(q2_refcount_get(&geo, block, 4), 1);
	CHECK_EQ(q2_refcount_get(&geo, block, 15), 1);
	geo = geometry(1);
	CHECK_EQ(q2_refcount_get(&geo, block, 0), 3);
	CHECK_EQ(q2_refcount_get(&geo, block, 1), 2);
	CHECK_EQ(q2_refcount_get(&geo, block, 2), 1);
	CHECK_EQ(q2_refcount_get(&geo, block, 3), 0);
	CHECK_EQ(q2_refcount_get(&geo, block, 7), 2);
	geo = geometry(2);
	CHECK_EQ(q2_refcount_get(&geo, block, 0), 0xb);
	CHECK_EQ(q2_refcount_get(&geo, block, 1), 1);
	/* From a byte up: big-endian. */
	geo = geometry(3);
	CHECK_EQ(q2_refcount_get(&geo, block, 2), 0x12);
	geo = geometry(4);
	CHECK_EQ(q2_refcount_get(&geo, block, 1), 0x1234);
	geo = geometry(5);
	CHECK_EQ(q2_refcount_get(&geo, block, 1), 0xff000001);
	geo = geometry(6);
	CHECK_EQ(q2_refcount_get(&geo, block, 1), 0x0102030405060708ULL);
}

/* Every entry of a block set at random, over and over, and nothing else changed. */
TEST(refcount_set_and_get)
{
	unsigned int order, i;
	u64 seed = 4;

	for (order = 0; order <= 6; order++) {
		struct q2_geometry geo = geometry(order);
		unsigned int entries = 1U << geo.refblock_bits;
		u64 *want = calloc(entries, sizeof(*want));
		u8 *block = malloc(513);

		memset(block + 1, 0, 512); /* an odd address */
		CHECK_EQ(entries, 512 * 8 >> order);
		for (i = 0; i < 4 * entries; i++) {
			unsigned int at = test_random(&seed) % entries;

			want[at] = test_random(&seed) & q2_refcount_max(&geo);
			if (i % 5 == 0)
				want[at] = q2_refcount_max(&geo);
			q2_refcount_set(&geo, block + 1, at, want[at]);
			if (i % 8 == 0 || i > 4 * entries - 8) {
				unsigned int j;

				for (j = 0; j < entries; j++)
					CHECK_EQ(q2_refcount_get(&geo, block + 1, j), want[j]);
			}
		}
		free(block);
		free(want);
	}
}

TEST(refcount_max)
{
	static const u64 max[] = {1, 3, 15, 255, 65535, 0xffffffff, U64_MAX};
	unsigned int order;

	for (order = 0; order <= 6; order++) {
		struct q2_geometry geo = geometry(order);

		CHECK_EQ(q2_refcount_max(&geo), max[order]);
	}
}

TEST(reftable_entries)
{
	struct q2_geometry geo = geometry(4);
	struct q2_err err = {""};
	u64 offset;

	CHECK_EQ(q2_reftable_entry_decode(&geo, 0, &offset, NULL), 0);
	CHECK_EQ(offset, 0);
	CHECK_EQ(q2_reftable_entry_decode(&geo, 0x7ffffffffffffa00ULL, &offset, NULL), 0);
	CHECK_EQ(offset, 0x7ffffffffffffa00ULL);
	CHECK_REFUSED(q2_reftable_entry_decode(&geo, 0x201, &offset, &err), EUCLEAN, &err,
		      "reserved bits");
	CHECK_REFUSED(q2_reftable_entry_decode(&geo, 0x8000000000000000ULL, &offset, &err), EUCLEAN,
		      &err, "beyond");
	CHECK_REFUSED(q2_reftable_entry_decode(&geo, 0xfffffffffffffe00ULL, &offset, &err), EUCLEAN,
		      &err, "beyond");
	geo.cluster_bits = 16;
	geo.cluster_size = 65536;
	CHECK_REFUSED(q2_reftable_entry_decode(&geo, 0x10200, &offset, &err), EUCLEAN, &err,
		      "cluster boundary");
}
