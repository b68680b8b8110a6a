// SPDX-License-Identifier: GPL-2.0-only
/* Header extensions: what is taken from them, what is skipped, every refusal. */
#include "build.h"
#include "format/header.h"
#include "test.h"

#define CLUSTER 4096

/* Cluster 0 of an image under construction; the next extension goes to @at. */
struct area {
	u8 *buf;
	size_t at;
	struct q2_header hdr;
	struct q2_err err;
};

static struct area new_area(unsigned int version)
{
	struct area a = {.buf = calloc(1, CLUSTER)};

	put32(a.buf, H_MAGIC, 0x514649fb);
	put32(a.buf, H_VERSION, version);
	put32(a.buf, H_CLUSTER_BITS, 12);
	put64(a.buf, H_REFTABLE_OFFSET, CLUSTER);
	put32(a.buf, H_REFTABLE_CLUSTERS, 1);
	a.at = 72;
	if (version == 3) {
		put32(a.buf, H_REFCOUNT_ORDER, 4);
		put32(a.buf, H_HEADER_LENGTH, 112);
		a.at = 112;
	}
	return a;
}

static void add(struct area *a, u32 type, const void *data, u32 len)
{
	put32(a->buf, a->at, type);
	put32(a->buf, a->at + 4, len);
	memcpy(a->buf + a->at + 8, data, len);
	a->at += 8 + (len + 7) / 8 * 8;
}

static int decode_len(struct area *a, size_t len)
{
	int ret;

	a->err.text[0] = '\0';
	ret = q2_header_decode(a->buf, Q2_V3_HEADER_FULL, &a->hdr, &a->err);
	return ret ? ret : q2_header_decode_extensions(a->buf, len, &a->hdr, &a->err);
}

static int decode(struct area *a)
{
	return decode_len(a, CLUSTER);
}

/* Decode, expect a refusal and drop the area. */
static void refused(struct area *a, const char *names)
{
	CHECK_REFUSED(decode(a), EINVAL, &a->err, names);
	free(a->buf);
}

static void bitmaps_ext(u8 *d, u32 nr, u32 reserved, u64 size, u64 offset)
{
	put32(d, 0, nr);
	put32(d, 4, reserved);
	put64(d, 8, size);
	put64(d, 16, offset);
}

TEST(extensions_none)
{
	struct area a = new_area(2);

	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.extensions.offset, 72);
	CHECK_EQ(a.hdr.extensions.length, 0);
	CHECK_EQ(a.hdr.backing_format.length, 0);
	free(a.buf);
}

TEST(extensions_all_in_version_2_and_3)
{
	unsigned int version;
	u8 bitmaps[24];

	bitmaps_ext(bitmaps, 2, 0, 96, 0x7000);
	for (version = 2; version <= 3; version++) {
		struct area a = new_area(version);
		u32 first = a.at;

		add(&a, 0xe2792aca, "qcow2", 5);
		CHECK(a.at == first + 16);
		add(&a, 0x12345678, "unknown", 7);
		add(&a, 0x44415441, "data.raw", 8);
		add(&a, 0x6803f857, "\0\0dirty bit", 11);
		add(&a, 0x23852875, bitmaps, 24);
		put64(a.buf, H_BACKING_OFFSET, 2000);
		put32(a.buf, H_BACKING_SIZE, 8);
		memcpy(a.buf + 2000, "base.img", 8);
		if (version == 3)
			put64(a.buf, H_AUTOCLEAR, 1);
		CHECK_EQ(decode(&a), 0);
		CHECK_EQ(a.hdr.backing_format.offset, first + 8);
		CHECK_EQ(a.hdr.backing_format.length, 5);
		CHECK(!memcmp(a.buf + a.hdr.data_file.offset, "data.raw", 8));
		CHECK_EQ(a.hdr.data_file.length, 8);
		CHECK_EQ(a.hdr.backing.length, 8);
		CHECK(a.hdr.has_backing);
		CHECK_EQ(a.hdr.extensions.offset, first);
		CHECK_EQ(a.hdr.extensions.length, a.at - first);
		/* Version 2 has no autoclear bit to vouch for bitmaps. */
		CHECK_EQ(a.hdr.nb_bitmaps, version == 3 ? 2 : 0);
		CHECK_EQ(a.hdr.bitmap_directory_offset, version == 3 ? 0x7000 : 0);
		CHECK_EQ(a.hdr.bitmap_directory_size, version == 3 ? 96 : 0);
		free(a.buf);
	}
}

