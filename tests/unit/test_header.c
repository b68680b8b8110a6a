// SPDX-License-Identifier: GPL-2.0-only
/* The fixed header: what is decoded, every limit from both sides, every refusal. */
#include "build.h"
#include "format/header.h"
#include "test.h"

/* A version 3 header that says yes to everything, of an image of 1 GiB. */
static void good_header(u8 *buf)
{
	memset(buf, 0, 512);
	put32(buf, H_MAGIC, 0x514649fb);
	put32(buf, H_VERSION, 3);
	put32(buf, H_CLUSTER_BITS, 16);
	put64(buf, H_SIZE, 1ULL << 30);
	put32(buf, H_L1_SIZE, 2);
	put64(buf, H_L1_OFFSET, 0x30000);
	put64(buf, H_REFTABLE_OFFSET, 0x10000);
	put32(buf, H_REFTABLE_CLUSTERS, 1);
	put32(buf, H_REFCOUNT_ORDER, 4);
	put32(buf, H_HEADER_LENGTH, 112);
}

static int decode(const u8 *buf, struct q2_header *hdr)
{
	return q2_header_decode(buf, Q2_V3_HEADER_FULL, hdr, NULL);
}

static void refused(const u8 *buf, int code, const char *names)
{
	struct q2_err err = {""};
	struct q2_header hdr;

	CHECK_REFUSED(q2_header_decode(buf, Q2_V3_HEADER_FULL, &hdr, &err), code, &err, names);
	/* Nobody has to ask for the reason. */
	CHECK_EQ(decode(buf, &hdr), -code);
}

static void accepted(const u8 *buf)
{
	struct q2_header hdr;

	CHECK_EQ(decode(buf, &hdr), 0);
}

/* A field of @bytes that may be @good and must not be @bad, which @names tell of. */
static void limit32(size_t at, u32 good, u32 bad, int code, const char *names)
{
	u8 buf[512];

	good_header(buf);
	put32(buf, at, good);
	accepted(buf);
	put32(buf, at, bad);
	refused(buf, code, names);
}

static void limit64(size_t at, u64 good, u64 bad, int code, const char *names)
{
	u8 buf[512];

	good_header(buf);
	put64(buf, at, good);
	accepted(buf);
	put64(buf, at, bad);
	refused(buf, code, names);
}

TEST(header_fields_of_version_3)
{
	struct q2_header hdr;
	u8 buf[512];

	good_header(buf);
	put64(buf, H_SIZE, (1ULL << 30) - 1);
	put64(buf, H_BACKING_OFFSET, 0x200);
	put32(buf, H_BACKING_SIZE, 9);
	put32(buf, H_NB_SNAPSHOTS, 3);
	put64(buf, H_SNAPSHOTS_OFFSET, 0x50000);
	put64(buf, H_INCOMPATIBLE, 0x1b); /* all but the data file */
	put32(buf, H_L1_SIZE, 4);	  /* extended entries: a table maps half as much */
	put64(buf, H_COMPATIBLE, 0xf00000000000000fULL);
	put64(buf, H_AUTOCLEAR, 0xf00000000000000dULL);
	put32(buf, H_REFCOUNT_ORDER, 6);
	buf[H_COMPRESSION] = 1;
	CHECK_EQ(decode(buf, &hdr), 0);
	CHECK_EQ(hdr.version, 3);
	CHECK_EQ(hdr.cluster_bits, 16);
	CHECK_EQ(hdr.size, (1ULL << 30) - 512); /* rounded down to sectors */
	CHECK_EQ(hdr.crypt_method, 0);
	CHECK_EQ(hdr.l1_size, 4);
	CHECK_EQ(hdr.l1_offset, 0x30000);
	CHECK_EQ(hdr.refcount_table_offset, 0x10000);
	CHECK_EQ(hdr.refcount_table_clusters, 1);
	CHECK_EQ(hdr.nb_snapshots, 3);
	CHECK_EQ(hdr.snapshots_offset, 0x50000);
	CHECK_EQ(hdr.incompatible, 0x1b);
	CHECK_EQ(hdr.compatible, 0xf00000000000000fULL);
	CHECK_EQ(hdr.autoclear, 0xf00000000000000dULL);
	CHECK_EQ(hdr.refcount_order, 6);
	CHECK_EQ(hdr.header_length, 112);
	CHECK_EQ(hdr.compression_type, 1);
	CHECK(hdr.has_backing);
	CHECK_EQ(hdr.backing.offset, 0x200);
	CHECK_EQ(hdr.backing.length, 9);
	CHECK_EQ(hdr.extensions.length, 0);
}

