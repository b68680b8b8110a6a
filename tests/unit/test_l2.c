// SPDX-License-Identifier: GPL-2.0-only
/* L1 and L2 entries: what they say, what breaks a lookup, what a check finds besides. */
#include "build.h"
#include "format/header.h"
#include "format/l2.h"
#include "test.h"

#define COPIED (1ULL << 63)
#define COMPRESSED (1ULL << 62)

static struct q2_geometry geometry(unsigned int version, unsigned int bits, bool extended)
{
	struct q2_header hdr = {.version = version, .cluster_bits = bits, .refcount_order = 4};
	struct q2_geometry geo;

	hdr.incompatible = extended ? 16 : 0;
	q2_header_geometry(&hdr, &geo);
	return geo;
}

static void broken(const struct q2_geometry *geo, u64 word, u64 bitmap, const char *names)
{
	struct q2_err err = {""};

	CHECK_REFUSED(q2_l2_entry_verify(geo, word, bitmap, &err), EUCLEAN, &err, names);
	CHECK_REFUSED(q2_l2_entry_check(geo, word, bitmap, &err), EUCLEAN, &err, names);
	CHECK_EQ(q2_l2_entry_verify(geo, word, bitmap, NULL), -EUCLEAN);
}

/* A lookup serves it, as in QEMU, but `qemu-img check` calls it corrupt. */
static void tolerated(const struct q2_geometry *geo, u64 word, u64 bitmap, const char *names)
{
	struct q2_err err = {""};

	CHECK_EQ(q2_l2_entry_verify(geo, word, bitmap, &err), 0);
	CHECK(!err.text[0]);
	CHECK_REFUSED(q2_l2_entry_check(geo, word, bitmap, &err), EUCLEAN, &err, names);
}

static struct q2_mapping good(const struct q2_geometry *geo, u64 word, u64 bitmap, unsigned int sub)
{
	struct q2_mapping map;

	CHECK_EQ(q2_l2_entry_check(geo, word, bitmap, NULL), 0);
	CHECK_EQ(q2_l2_entry_verify(geo, word, bitmap, NULL), 0);
	q2_l2_entry_decode(geo, word, bitmap, sub, &map);
	return map;
}

static void says(const struct q2_geometry *geo, u64 word, u64 bitmap, unsigned int sub,
		 enum q2_kind kind, u64 host, bool copied)
{
	struct q2_mapping map = good(geo, word, bitmap, sub);

	CHECK_EQ(map.kind, kind);
	CHECK_EQ(map.host, host);
	CHECK_EQ(map.copied, copied);
	CHECK_EQ(map.compressed_size, 0);
}

TEST(l1_entries)
{
	struct q2_geometry geo = geometry(3, 16, false);
	struct q2_err err = {""};
	bool copied = true;
	u64 l2;

	CHECK_EQ(q2_l1_entry_decode(&geo, 0, &l2, &copied, NULL), 0);
	CHECK_EQ(l2, 0);
	CHECK(!copied);
	CHECK_EQ(q2_l1_entry_decode(&geo, COPIED | 0x00ffffffffff0000ULL, &l2, &copied, NULL), 0);
	CHECK_EQ(l2, 0x00ffffffffff0000ULL);
	CHECK(copied);
	CHECK_EQ(q2_l1_entry_decode(&geo, 0x50000, &l2, NULL, NULL), 0);

	CHECK_REFUSED(q2_l1_entry_decode(&geo, 0x50200, &l2, NULL, &err), EUCLEAN, &err,
		      "L1 entry 0x0000000000050200");
	CHECK_REFUSED(q2_l1_entry_check(&geo, 0x50200, &err), EUCLEAN, &err, "cluster boundary");
	/* Reserved bits: QEMU looks past them, its check does not. */
	CHECK_EQ(q2_l1_entry_decode(&geo, 0x7f000000000501ffULL, &l2, &copied, NULL), 0);
	CHECK_EQ(l2, 0x50000);
	CHECK_REFUSED(q2_l1_entry_check(&geo, 0x0100000000050000ULL, &err), EUCLEAN, &err,
		      "reserved bits");
	CHECK_REFUSED(q2_l1_entry_check(&geo, 0x50001, &err), EUCLEAN, &err, "reserved bits");
	CHECK_EQ(q2_l1_entry_check(&geo, COPIED | 0x50000, NULL), 0);
}

