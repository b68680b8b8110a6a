// SPDX-License-Identifier: GPL-2.0-only
/* Opening an image and looking things up in it. */
#include "build.h"
#include "image/image.h"
#include "images.h"
#include "test.h"

#define COPIED (1ULL << 63)

static struct q2_image *opened(struct built *b)
{
	struct q2_err err = {""};
	struct q2_image *img = q2_image_open(&b->mem->file, Q2_CACHE_MIN, &err);

	if (IS_ERR(img))
		test_fail(__FILE__, __LINE__, "%ld %s", PTR_ERR(img), err.text);
	return img;
}

static void says(struct q2_image *img, u64 guest, u64 len, int ret, u64 run, enum q2_kind kind,
		 u64 host)
{
	struct q2_extent ext;

	CHECK_EQ(q2_image_lookup(img, guest, len, &ext), ret);
	CHECK_EQ(ext.guest, guest);
	CHECK_EQ(ext.len, run);
	if (ret)
		return;
	CHECK_EQ(ext.kind, kind);
	if (kind == Q2_DATA || kind == Q2_COMPRESSED)
		CHECK_EQ(ext.host, host);
}

TEST(image_accessors)
{
	struct built b = build_image(3, 12, false, 1 << 20, 1);
	struct q2_image *img;
	char name[16];

	put64(b.mem->data, H_BACKING_OFFSET, 1000);
	put32(b.mem->data, H_BACKING_SIZE, 8);
	memcpy(b.mem->data + 1000, "base.img", 8);
	img = opened(&b);
	CHECK_EQ(q2_image_size(img), 1 << 20);
	CHECK_EQ(q2_image_geometry(img)->cluster_bits, 12);
	CHECK(q2_image_file(img) == &b.mem->file);
	CHECK(q2_image_header(img)->has_backing);
	CHECK_EQ(q2_image_span(img, &q2_image_header(img)->backing, name), 0);
	CHECK(!strcmp(name, "base.img"));
	CHECK_EQ(q2_image_span(img, &q2_image_header(img)->data_file, name), 0);
	CHECK(!strcmp(name, ""));
	fault_read(1, false);
	CHECK_EQ(q2_image_span(img, &q2_image_header(img)->backing, name), -EIO);
	CHECK(!strcmp(name, ""));
	q2_image_close(img);
	built_free(&b);
}

/* Runs go on as long as the answer does, to the end of a slice, the disk or the request. */
TEST(image_lookup_runs)
{
	struct built b = build_image(3, 12, false, (2 << 20) + 8192 + 512, 16);
	u64 cs = 4096, d = built_data(&b, 0);
	struct q2_image *img;
	struct q2_extent ext;

	built_map(&b, 1, COPIED | d, 0);
	built_map(&b, 2, COPIED | (d + cs), 0);
	built_map(&b, 3, d + 2 * cs, 0);
	built_map(&b, 4, COPIED | (d + 4 * cs), 0); /* a gap in the host file */
	built_map(&b, 5, 1, 0);
	built_map(&b, 6, 1 | (d + 5 * cs), 0);
	built_map(&b, 7, 1 | (d + 9 * cs), 0);
	built_map(&b, 8, (1ULL << 62) | (d + 100), 0);
	built_map(&b, 9, (1ULL << 62) | (d + 400), 0);
	built_map(&b, 511, COPIED | (d + 7 * cs), 0);
	built_map(&b, 512, COPIED | (d + 8 * cs), 0); /* the next table goes on */
	img = opened(&b);
	says(img, 0, 1 << 30, 0, cs, Q2_UNALLOCATED, 0);
	says(img, 512, 100, 0, 100, Q2_UNALLOCATED, 0);
	says(img, cs, 1 << 30, 0, 3 * cs, Q2_DATA, d);
	says(img, cs + 512, cs, 0, cs, Q2_DATA, d + 512);
	says(img, 2 * cs + 1, 1 << 30, 0, 2 * cs - 1, Q2_DATA, d + cs + 1);
	says(img, 4 * cs, 1 << 30, 0, cs, Q2_DATA, d + 4 * cs);
	says(img, 5 * cs, 1 << 30, 0, cs, Q2_ZERO, 0);
	says(img, 6 * cs + 5, 1 << 30, 0, 2 * cs - 5, Q2_ZERO_ALLOCATED, 0);
	says(img, 8 * cs + 7, 1 << 30, 0, cs - 7, Q2_COMPRESSED, d + 100);
	says(img, 9 * cs, 1 << 30, 0, cs, Q2_COMPRESSED, d + 400);
	says(img, 511 * cs, 1 << 30, 0, cs, Q2_DATA, d + 7 * cs);
	says(img, 513 * cs, 1 << 30, 0, cs + 512, Q2_UNALLOCATED, 0);
	says(img, (2 << 20) + 8192 + 511, 1 << 30, 0, 1, Q2_UNALLOCATED, 0);
	/* COPIED only if every cluster of the run has it. */
	CHECK_EQ(q2_image_lookup(img, cs, 2 * cs, &ext), 0);
	CHECK(ext.copied);
	CHECK_EQ(q2_image_lookup(img, cs, 3 * cs, &ext), 0);
	CHECK(!ext.copied);
	q2_image_close(img);
	built_free(&b);
}