/* Bytes from 72 on are extensions or nothing: none of them is a field. */
TEST(header_version_2_has_no_features)
{
	struct q2_header hdr;
	u8 buf[512];

	good_header(buf);
	put32(buf, H_VERSION, 2);
	memset(buf + 72, 0xff, 40);
	CHECK_EQ(decode(buf, &hdr), 0);
	CHECK_EQ(hdr.incompatible | hdr.compatible | hdr.autoclear, 0);
	CHECK_EQ(hdr.refcount_order, 4);
	CHECK_EQ(hdr.header_length, 72);
	CHECK_EQ(hdr.compression_type, 0);
}

/* A file that ends in the header reads zeroes behind its end, as in QEMU. */
TEST(header_cut_short)
{
	u8 buf[512], *cut;
	struct q2_header hdr;
	size_t len;

	good_header(buf);
	for (len = 0; len <= Q2_V3_HEADER_FULL; len++) {
		int want = len < 104 ? -EINVAL : 0;

		/* The version: byte 7 is the only one that is not zero. */
		if (len >= 4 && len < 8)
			want = -EOPNOTSUPP;
		cut = malloc(len + 1); /* ASan sees one byte too many */
		memcpy(cut + 1, buf, len);
		CHECK_EQ(q2_header_decode(cut + 1, len, &hdr, NULL), want);
		free(cut);
	}
	put32(buf, H_VERSION, 2);
	CHECK_EQ(q2_header_decode(buf, 72, &hdr, NULL), 0);
	CHECK_EQ(q2_header_decode(buf, 56, &hdr, NULL), -EINVAL);
}

TEST(header_refuses_magic_and_version)
{
	limit32(H_MAGIC, 0x514649fb, 0x514649fa, EINVAL, "not a qcow2 image");
	limit32(H_VERSION, 2, 1, EOPNOTSUPP, "version 1 ");
	limit32(H_VERSION, 3, 4, EOPNOTSUPP, "version 4 ");
	limit32(H_VERSION, 3, 0xffffffff, EOPNOTSUPP, "version 4294967295 ");
}

TEST(header_refuses_cluster_bits)
{
	u8 buf[512];

	limit32(H_CLUSTER_BITS, 16, 22, EINVAL, "cluster_bits is 22");
	limit32(H_CLUSTER_BITS, 16, 0xffffffff, EINVAL, "cluster_bits is 4294967295");
	good_header(buf);
	put32(buf, H_CLUSTER_BITS, 21);
	put64(buf, H_L1_OFFSET, 0x200000);
	put64(buf, H_REFTABLE_OFFSET, 0x400000);
	accepted(buf);
	good_header(buf);
	put32(buf, H_CLUSTER_BITS, 9);
	put64(buf, H_SIZE, 65536);
	accepted(buf);
	put32(buf, H_CLUSTER_BITS, 8);
	refused(buf, EINVAL, "cluster_bits is 8");
}

TEST(header_refuses_header_length)
{
	limit32(H_HEADER_LENGTH, 104, 103, EINVAL, "header_length is 103");
	limit32(H_HEADER_LENGTH, 65536, 65537, EINVAL, "header_length is 65537");
	limit32(H_HEADER_LENGTH, 105, 0, EINVAL, "header_length is 0"); /* QEMU asks for no 8 */
	limit32(H_HEADER_LENGTH, 112, 0xffffffff, EINVAL, "header_length is 4294967295");
}

