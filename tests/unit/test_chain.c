// SPDX-License-Identifier: GPL-2.0-only
/* Which layer of a chain answers, and how. */
#include "build.h"
#include "chain/chain.h"
#include "chain/map.h"
#include "disk.h"
#include "test.h"

#define COPIED (1ULL << 63)

static void says(struct q2_chain *chain, u64 guest, u64 len, u64 run, unsigned int layer,
		 enum q2_kind kind)
{
	struct q2_extent ext;
	unsigned int got;

	CHECK_EQ(q2_chain_lookup(chain, guest, len, &got, &ext), 0);
	CHECK_EQ(ext.guest, guest);
	CHECK_EQ(ext.len, run);
	CHECK_EQ(got, layer);
	CHECK_EQ(ext.kind, kind);
}

TEST(chain_of_raw_layers)
{
	struct mem_file *file = mem_file_create(100 << 10);
	bool raw = true;
	struct disk disk = disk_open(&file, &raw, 1);
	struct q2_extent ext;
	unsigned int layer;

	CHECK_EQ(disk.chain->size, 100 << 10);
	CHECK_EQ(disk.chain->granule_bits, 16);
	CHECK_EQ(q2_chain_lookup(disk.chain, 1000, 1ULL << 60, &layer, &ext), 0);
	CHECK_EQ(ext.kind, Q2_DATA);
	CHECK_EQ(ext.host, 1000);
	CHECK_EQ(ext.len, (100 << 10) - 1000);
	disk_close(&disk);
	mem_file_free(file);
}

/* Layers of 4 KiB, 64 KiB and 512 byte clusters, shorter and longer than those above. */
TEST(chain_of_different_layers)
{
	struct built low = build_image(3, 12, false, 64 << 10, 20);
	struct built mid = build_image(2, 16, false, 256 << 10, 4);
	struct built top = build_image(3, 9, false, 160 << 10, 20);
	struct mem_file *files[] = {low.mem, mid.mem, top.mem};
	struct disk disk;
	unsigned int i;

	for (i = 0; i < 16; i++)
		built_map(&low, i, built_data(&low, i), 0);
	built_map(&mid, 1, built_data(&mid, 0), 0);
	built_map(&mid, 3, built_data(&mid, 1), 0);
	built_map(&top, 5, built_data(&top, 0), 0);
	built_map(&top, 6, 1, 0);
	disk = disk_open(files, NULL, 3);
	CHECK_EQ(disk.ret, 0);
	CHECK_EQ(disk.chain->size, 160 << 10);
	CHECK_EQ(disk.chain->granule_bits, 9);
	/* Cut where a layer above answers, and where a slice above ends (64 entries). */
	says(disk.chain, 0, 1 << 30, 5 * 512, 0, Q2_DATA);
	says(disk.chain, 5 * 512, 1 << 30, 512, 2, Q2_DATA);
	says(disk.chain, 6 * 512, 1 << 30, 512, 2, Q2_ZERO);
	says(disk.chain, 7 * 512, 1 << 30, 57 * 512, 0, Q2_DATA);
	says(disk.chain, 64 << 10, 1 << 30, 32 << 10, 1, Q2_DATA);
	/* The middle has nothing here and the base is too short: zeroes by the base. */
	says(disk.chain, 128 << 10, 1 << 30, 32 << 10, 0, Q2_ZERO);
	says(disk.chain, (160 << 10) - 1, 1 << 30, 1, 0, Q2_ZERO);
	disk_close(&disk);
	built_free(&low);
	built_free(&mid);
	built_free(&top);
}

/* A short layer in the middle hides what the longer one below it has beyond its end. */
TEST(chain_short_in_the_middle)
{
	struct mem_file *low = mem_file_create(128 << 10);
	struct built mid = build_image(3, 12, false, 6000 / 512 * 512, 1);
	struct built top = build_image(3, 12, false, 64 << 10, 1);
	struct mem_file *files[] = {low, mid.mem, top.mem};
	bool raw[] = {true, false, false};
	struct disk disk = disk_open(files, raw, 3);

	CHECK_EQ(disk.chain->layers[1].size, 5632);
	says(disk.chain, 0, 1 << 30, 5632, 0, Q2_DATA);
	says(disk.chain, 5632, 1 << 30, (64 << 10) - 5632, 1, Q2_ZERO);
	disk_close(&disk);
	mem_file_free(low);
	built_free(&mid);
	built_free(&top);
}

TEST(chain_unallocated_everywhere)
{
	struct built low = build_image(3, 12, false, 64 << 10, 1);
	struct built top = build_image(3, 12, false, 64 << 10, 1);
	struct mem_file *files[] = {low.mem, top.mem};
	struct disk disk = disk_open(files, NULL, 2);

	says(disk.chain, 100, 1 << 30, (64 << 10) - 100, 0, Q2_UNALLOCATED);
	disk_close(&disk);
	built_free(&low);
	built_free(&top);
}