/* QEMU keeps strings as C strings, and the last extension of a type counts. */
TEST(extensions_strings_end_at_nul_and_the_last_counts)
{
	struct area a = new_area(3);

	add(&a, 0xe2792aca, "qcow2", 5);
	add(&a, 0xe2792aca, "raw\0qcow2", 9);
	put64(a.buf, H_BACKING_OFFSET, 2000);
	put32(a.buf, H_BACKING_SIZE, 8);
	memcpy(a.buf + 2000, "ab\0c.img", 8);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.backing_format.length, 3);
	CHECK_EQ(a.hdr.backing.length, 2);
	a.buf[2000] = 0;
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.backing.length, 0);
	CHECK(!a.hdr.has_backing);
	free(a.buf);
}

TEST(extensions_stop_at_end_marker)
{
	struct area a = new_area(3);

	add(&a, 0xe2792aca, "raw", 3);
	add(&a, 0, "", 0);
	add(&a, 0xe2792aca, "a name much too long to be one", 30);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.backing_format.length, 3);
	CHECK_EQ(a.hdr.extensions.length, 16);
	free(a.buf);
}

TEST(extensions_stop_at_backing_name)
{
	struct area a = new_area(3);

	add(&a, 0xe2792aca, "raw", 3);
	put64(a.buf, H_BACKING_OFFSET, a.at);
	put32(a.buf, H_BACKING_SIZE, 4);
	memset(a.buf + a.at, 0xff, 4);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.extensions.length, 16);
	/* A name inside the header leaves no room for any, and QEMU reads it. */
	put64(a.buf, H_BACKING_OFFSET, 8);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.extensions.length, 0);
	CHECK_EQ(a.hdr.backing_format.length, 0);
	free(a.buf);
}

TEST(extensions_refuse_what_leaves_the_area)
{
	struct area a = new_area(3);

	add(&a, 0x12345678, "", 0);
	put32(a.buf, 116, CLUSTER - 120);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.extensions.length, CLUSTER - 112);
	put32(a.buf, 116, CLUSTER - 119);
	refused(&a, "header extension 0x12345678");

	a = new_area(3);
	put32(a.buf, 112, 0x12345678);
	put32(a.buf, 116, 0xffffffff);
	refused(&a, "4294967295 bytes");

	/* The end marker's own head has to fit as well. */
	a = new_area(3);
	put64(a.buf, H_BACKING_OFFSET, 116);
	refused(&a, "ends at 116");
}

/* Past the end of the file everything reads zero: an end marker, or empty data. */
TEST(extensions_end_with_the_file)
{
	struct area a = new_area(3);
	size_t len;
	u8 *cut;

	add(&a, 0xe2792aca, "qcow2", 5);
	for (len = 112; len <= 128; len++) {
		struct area b = a;

		cut = malloc(len);
		memcpy(cut, a.buf, len);
		b.buf = cut;
		CHECK_EQ(decode_len(&b, len), 0);
		/* Half a type is another one, half a length shorter, half a name too. */
		CHECK_EQ(b.hdr.backing_format.length, len < 120 ? 0 : min(len - 120, (size_t)5));
		free(cut);
	}
	free(a.buf);
}

TEST(extensions_refuse_backing_format)
{
	struct area a = new_area(3);

	add(&a, 0xe2792aca, "123456789012345", 15);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.backing_format.length, 15);
	a.at = 112;
	add(&a, 0xe2792aca, "1234567890123456", 16);
	refused(&a, "16 bytes");
}