TEST(header_refuses_backing_name)
{
	u8 buf[512];

	good_header(buf);
	put32(buf, H_BACKING_SIZE, 0xffffffff); /* without an offset it says nothing */
	accepted(buf);
	put64(buf, H_BACKING_OFFSET, 0x1000);
	refused(buf, EINVAL, "backing file name has 4294967295 bytes");
	put32(buf, H_BACKING_SIZE, 1024);
	refused(buf, EINVAL, "backing file name has 1024 bytes");
	put32(buf, H_BACKING_SIZE, 1023);
	accepted(buf);
	put64(buf, H_BACKING_OFFSET, 0x10000 - 1023);
	accepted(buf);
	put64(buf, H_BACKING_OFFSET, 0x10000 - 1022);
	refused(buf, EINVAL, "backing file name");
	put32(buf, H_BACKING_SIZE, 0);
	put64(buf, H_BACKING_OFFSET, 0x10000);
	accepted(buf);
	put64(buf, H_BACKING_OFFSET, 0x10001);
	refused(buf, EINVAL, "backing file name");
	put64(buf, H_BACKING_OFFSET, U64_MAX);
	refused(buf, EINVAL, "0xffffffffffffffff");
}

TEST(header_refuses_compression_type)
{
	u8 buf[512];

	good_header(buf);
	buf[H_COMPRESSION] = 2;
	refused(buf, EOPNOTSUPP, "compression type 2");
	put64(buf, H_INCOMPATIBLE, 8);
	refused(buf, EOPNOTSUPP, "compression type 2");
	buf[H_COMPRESSION] = 0;
	refused(buf, EINVAL, "compression type 0");
	buf[H_COMPRESSION] = 1;
	accepted(buf);
	put64(buf, H_INCOMPATIBLE, 0);
	refused(buf, EINVAL, "compression type 1");
	/* A header that ends before the field has none. */
	put32(buf, H_HEADER_LENGTH, 104);
	accepted(buf);
	put64(buf, H_INCOMPATIBLE, 8);
	refused(buf, EINVAL, "compression type 0");
}

TEST(header_refuses_features)
{
	u8 buf[512];
	int bit;

	for (bit = 0; bit < 64; bit++) {
		good_header(buf);
		put64(buf, H_INCOMPATIBLE, 1ULL << bit);
		put32(buf, H_L1_SIZE, 4);
		if (bit == 3)
			buf[H_COMPRESSION] = 1;
		if (bit < 5)
			accepted(buf);
		else
			refused(buf, EOPNOTSUPP, "incompatible features");
	}
	/* Whatever is in the other two sets does not matter to a reader, */
	good_header(buf);
	put64(buf, H_COMPATIBLE, U64_MAX);
	put64(buf, H_AUTOCLEAR, U64_MAX & ~2ULL);
	accepted(buf);
	/* but raw data without a data file do. */
	put64(buf, H_AUTOCLEAR, 2);
	refused(buf, EINVAL, "autoclear feature bit 1");
	put64(buf, H_INCOMPATIBLE, 4);
	accepted(buf);
}

TEST(header_refuses_extended_l2_in_small_clusters)
{
	u8 buf[512];

	good_header(buf);
	put64(buf, H_INCOMPATIBLE, 16);
	put64(buf, H_SIZE, 1 << 20);
	put32(buf, H_CLUSTER_BITS, 14);
	put64(buf, H_L1_OFFSET, 0x4000);
	accepted(buf);
	put32(buf, H_CLUSTER_BITS, 13);
	refused(buf, EINVAL, "extended L2 entries");
}