/* Tables that are absent are told of as one run, over as many as there are. */
TEST(image_lookup_without_tables)
{
	struct built b = build_image(3, 9, false, 1 << 20, 1);
	u64 coverage = 64 * 512, i;
	struct q2_image *img;

	for (i = 0; i < (1 << 20) / coverage; i++) {
		if (i != 5)
			put64(b.mem->data, 2 * 512 + i * 8, 0);
	}
	img = opened(&b);
	says(img, 0, 1 << 30, 0, 5 * coverage, Q2_UNALLOCATED, 0);
	says(img, 512, 1 << 30, 0, 5 * coverage - 512, Q2_UNALLOCATED, 0);
	says(img, coverage - 1, 2, 0, 2, Q2_UNALLOCATED, 0);
	says(img, 6 * coverage, 1ULL << 60, 0, (1 << 20) - 6 * coverage, Q2_UNALLOCATED, 0);
	q2_image_close(img);
	built_free(&b);
}

TEST(image_lookup_of_subclusters)
{
	struct built b = build_image(3, 14, true, 1 << 20, 4);
	u64 d = built_data(&b, 0), sc = 512, cs = 16384;
	struct q2_image *img;

	built_map(&b, 0, COPIED | d, 0x00000000ffff0000ULL);
	built_map(&b, 1, COPIED | (d + cs), 0x80000000000000ffULL);
	built_map(&b, 2, 0, 0xffffffff00000000ULL);
	built_map(&b, 3, 0, 0x00000001ULL << 32);
	img = opened(&b);
	says(img, 0, 1 << 20, 0, 16 * sc, Q2_UNALLOCATED, 0);
	says(img, 16 * sc, 1 << 20, 0, 24 * sc, Q2_DATA, d + 16 * sc);
	says(img, 17 * sc + 3, 1 << 20, 0, 23 * sc - 3, Q2_DATA, d + 17 * sc + 3);
	says(img, 40 * sc, 1 << 20, 0, 23 * sc, Q2_UNALLOCATED, 0);
	says(img, 63 * sc, 1 << 20, 0, sc, Q2_ZERO_ALLOCATED, 0);
	says(img, 64 * sc, 1 << 20, 0, 33 * sc, Q2_ZERO, 0);
	q2_image_close(img);
	built_free(&b);
}

/* What is broken fails for the bytes it covers and for those alone. */
TEST(image_lookup_of_broken_entries)
{
	struct built b = build_image(3, 9, false, 1 << 20, 8);
	u64 d = built_data(&b, 0), cs = 512, coverage = 64 * 512;
	struct q2_image *img;

	built_map(&b, 0, d, 0);
	built_map(&b, 1, d + cs, 0);
	built_map(&b, 2, (d + 2 * cs) | 1ULL << 61, 0); /* reserved: served */
	built_map(&b, 3, 1ULL << 62 | 1ULL << 60, 0);
	built_map(&b, 4, d + 4 * cs, 0);
	put64(b.mem->data, 2 * 512 + 8, COPIED | 0x400 | 1ULL << 60);
	img = opened(&b);
	says(img, 0, 1 << 20, 0, 3 * cs, Q2_DATA, d);
	says(img, 3 * cs + 5, 1 << 20, -EUCLEAN, cs - 5, 0, 0);
	says(img, 3 * cs, 100, -EUCLEAN, 100, 0, 0);
	says(img, 4 * cs, 1 << 20, 0, cs, Q2_DATA, d + 4 * cs);
	q2_image_close(img);
	built_free(&b);

	b = build_image(3, 12, false, 8 << 20, 1);
	put64(b.mem->data, 2 * 4096 + 8, COPIED | 0x10200); /* the second table */
	img = opened(&b);
	coverage = 2 << 20;
	says(img, coverage - 512, 1 << 30, 0, 512, Q2_UNALLOCATED, 0);
	says(img, coverage + 7, 1 << 30, -EUCLEAN, coverage - 7, 0, 0);
	says(img, coverage + 7, 8, -EUCLEAN, 8, 0, 0);
	says(img, 2 * coverage, 8, 0, 8, Q2_UNALLOCATED, 0);
	q2_image_close(img);
	built_free(&b);
}

/* A slice that cannot be read: an error for its bytes, and read again the next time. */
TEST(image_lookup_after_a_failed_read)
{
	struct built b = build_image(3, 16, false, 64 << 20, 1);
	u64 slice = 512ULL << 16; /* guest bytes of one */
	struct q2_image *img = opened(&b);
	struct q2_cache_stats stats;

	fault_read(1, false);
	says(img, 70000, 1 << 30, -EIO, slice - 70000, 0, 0);
	says(img, 70000, 1 << 30, 0, slice - 70000, Q2_UNALLOCATED, 0);
	fault_alloc(1, false);
	says(img, slice + 1, 10, 0, 10, Q2_UNALLOCATED, 0);
	CHECK(fault_hit());
	q2_image_cache_stats(img, &stats);
	CHECK_EQ(stats.bytes, 2 * 4096);
	CHECK_EQ(stats.limit, Q2_CACHE_MIN);
	CHECK_EQ(stats.misses, 3);
	q2_image_close(img);
	built_free(&b);
}

