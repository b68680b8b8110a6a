// SPDX-License-Identifier: GPL-2.0-only
/* Bitmap directory entries and bitmap table entries. */
#include "build.h"
#include "format/bitmap.h"
#include "test.h"

static const struct q2_header hdr = {.version = 3, .cluster_bits = 16, .size = 1ULL << 30};

/* A good entry of 24 + 4 bytes, padded. */
static void entry(u8 *buf)
{
	memset(buf, 0, 64);
	put64(buf, 0, 0x70000);
	put32(buf, 8, 1);
	put32(buf, 12, 2);
	buf[16] = 1;
	buf[17] = 16;
	put16(buf, 18, 4);
	memcpy(buf + 24, "bm-0", 4);
}

static int decode(const u8 *buf, size_t len, struct q2_bitmap *bm, struct q2_err *err)
{
	size_t next;

	return q2_bitmap_decode(&hdr, buf, len, 0, bm, &next, err);
}

static void accepted(const u8 *buf)
{
	struct q2_bitmap bm;

	CHECK_EQ(decode(buf, 2048, &bm, NULL), 0);
}

static void refused(const u8 *buf, size_t len, const char *names)
{
	struct q2_err err = {""};
	struct q2_bitmap bm;

	CHECK_REFUSED(decode(buf, len, &bm, &err), EINVAL, &err, names);
}

TEST(bitmap_fields)
{
	struct q2_bitmap bm;
	u8 buf[128];
	size_t next;

	entry(buf + 8);
	CHECK_EQ(q2_bitmap_decode(&hdr, buf, 40, 8, &bm, &next, NULL), 0);
	CHECK_EQ(next, 40);
	CHECK_EQ(bm.table_offset, 0x70000);
	CHECK_EQ(bm.table_size, 1);
	CHECK_EQ(bm.flags, Q2_BITMAP_AUTO);
	CHECK_EQ(bm.granularity_bits, 16);
	CHECK_EQ(bm.name.offset, 32);
	CHECK_EQ(bm.name.length, 4);
}

TEST(bitmap_refuses_entries)
{
	u8 buf[2048] = {0};

	entry(buf);
	accepted(buf);
	refused(buf, 0, "byte 0");
	refused(buf, 23, "directory ends");
	refused(buf, 31, "directory ends");
	put32(buf, 20, 0xffffffff);
	refused(buf, 2048, "directory ends");
	entry(buf);
	buf[16] = 2;
	refused(buf, 2048, "type 2");
	entry(buf);
	put32(buf, 12, 0xfffffff8);
	refused(buf, 2048, "unknown flags 0xfffffff8");
	entry(buf);
	buf[17] = 8;
	refused(buf, 2048, "granularity_bits 8");
	buf[17] = 32;
	refused(buf, 2048, "granularity_bits 32");
	buf[17] = 31;
	accepted(buf);
	entry(buf);
	put16(buf, 18, 1023);
	accepted(buf);
	put16(buf, 18, 1024);
	refused(buf, 2048, "1024 bytes");
	/* Extra data that nobody knows: the spec lets them be. */
	entry(buf);
	put32(buf, 20, 100);
	put32(buf, 12, 4);
	accepted(buf);
}

TEST(bitmap_refuses_tables)
{
	struct q2_header small = {.version = 3, .cluster_bits = 9};
	struct q2_err err = {""};
	struct q2_bitmap bm;
	u8 buf[2048] = {0};
	size_t next;

	entry(buf);
	put32(buf, 8, 0);
	refused(buf, 2048, "no bitmap table");
	entry(buf);
	put64(buf, 0, 0);
	refused(buf, 2048, "no bitmap table");
	put64(buf, 0, 0x70200);
	refused(buf, 2048, "0x70200");
	put64(buf, 0, 0xffffffffffff0000ULL);
	refused(buf, 2048, "bitmap table");
	entry(buf);
	put32(buf, 8, 8192);
	accepted(buf);
	put32(buf, 8, 8193);
	refused(buf, 2048, "limit is 536870912");
	put32(buf, 8, 0xffffffff);
	refused(buf, 2048, "bitmap table");
	/* 65536 * 8 bits of 1 KiB each are half of the image, unless it is in use. */
	entry(buf);
	buf[17] = 11;
	accepted(buf);
	buf[17] = 10;
	refused(buf, 2048, "too small");
	put32(buf, 12, 1);
	accepted(buf);
	/* The count alone, where clusters are small. */
	put32(buf, 8, 0x100000);
	CHECK_EQ(q2_bitmap_decode(&small, buf, 2048, 0, &bm, &next, &err), 0);
	put32(buf, 8, 0x100001);
	CHECK_REFUSED(q2_bitmap_decode(&small, buf, 2048, 0, &bm, &next, &err), EINVAL, &err,
		      "limit");
}

TEST(bitmap_table_entries)
{
	struct q2_err err = {""};
	u64 offset;

	CHECK_EQ(q2_bitmap_table_entry_decode(&hdr, 0, &offset, NULL), 0);
	CHECK_EQ(offset, 0);
	CHECK_EQ(q2_bitmap_table_entry_decode(&hdr, 1, &offset, NULL), 0); /* all ones */
	CHECK_EQ(offset, 0);
	CHECK_EQ(q2_bitmap_table_entry_decode(&hdr, 0x00ffffffffff0000ULL, &offset, NULL), 0);
	CHECK_EQ(offset, 0x00ffffffffff0000ULL);
	CHECK_REFUSED(q2_bitmap_table_entry_decode(&hdr, 0x10001, &offset, &err), EINVAL, &err,
		      "reserved bits");
	CHECK_REFUSED(q2_bitmap_table_entry_decode(&hdr, 2, &offset, &err), EINVAL, &err,
		      "reserved bits");
	CHECK_REFUSED(q2_bitmap_table_entry_decode(&hdr, 1ULL << 56, &offset, &err), EINVAL, &err,
		      "reserved bits");
	CHECK_REFUSED(q2_bitmap_table_entry_decode(&hdr, 0x10200, &offset, &err), EINVAL, &err,
		      "cluster boundary");
}