TEST(header_refuses_crypt_method)
{
	limit32(H_CRYPT, 2, 3, EINVAL, "encryption method 3");
	limit32(H_CRYPT, 1, 0xffffffff, EINVAL, "encryption method 4294967295");
}

TEST(header_refuses_refcounts)
{
	limit32(H_REFCOUNT_ORDER, 6, 7, EINVAL, "refcount_order is 7");
	limit32(H_REFTABLE_CLUSTERS, 128, 129, EFBIG, "refcount table");
	limit32(H_REFTABLE_CLUSTERS, 1, 0, EINVAL, "no refcount table");
	limit32(H_REFTABLE_CLUSTERS, 1, 0xffffffff, EFBIG, "refcount table");
	limit64(H_REFTABLE_OFFSET, 0, 0x200, EINVAL, "refcount table is at offset 0x200");
	limit64(H_REFTABLE_OFFSET, 0x7ffffffffffe0000ULL, 0x7fffffffffff0000ULL, EINVAL,
		"refcount table");
	limit64(H_REFTABLE_OFFSET, 0x10000, 0xffffffffffff0000ULL, EINVAL, "refcount table");
}

TEST(header_refuses_snapshot_table)
{
	u8 buf[512];

	limit32(H_NB_SNAPSHOTS, 65536, 65537, EFBIG, "snapshot table");
	limit32(H_NB_SNAPSHOTS, 1, 0xffffffff, EFBIG, "snapshot table");
	/* The offset is judged without snapshots, too. QEMU. */
	limit64(H_SNAPSHOTS_OFFSET, 0, 0x200, EINVAL, "snapshot table is at offset 0x200");
	limit64(H_SNAPSHOTS_OFFSET, 0x7fffffffffff0000ULL, 0x8000000000000000ULL, EINVAL,
		"snapshot table");
	good_header(buf);
	put32(buf, H_NB_SNAPSHOTS, 65536);
	put64(buf, H_SNAPSHOTS_OFFSET, 0x7fffffffffff0000ULL);
	refused(buf, EINVAL, "snapshot table");
}

TEST(header_refuses_l1_table)
{
	u8 buf[512];

	limit32(H_L1_SIZE, 4 << 20, (4 << 20) + 1, EFBIG, "L1 table");
	limit32(H_L1_SIZE, 3, 0xffffffff, EFBIG, "L1 table");
	limit32(H_L1_SIZE, 2, 1, EINVAL, "L1 table has 1 entries");
	limit64(H_L1_OFFSET, 0, 0x30200, EINVAL, "L1 table is at offset 0x30200");
	limit64(H_L1_OFFSET, 0x7fffffffffff0000ULL, 0xffffffffffff0000ULL, EINVAL, "L1 table");
	/* An empty image needs no table. */
	good_header(buf);
	put32(buf, H_L1_SIZE, 0);
	put64(buf, H_L1_OFFSET, 0);
	put64(buf, H_SIZE, 0);
	accepted(buf);
	put64(buf, H_SIZE, 1);
	refused(buf, EINVAL, "L1 table has 0 entries");
}

TEST(header_refuses_size)
{
	u8 buf[512];

	/* One table maps 512 MiB: the size in bytes counts, not in sectors. */
	limit64(H_SIZE, 1ULL << 30, (1ULL << 30) + 1, EINVAL, "L1 table has 2 entries");
	limit64(H_SIZE, 0, 0x7fffffffffffffffULL, EFBIG, "size of 9223372036854775807");
	limit64(H_SIZE, 0, 0x8000000000000000ULL, EFBIG, "size of 9223372036854775808");
	/* Here QEMU's sum wraps to no entries at all. */
	limit64(H_SIZE, 0, U64_MAX, EFBIG, "size of 18446744073709551615");
	good_header(buf);
	put32(buf, H_CLUSTER_BITS, 21);
	put32(buf, H_L1_SIZE, 4 << 20);
	put64(buf, H_L1_OFFSET, 0);
	put64(buf, H_REFTABLE_OFFSET, 0);
	put64(buf, H_SIZE, 1ULL << 61);
	accepted(buf);
	put64(buf, H_SIZE, (1ULL << 61) + 512);
	refused(buf, EINVAL, "L1 table");
}