TEST(l2_standard_entries)
{
	struct q2_geometry geo = geometry(3, 16, false);

	says(&geo, 0, 0, 0, Q2_UNALLOCATED, 0, false);
	says(&geo, COPIED, 0, 0, Q2_UNALLOCATED, 0, false);
	says(&geo, 1, 0, 0, Q2_ZERO, 0, false);
	says(&geo, 0x70001, 0, 0, Q2_ZERO_ALLOCATED, 0x70000, false);
	says(&geo, COPIED | 0x70001, 0, 0, Q2_ZERO_ALLOCATED, 0x70000, true);
	says(&geo, 0x70000, 0, 0, Q2_DATA, 0x70000, false);
	says(&geo, COPIED | 0x00ffffffffff0000ULL, 0, 0, Q2_DATA, 0x00ffffffffff0000ULL, true);
	CHECK_EQ(q2_l2_run(&geo, COPIED | 0x70000, 0, 0), 1);
}

TEST(l2_standard_entries_that_are_broken)
{
	struct q2_geometry geo = geometry(3, 16, false), v2 = geometry(2, 16, false);
	int bit;

	broken(&geo, COPIED | 0x70200, 0, "L2 entry 0x8000000000070200");
	broken(&geo, 0x70201, 0, "cluster boundary"); /* QEMU judges zero clusters, too */
	broken(&v2, 0x70001, 0, "zero flag");
	broken(&v2, 1, 0, "version 2");
	says(&v2, COPIED | 0x70000, 0, 0, Q2_DATA, 0x70000, true);
	for (bit = 1; bit < 62; bit++) {
		struct q2_mapping map;

		if (bit >= 9 && bit <= 55)
			continue;
		tolerated(&geo, 0x70000 | 1ULL << bit, 0, "reserved bits");
		q2_l2_entry_decode(&geo, 0x70000 | 1ULL << bit, 0, 0, &map);
		CHECK_EQ(map.kind, Q2_DATA);
		CHECK_EQ(map.host, 0x70000);
	}
}

/* The spec's widths for every cluster size, and the bytes at both ends. */
TEST(l2_compressed_entries)
{
	unsigned int bits;
	u64 seed = 2;
	int i;

	for (bits = 9; bits <= 21; bits++) {
		struct q2_geometry geo = geometry(3, bits, false);
		unsigned int x = 70 - bits;
		u64 top = min(1ULL << x, 1ULL << 56) - 1, most = (1ULL << (62 - x)) - 1;
		struct q2_mapping map;

		map = good(&geo, COMPRESSED, 0, 0);
		CHECK_EQ(map.kind, Q2_COMPRESSED);
		CHECK_EQ(map.host, 0);
		CHECK_EQ(map.compressed_size, 512);
		map = good(&geo, COMPRESSED | most << x | top, 0, 0);
		CHECK_EQ(map.host, top);
		CHECK_EQ(map.compressed_size, (most + 1) * 512 - 511);
		CHECK_EQ((most + 1) * 512, 2ULL << bits);
		CHECK(!map.copied);
		CHECK_EQ(q2_l2_run(&geo, COMPRESSED, 0, 0), 1);
		if (x > 56)
			broken(&geo, COMPRESSED | 1ULL << 56, 0, "2^56");
		tolerated(&geo, COPIED | COMPRESSED | 5, 0, "COPIED");
		q2_l2_entry_decode(&geo, COPIED | COMPRESSED | 5, 0, 0, &map);
		CHECK_EQ(map.compressed_size, 507);
		CHECK(!map.copied);

		for (i = 0; i < 1000; i++) {
			u64 host = test_random(&seed) & top;
			u32 size = 1 + test_random(&seed) % (1U << bits);
			u64 word = q2_compressed_encode(&geo, host, size);

			map = good(&geo, word, 0, 0);
			CHECK_EQ(map.host, host);
			/* At least the size, less than a sector more, to a sector's end. */
			CHECK(map.compressed_size >= size && map.compressed_size < size + 512);
			CHECK_EQ((host + map.compressed_size) % 512, 0);
		}
	}
}