static void bitmaps_refused(u32 len, u32 nr, u32 reserved, u64 size, u64 offset, const char *names)
{
	struct area a = new_area(3);
	u8 d[32] = {0};

	put64(a.buf, H_AUTOCLEAR, 1);
	bitmaps_ext(d, nr, reserved, size, offset);
	add(&a, 0x23852875, d, len);
	refused(&a, names);
}

TEST(extensions_refuse_bitmaps)
{
	u64 max = 1024ULL * 65535;
	struct area a;
	u8 d[24];

	bitmaps_refused(23, 1, 0, 32, 0x1000, "bitmaps extension has 23 bytes");
	bitmaps_refused(32, 1, 0, 32, 0x1000, "bitmaps extension has 32 bytes");
	bitmaps_refused(24, 0, 0, 32, 0x1000, "0 bitmaps");
	bitmaps_refused(24, 65536, 0, 32, 0x1000, "65536 bitmaps");
	bitmaps_refused(24, 1, 7, 32, 0x1000, "reserved field");
	bitmaps_refused(24, 1, 0, 0, 0x1000, "directory has 0 bytes");
	bitmaps_refused(24, 1, 0, max + 1, 0x1000, "bitmap directory has 67107841 bytes");
	bitmaps_refused(24, 1, 0, U64_MAX, 0x1000, "bitmap directory");
	bitmaps_refused(24, 1, 0, 32, 0x1200, "bitmap directory is at offset 0x1200");
	bitmaps_refused(24, 1, 0, max, 0x7ffffffffffff000ULL, "bitmap directory");
	bitmaps_refused(24, 1, 0, 32, 0xfffffffffffff000ULL, "bitmap directory");

	/* The limits themselves are fine; so is anything without the autoclear bit. */
	a = new_area(3);
	bitmaps_ext(d, 65535, 0, max, 0x1000);
	add(&a, 0x23852875, d, 24);
	put64(a.buf, H_AUTOCLEAR, 1);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.nb_bitmaps, 65535);
	put64(a.buf, H_AUTOCLEAR, 0);
	put32(a.buf, 124, 99);
	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.nb_bitmaps, 0);
	free(a.buf);
}

static struct area luks(u32 crypt, u64 offset, u64 length, u32 bytes)
{
	struct area a = new_area(3);
	u8 d[32] = {0};

	put32(a.buf, H_CRYPT, crypt);
	put64(d, 0, offset);
	put64(d, 8, length);
	if (bytes)
		add(&a, 0x0537be77, d, bytes);
	return a;
}

TEST(extensions_encryption_header)
{
	struct area a = luks(2, 0x3000, 0x1f0000, 16);

	CHECK_EQ(decode(&a), 0);
	CHECK_EQ(a.hdr.crypto_offset, 0x3000);
	CHECK_EQ(a.hdr.crypto_length, 0x1f0000);
	free(a.buf);
	a = luks(1, 0, 0, 0);
	CHECK_EQ(decode(&a), 0); /* AES has none */
	free(a.buf);

	a = luks(2, 0, 0, 0);
	refused(&a, "LUKS");
	a = luks(1, 0x3000, 0x1000, 16);
	refused(&a, "encryption method 1");
	a = luks(0, 0x3000, 0x1000, 16);
	refused(&a, "encryption method 0");
	a = luks(2, 0x3000, 0x1000, 15);
	refused(&a, "15 bytes");
	a = luks(2, 0x3100, 0x1000, 16);
	refused(&a, "encryption header is at offset 0x3100");
	a = luks(2, 0x3000, 0, 16);
	refused(&a, "encryption header is empty");
	a = luks(2, 0x3000, U64_MAX, 16);
	CHECK_EQ(decode(&a), -EINVAL);
	refused(&a, "encryption header");
	a = luks(2, 0x7ffffffffffff000ULL, 0x1000, 16);
	refused(&a, "encryption header");
}