TEST(header_encode_gives_the_bytes_back)
{
	u64 seed = 1;
	int i, n = 0;

	for (i = 0; i < 2000; i++) {
		u8 buf[512], back[512];
		struct q2_header hdr;
		u32 length = 104 + test_random(&seed) % 9;

		good_header(buf);
		put32(buf, H_VERSION, i & 1 ? 3 : 2);
		put32(buf, H_CLUSTER_BITS, 9 + test_random(&seed) % 13);
		put64(buf, H_SIZE, test_random(&seed) % 64 * 512);
		put32(buf, H_CRYPT, test_random(&seed) % 3);
		put32(buf, H_L1_SIZE, 1 + test_random(&seed) % 1000);
		put64(buf, H_L1_OFFSET, test_random(&seed) % 1000 << 21);
		put64(buf, H_REFTABLE_OFFSET, test_random(&seed) % 1000 << 21);
		put32(buf, H_REFTABLE_CLUSTERS, 1 + test_random(&seed) % 4);
		put32(buf, H_NB_SNAPSHOTS, test_random(&seed) % 1000);
		put64(buf, H_SNAPSHOTS_OFFSET, test_random(&seed) % 1000 << 21);
		if (test_random(&seed) & 1) {
			put64(buf, H_BACKING_OFFSET, 200);
			put32(buf, H_BACKING_SIZE, 1 + test_random(&seed) % 300);
		}
		put64(buf, H_INCOMPATIBLE, test_random(&seed) & 7);
		put64(buf, H_COMPATIBLE, test_random(&seed));
		put64(buf, H_AUTOCLEAR, test_random(&seed) & ~2ULL);
		put32(buf, H_REFCOUNT_ORDER, test_random(&seed) % 7);
		put32(buf, H_HEADER_LENGTH, length);
		if (decode(buf, &hdr))
			continue;
		n++;
		memset(back, 0xee, sizeof(back));
		q2_header_encode(&hdr, back);
		length = i & 1 ? length : 72;
		CHECK(!memcmp(buf, back, length));
		CHECK_EQ(back[length], 0xee);
	}
	CHECK(n > 1000);
}

TEST(header_geometry)
{
	unsigned int bits, order, ext;

	for (bits = 9; bits <= 21; bits++) {
		for (order = 0; order <= 6; order++) {
			for (ext = 0; ext < (bits < 14 ? 1 : 2); ext++) {
				struct q2_header hdr = {.version = 3, .cluster_bits = bits};
				struct q2_geometry geo;
				u64 entries = (1ULL << bits) / (ext ? 16 : 8);

				hdr.refcount_order = order;
				hdr.incompatible = ext ? Q2_INCOMPAT_EXTL2 : 0;
				q2_header_geometry(&hdr, &geo);
				CHECK_EQ(geo.cluster_size, 1 << bits);
				CHECK_EQ(geo.extended_l2, ext);
				CHECK_EQ(1ULL << geo.l2_bits, entries);
				CHECK_EQ(1 << geo.l2_entry_bits, ext ? 16 : 8);
				CHECK_EQ(1ULL << geo.subcluster_bits, (1 << bits) / (ext ? 32 : 1));
				CHECK_EQ(1ULL << geo.refblock_bits, (8ULL << bits) >> order);
				CHECK_EQ(geo.compressed_offset_bits, 62 - (bits - 8));
				CHECK_EQ(q2_l2_coverage(&geo), entries << bits);
				CHECK_EQ(q2_l1_index(&geo, (entries << bits) * 5 + 1), 5);
				CHECK_EQ(q2_l2_index(&geo, (entries << bits) * 6 - 1), entries - 1);
			}
		}
	}
}