TEST(chain_500_deep)
{
	static struct mem_file *files[500];
	static struct built b[500];
	struct disk disk;
	unsigned int i;

	/* Layer i has cluster i alone; above 256 all are empty. */
	for (i = 0; i < 500; i++) {
		b[i] = build_image(3, 9, false, 256 * 512, 1);
		if (i < 256) {
			built_map(&b[i], i, COPIED | built_data(&b[i], 0), 0);
			memset(b[i].mem->data + built_data(&b[i], 0), i, 512);
		}
		files[i] = b[i].mem;
	}
	disk = disk_open(files, NULL, 500);
	CHECK_EQ(disk.ret, 0);
	for (i = 0; i < 256; i++) {
		u8 buf[512], want[512];

		memset(want, i, 512);
		CHECK_EQ(disk_read(disk.chain, i * 512, buf, 512), 0);
		CHECK(!memcmp(buf, want, 512));
	}
	disk_close(&disk);
	for (i = 0; i < 500; i++)
		built_free(&b[i]);
}

/* An error of a layer is the chain's, for the bytes it names; the top may hide it. */
TEST(chain_with_a_broken_entry)
{
	struct built low = build_image(3, 12, false, 64 << 10, 4);
	struct built top = build_image(3, 12, false, 64 << 10, 4);
	struct mem_file *files[] = {low.mem, top.mem};
	struct q2_extent ext;
	struct disk disk;
	unsigned int layer;

	built_map(&low, 2, 0x200, 0);
	built_map(&low, 3, 0x200, 0);
	built_map(&top, 2, built_data(&top, 0), 0);
	disk = disk_open(files, NULL, 2);
	says(disk.chain, 0, 1 << 30, 8192, 0, Q2_UNALLOCATED);
	says(disk.chain, 8192, 1 << 30, 4096, 1, Q2_DATA);
	CHECK_EQ(q2_chain_lookup(disk.chain, 12288, 1 << 30, &layer, &ext), -EUCLEAN);
	CHECK_EQ(layer, 0);
	CHECK_EQ(ext.len, 4096);
	says(disk.chain, 16384, 1 << 30, 49152, 0, Q2_UNALLOCATED);
	disk_close(&disk);
	built_free(&low);
	built_free(&top);
}

/* ONE-OWNER: while the top is merged into @dest, and the map goes by it. */
TEST(chain_owner_during_a_merge)
{
	struct mem_file *low = mem_file_create(90 << 10);
	struct built top = build_image(3, 14, true, 90 << 10, 8);
	struct mem_file *files[] = {low, top.mem};
	static const bool raw[] = {true, false};
	/* Clusters 1 and 4 of the top hold one subcluster each; 5, the last, is a part. */
	static const struct {
		u64 guest, len;
		unsigned int owner;
		u64 part;
	} cases[] = {
		{0, 16 << 10, 0, 16 << 10},	   {512, 40 << 10, 0, (16 << 10) - 512},
		{16 << 10, 512, 1, 512},	   {20 << 10, 512, 1, 512},
		{20 << 10, 60 << 10, 1, 12 << 10}, {32 << 10, 60 << 10, 0, 32 << 10},
		{64 << 10, 1 << 10, 1, 1 << 10},   {80 << 10, 10 << 10, 0, 10 << 10},
		{89 << 10, 512, 0, 512},
	};
	struct q2_map *map;
	struct q2_run run;
	struct disk disk;
	unsigned int i;
	u64 guest;

	built_map(&top, 1, COPIED | built_data(&top, 0), 1 << 3);
	built_map(&top, 4, COPIED | built_data(&top, 1), 1ULL << 31);
	disk = disk_open(files, raw, 2);
	CHECK_EQ(disk.ret, 0);
	disk.chain->writable = true;
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int owner;
		u64 part;

		disk.chain->dest = Q2_NO_LAYER;
		CHECK_EQ(q2_chain_owner(disk.chain, cases[i].guest, cases[i].len, &owner, &part),
			 0);
		CHECK_EQ(owner, 1);
		CHECK_EQ(part, cases[i].len);
		disk.chain->dest = 0;
		CHECK_EQ(q2_chain_owner(disk.chain, cases[i].guest, cases[i].len, &owner, &part),
			 0);
		CHECK_EQ(owner, cases[i].owner);
		CHECK_EQ(part, cases[i].part);
	}
	CHECK_EQ(q2_map_fill(map, 0), 0);
	for (guest = 0; guest < 90 << 10; guest += 512) {
		u64 cluster = guest >> 14;

		q2_map_lookup(map, guest, 512, &run);
		CHECK_EQ(run.kind, Q2_MAP_DATA);
		if (run.layer == 0)
			CHECK_EQ(run.in_place, cluster != 1 && cluster != 4);
	}
	q2_map_destroy(map);
	disk_close(&disk);
	mem_file_free(low);
	built_free(&top);
}