static void refused(struct built *b, int code, const char *names)
{
	struct q2_err err = {""};
	struct q2_image *img = q2_image_open(&b->mem->file, Q2_CACHE_MIN, &err);

	CHECK(IS_ERR(img));
	CHECK_REFUSED(PTR_ERR(img), code, &err, names);
	CHECK_EQ(PTR_ERR(q2_image_open(&b->mem->file, Q2_CACHE_MIN, NULL)), -code);
}

TEST(image_refuses_what_it_does_not_serve)
{
	struct built b = build_image(3, 12, false, 1 << 20, 1);
	u8 *d = b.mem->data;

	put32(d, H_CRYPT, 1);
	refused(&b, EOPNOTSUPP, "encrypted (AES)");
	put32(d, H_CRYPT, 2);
	put32(d, 112, 0x0537be77);
	put32(d, 116, 16);
	put64(d, 120, 0x3000);
	put64(d, 128, 0x1000);
	refused(&b, EOPNOTSUPP, "encrypted (LUKS)");
	put32(d, H_CRYPT, 0);
	put32(d, 112, 0);
	put64(d, H_INCOMPATIBLE, 4);
	refused(&b, EOPNOTSUPP, "external data file");
	put64(d, H_INCOMPATIBLE, 1 << 5);
	refused(&b, EOPNOTSUPP, "unknown incompatible features");
	built_free(&b);
}

TEST(image_refuses_a_broken_snapshot_table)
{
	struct built b = build_image(3, 12, false, 1 << 20, 4);
	u8 *d = b.mem->data;
	u64 table = built_data(&b, 0);
	struct q2_image *img;

	put32(d, H_NB_SNAPSHOTS, 2);
	put64(d, H_SNAPSHOTS_OFFSET, table);
	img = opened(&b); /* two empty entries, which QEMU opens too */
	q2_image_close(img);
	put32(d, table + 36, 1025);
	refused(&b, EFBIG, "1025 bytes of extra data");
	put32(d, table + 36, 0);
	fault_read(4, true);
	CHECK_EQ(PTR_ERR(q2_image_open(&b.mem->file, Q2_CACHE_MIN, NULL)), -EIO);
	built_free(&b);
}

/* 65536 entries of the largest kind are more than the table may have. */
TEST(image_refuses_an_endless_snapshot_table)
{
	struct built b = build_image(3, 16, false, 1 << 20, 1100);
	u64 table = built_data(&b, 0), i;

	put32(b.mem->data, H_NB_SNAPSHOTS, 65536);
	put64(b.mem->data, H_SNAPSHOTS_OFFSET, table);
	for (i = 0; i < 68 << 20; i += 40 + 1024) {
		put32(b.mem->data, table + i + 36, 1024);
	}
	refused(&b, EFBIG, "snapshot table");
	built_free(&b);
}

TEST(image_refuses_files_that_end_early)
{
	struct built b = build_image(3, 12, false, 1 << 20, 1);
	struct q2_image *img;

	b.mem->file.size = 0;
	refused(&b, EINVAL, "not a qcow2 image");
	b.mem->file.size = 100;
	refused(&b, EINVAL, "header_length");
	b.mem->file.size = 112; /* zeroes from here: an L1 table without tables */
	img = opened(&b);
	says(img, 0, 1 << 30, 0, 1 << 20, Q2_UNALLOCATED, 0);
	q2_image_close(img);
	built_free(&b);
}

/* Where QEMU's read fails, ours does, in the lookup or in the data; elsewhere it does not. */
TEST(image_reads_fail_where_qemu_does)
{
	FILE *list = fopen(golden_path("broken", ""), "r");
	char name[256], verdict[16];
	unsigned int seen = 0;
	static u8 buf[65536];

	CHECK(list != NULL);
	while (fscanf(list, "%255s %15s", name, verdict) == 2) {
		struct mem_file *mem = mem_file_load(golden_path(name, ""));
		struct disk disk = disk_open(&mem, NULL, 1);
		int ret;

		CHECK_EQ(disk.ret, 0);
		ret = disk_read(disk.chain, 65536, buf, sizeof(buf));
		if (!ret != !strcmp(verdict, "reads"))
			test_fail(__FILE__, __LINE__, "%s: QEMU %s, we say %d", name, verdict, ret);
		CHECK(!ret || ret == -EUCLEAN || ret == -EIO);
		disk_close(&disk);
		mem_file_free(mem);
		seen++;
	}
	fclose(list);
	CHECK(seen >= 12);
}