TEST(l2_extended_entries)
{
	struct q2_geometry geo = geometry(3, 14, true);
	u64 c = COPIED | 0x8000, none = 0;
	unsigned int sub;

	for (sub = 0; sub < 32; sub++) {
		u64 alloc = 1ULL << sub, zero = alloc << 32;
		u64 rest = ~alloc & 0xffffffff;

		says(&geo, none, 0, sub, Q2_UNALLOCATED, 0, false);
		says(&geo, none, zero, sub, Q2_ZERO, 0, false);
		says(&geo, none, rest << 32, sub, Q2_UNALLOCATED, 0, false);
		says(&geo, c, 0, sub, Q2_UNALLOCATED, 0x8000, true);
		says(&geo, c, zero, sub, Q2_ZERO_ALLOCATED, 0x8000, true);
		says(&geo, c, alloc, sub, Q2_DATA, 0x8000, true);
		says(&geo, c, alloc | rest << 32, sub, Q2_DATA, 0x8000, true);
		says(&geo, 0x8000, zero | rest, sub, Q2_ZERO_ALLOCATED, 0x8000, false);
		broken(&geo, c, alloc | zero, "both allocated and zero");
		broken(&geo, none, alloc, "no host cluster");
		broken(&geo, none, alloc | zero, "no host cluster");
		broken(&geo, COPIED, alloc, "no host cluster");
	}
	broken(&geo, 0x8200, 0, "cluster boundary");
	/* Bit 0 means nothing here, to QEMU's lookup as to its check. */
	says(&geo, c | 1, 1, 0, Q2_DATA, 0x8000, true);
	says(&geo, c | 1, 1, 1, Q2_UNALLOCATED, 0x8000, true);
	tolerated(&geo, c | 2, 1, "reserved bits");
}

TEST(l2_extended_compressed_entries)
{
	struct q2_geometry geo = geometry(3, 14, true);
	struct q2_mapping map = good(&geo, COMPRESSED | 0x12345, 0, 31);

	CHECK_EQ(map.kind, Q2_COMPRESSED);
	CHECK_EQ(map.host, 0x12345);
	CHECK_EQ(q2_l2_run(&geo, COMPRESSED | 0x12345, 0, 0), 32);
	CHECK_EQ(q2_l2_run(&geo, COMPRESSED | 0x12345, 0, 31), 1);
	/* QEMU's lookup does not look at the bitmap. */
	tolerated(&geo, COMPRESSED | 0x12345, 0xffffffffffffffffULL, "subcluster bitmap");
	q2_l2_entry_decode(&geo, COMPRESSED | 0x12345, U64_MAX, 0, &map);
	CHECK_EQ(map.kind, Q2_COMPRESSED);
	CHECK_EQ(q2_l2_run(&geo, COMPRESSED | 0x12345, U64_MAX, 5), 27);
}

/* Against the plain way: one subcluster after the other. */
TEST(l2_runs_of_subclusters)
{
	struct q2_geometry geo = geometry(3, 16, true);
	u64 seed = 3;
	int i;

	for (i = 0; i < 20000; i++) {
		u32 alloc = test_random(&seed), zero = test_random(&seed);
		u64 word = i & 1 ? 0x70000 : 0, bitmap;
		unsigned int sub = test_random(&seed) % 32, n;
		struct q2_mapping first, map;

		if (i % 3 == 0) { /* long runs */
			alloc = (u32)-1 << (alloc & 31);
			zero = (u32)-1 >> (zero & 31) >> 1;
		}
		alloc &= word ? ~zero : 0;
		bitmap = (u64)zero << 32 | alloc;
		first = good(&geo, word, bitmap, sub);
		for (n = 1; sub + n < 32; n++) {
			q2_l2_entry_decode(&geo, word, bitmap, sub + n, &map);
			if (map.kind != first.kind)
				break;
		}
		CHECK_EQ(q2_l2_run(&geo, word, bitmap, sub), n);
	}
}

/* Host offset 0 is a place in a data file, if COPIED says so. */
TEST(l2_entries_with_a_data_file)
{
	struct q2_geometry geo = geometry(3, 16, false);

	geo.data_file = true;
	says(&geo, COPIED, 0, 0, Q2_DATA, 0, true);
	says(&geo, 0, 0, 0, Q2_UNALLOCATED, 0, false);
	broken(&geo, COMPRESSED | 0x12345, 0, "external data file");
}
