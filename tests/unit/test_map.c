// SPDX-License-Identifier: GPL-2.0-only
/* The flattened map: what it knows, how much it holds, what it costs. */
#include "build.h"
#include "disk.h"
#include "test.h"

#define COPIED (1ULL << 63)

static struct disk disk_of(struct built *b)
{
	struct disk disk = disk_open(&b->mem, NULL, 1);

	CHECK_EQ(disk.ret, 0);
	return disk;
}

static struct q2_run look(struct q2_map *map, u64 guest, u64 len)
{
	struct q2_run run;

	memset(&run, 0xee, sizeof(run));
	q2_map_lookup(map, guest, len, &run);
	CHECK(run.len > 0 && run.len <= len);
	return run;
}

static struct q2_map_stats stats_of(struct q2_map *map)
{
	struct q2_map_stats stats;

	q2_map_stats(map, &stats);
	return stats;
}

TEST(map_misses_until_filled)
{
	struct built b = build_image(3, 12, false, 8 << 20, 1);
	struct disk disk = disk_of(&b);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_MIN);
	u64 leaf = 512 * 4096;
	struct q2_run run = look(map, 5000, 1 << 30);

	CHECK_EQ(run.kind, Q2_MAP_MISS);
	CHECK_EQ(run.len, leaf - 5000);
	CHECK_EQ(look(map, 5000, 100).len, 100);
	CHECK_EQ(q2_map_fill(map, leaf - 1), 0);
	CHECK_EQ(q2_map_fill(map, 0), 0); /* the same leaf: filled once */
	CHECK_EQ(stats_of(map).fills, 1);
	CHECK_EQ(stats_of(map).leaves, 1);
	run = look(map, 5000, 1 << 30);
	CHECK_EQ(run.kind, Q2_MAP_ZERO);
	CHECK_EQ(run.len, leaf - 5000); /* the next one is not known */
	CHECK_EQ(look(map, leaf, 1).kind, Q2_MAP_MISS);
	CHECK_EQ(q2_map_fill(map, leaf), 0);
	CHECK_EQ(look(map, 5000, 1 << 30).len, 2 * leaf - 5000);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* A contiguous image of any size: one word a leaf, one run for all of it. */
TEST(map_of_a_contiguous_image)
{
	unsigned int clusters = 8192, i;
	struct built b = build_image(3, 9, false, clusters * 512, clusters);
	struct disk disk;
	struct q2_map *map;
	struct q2_run run;

	for (i = 0; i < clusters; i++)
		built_map(&b, i, COPIED | built_data(&b, i), 0);
	disk = disk_of(&b);
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	for (i = 0; i < clusters; i += 512)
		CHECK_EQ(q2_map_fill(map, i * 512), 0);
	CHECK_EQ(stats_of(map).leaves, 16);
	CHECK(stats_of(map).bytes < 16 * 200);
	run = look(map, 1000, 1ULL << 40);
	CHECK_EQ(run.kind, Q2_MAP_DATA);
	CHECK_EQ(run.layer, 0);
	CHECK_EQ(run.host, built_data(&b, 0) + 1000);
	CHECK_EQ(run.len, clusters * 512 - 1000);
	CHECK_EQ(look(map, 1000, 5000).len, 5000);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

static void says(struct q2_map *map, u64 guest, enum q2_map_kind kind, u64 len)
{
	struct q2_run run = look(map, guest, 1 << 30);

	CHECK_EQ(run.kind, kind);
	CHECK_EQ(run.len, len);
}

TEST(map_kinds)
{
	struct built b = build_image(3, 12, false, 100 << 10, 8);
	struct disk disk;
	struct q2_map *map;
	u64 cs = 4096, d = built_data(&b, 0);

	built_map(&b, 1, d, 0);
	built_map(&b, 2, d + cs, 0);
	built_map(&b, 3, d + 5 * cs, 0);
	built_map(&b, 4, 1, 0);
	built_map(&b, 5, 1 | d, 0);
	built_map(&b, 6, 1ULL << 62 | d, 0);
	built_map(&b, 7, 1ULL << 62 | (d + 999), 0);
	built_map(&b, 8, 0x200, 0);
	built_map(&b, 9, 0x200, 0);
	disk = disk_of(&b);
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	CHECK_EQ(q2_map_fill(map, 0), 0);
	says(map, 5, Q2_MAP_ZERO, cs - 5);
	says(map, cs, Q2_MAP_DATA, 2 * cs);
	says(map, 3 * cs + 1, Q2_MAP_DATA, cs - 1);
	CHECK_EQ(look(map, 3 * cs + 1, 9).host, d + 5 * cs + 1);
	says(map, 4 * cs, Q2_MAP_ZERO, 2 * cs);
	says(map, 6 * cs + 1, Q2_MAP_COMPRESSED, 2 * cs - 1);
	says(map, 8 * cs, Q2_MAP_BAD, cs); /* and fails nothing beside it */
	says(map, 9 * cs + 9, Q2_MAP_BAD, cs - 9);
	CHECK_EQ(look(map, 10 * cs, 15 * cs).kind, Q2_MAP_ZERO);
	CHECK_EQ(look(map, 10 * cs, 15 * cs).len, 15 * cs);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* A layer that ends inside a granule gives it two answers. */
TEST(map_mixed_granule)
{
	struct mem_file *low = mem_file_create(10000 / 512 * 512);
	struct built top = build_image(3, 12, false, 64 << 10, 1);
	struct mem_file *files[] = {low, top.mem};
	bool raw[] = {true, false};
	struct disk disk = disk_open(files, raw, 2);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_MIN);

	CHECK_EQ(q2_map_fill(map, 0), 0);
	says(map, 0, Q2_MAP_DATA, 8192);
	says(map, 8192 + 7, Q2_MAP_MIXED, 4096 - 7);
	CHECK_EQ(look(map, 12288, 4096).kind, Q2_MAP_ZERO);
	q2_map_destroy(map);
	disk_close(&disk);
	mem_file_free(low);
	built_free(&top);
}

/* The last granule of a disk need not be whole. */
TEST(map_end_of_the_disk)
{
	struct built b = build_image(3, 16, false, 65536 + 512, 3);
	struct disk disk;
	struct q2_map *map;

	built_map(&b, 0, built_data(&b, 0), 0);
	built_map(&b, 1, built_data(&b, 1), 0);
	disk = disk_of(&b);
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	CHECK_EQ(q2_map_fill(map, 65536), 0);
	CHECK_EQ(look(map, 0, 65536 + 512).len, 65536 + 512);
	CHECK_EQ(look(map, 65536, 512).kind, Q2_MAP_DATA);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* An image where no two clusters follow each other: a word each. */
static struct built scattered(unsigned int clusters)
{
	struct built b = build_image(3, 9, false, clusters * 512ULL, clusters);
	unsigned int i;

	for (i = 0; i < clusters; i++) {
		unsigned int nr = i ^ 1;

		built_map(&b, i, COPIED | built_data(&b, nr), 0);
		put32(b.mem->data, built_data(&b, nr), i);
	}
	return b;
}

static void check_scattered(struct q2_chain *chain, struct q2_map *map, unsigned int cluster)
{
	u8 buf[8];

	CHECK_EQ(disk_read_map(chain, map, cluster * 512ULL, buf, 4), 0);
	CHECK_EQ(buf[0] << 24 | buf[1] << 16 | buf[2] << 8 | buf[3], cluster);
}

TEST(map_stays_below_its_limit)
{
	unsigned int clusters = 64 << 10, i;
	struct built b = scattered(clusters);
	struct disk disk = disk_of(&b);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_MIN);
	u64 seed = 5;

	for (i = 0; i < 5000; i++) {
		check_scattered(disk.chain, map, test_random(&seed) % clusters);
		CHECK(stats_of(map).bytes <= Q2_MAP_MIN);
		CHECK_EQ(stats_of(map).fills - stats_of(map).evictions, stats_of(map).leaves);
	}
	CHECK(stats_of(map).evictions > 100);
	CHECK(stats_of(map).leaves >= 8); /* and it uses what it may */
	CHECK_EQ(stats_of(map).limit, Q2_MAP_MIN);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* What is looked up again and again mostly survives a sweep over everything else. */
TEST(map_keeps_what_is_used)
{
	unsigned int clusters = 64 << 10, gone = 0, i;
	struct built b = scattered(clusters);
	struct disk disk = disk_of(&b);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_MIN);
	u64 room;

	for (i = 1; i < clusters / 512; i++) {
		gone += look(map, 0, 512).kind == Q2_MAP_MISS;
		check_scattered(disk.chain, map, 0);
		check_scattered(disk.chain, map, i * 512);
	}
	room = stats_of(map).leaves;
	/* First in, first out would lose it once for as many as there is room for. */
	if (gone > 1 + clusters / 512 / room / 2)
		test_fail(__FILE__, __LINE__, "lost %u times with room for %llu", gone, room);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

TEST(map_shrinks)
{
	unsigned int clusters = 4096, i;
	struct built b = scattered(clusters);
	struct disk disk = disk_of(&b);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_DEFAULT);

	for (i = 0; i < clusters; i += 512)
		check_scattered(disk.chain, map, i);
	CHECK_EQ(stats_of(map).leaves, 8);
	CHECK_EQ(q2_map_shrinkable(map), 8);
	CHECK_EQ(q2_map_shrink(map, 3), 3);
	CHECK_EQ(stats_of(map).leaves, 5);
	CHECK_EQ(q2_map_shrink(map, 100), 5);
	CHECK_EQ(q2_map_shrink(map, 100), 0);
	CHECK_EQ(stats_of(map).bytes, 0);
	for (i = 0; i < clusters; i++)
		check_scattered(disk.chain, map, i);
	CHECK_EQ(stats_of(map).fills, 16);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* Random images in random chains: the map says what the chain says, granule by granule. */
static void random_image(struct built *b, u64 *seed, unsigned int bits, bool extended, u64 size)
{
	u64 clusters = DIV_ROUND_UP(size, 1ULL << bits), i;

	*b = build_image(3, bits, extended, size, clusters + 1);
	for (i = 0; i < clusters; i++) {
		u64 word = built_data(b, i + test_random(seed) % 2), bitmap = 0;
		u32 zero = test_random(seed);

		if (extended)
			bitmap = (u64)zero << 32 | (test_random(seed) & ~zero);
		switch (test_random(seed) % 8) {
		case 0:
			word = extended ? 0 : 1;
			bitmap &= ~0xffffffffULL;
			break;
		case 1:
			word = 1ULL << 62 | (word + test_random(seed) % 512);
			break;
		case 2:
			word = test_random(seed) % 16 ? 0 : 0x200; /* now and then a broken one */
			bitmap = 0;
			break;
		case 3:
		case 4:
			word = bitmap = 0;
			break;
		default:
			break;
		}
		built_map(b, i, word, bitmap);
	}
}

static void same_answer(struct q2_chain *chain, struct q2_map *map, u64 guest)
{
	u64 want = min(1ULL << chain->granule_bits, chain->size - guest);
	struct q2_run run = look(map, guest, want);
	struct q2_extent ext;
	unsigned int layer;
	int ret = q2_chain_lookup(chain, guest, want, &layer, &ext);

	CHECK_EQ(run.len, want);
	if (ext.len < want) {
		CHECK_EQ(run.kind, Q2_MAP_MIXED);
		return;
	}
	if (ret) {
		CHECK_EQ(run.kind, Q2_MAP_BAD);
		return;
	}
	CHECK_EQ(run.layer, layer);
	switch (ext.kind) {
	case Q2_DATA:
		CHECK_EQ(run.kind, Q2_MAP_DATA);
		CHECK_EQ(run.host, ext.host);
		break;
	case Q2_COMPRESSED:
		CHECK_EQ(run.kind, Q2_MAP_COMPRESSED);
		break;
	default:
		CHECK_EQ(run.kind, Q2_MAP_ZERO);
		break;
	}
}

TEST(map_says_what_the_chain_says)
{
	u64 seed = 6;
	int round;

	for (round = 0; round < 60; round++) {
		unsigned int nr = 1 + test_random(&seed) % 4, i;
		struct mem_file *files[4];
		struct built b[4];
		struct disk disk;
		struct q2_map *map;
		u64 guest;

		for (i = 0; i < nr; i++) {
			unsigned int bits = 9 + test_random(&seed) % 8;
			bool extended = bits >= 14 && test_random(&seed) % 2;

			random_image(&b[i], &seed, bits, extended,
				     512 * (1 + test_random(&seed) % 2000));
			files[i] = b[i].mem;
		}
		disk = disk_open(files, NULL, nr);
		CHECK_EQ(disk.ret, 0);
		map = q2_map_create(disk.chain, Q2_MAP_DEFAULT);
		for (guest = 0; guest < disk.chain->size;
		     guest += 1ULL << disk.chain->granule_bits) {
			CHECK_EQ(q2_map_fill(map, guest), 0);
			same_answer(disk.chain, map, guest);
		}
		q2_map_destroy(map);
		disk_close(&disk);
		for (i = 0; i < nr; i++)
			built_free(&b[i]);
	}
}

/* What a writer puts into the map is what it says, in leaves of either kind and over both. */
TEST(map_set_data)
{
	u64 leaf = 512 * 512, far = 1 << 30;
	struct built b = scattered(3 * 512);
	struct disk disk;
	struct q2_map *map;
	unsigned int i;

	for (i = 512; i < 1024; i++) /* the second leaf is one word */
		built_map(&b, i, 0, 0);
	disk = disk_of(&b);
	map = q2_map_create(disk.chain, Q2_MAP_DEFAULT);
	for (i = 0; i < 3; i++)
		CHECK_EQ(q2_map_fill(map, i * leaf), 0);

	q2_map_set_data(map, 1024, 1536, 0, far);
	CHECK_EQ(look(map, 512, 512).host, built_data(&b, 0));
	CHECK_EQ(look(map, 1030, far).host, far + 6);
	CHECK_EQ(look(map, 1030, far).len, 1530);
	CHECK(look(map, 1030, far).in_place);
	CHECK_EQ(look(map, 2560, 512).host, built_data(&b, 4));

	/* One word for all can not hold it: the leaf is dropped, and only that one. */
	CHECK_EQ(look(map, leaf, 512).kind, Q2_MAP_ZERO);
	q2_map_set_data(map, leaf - 512, 1024, 0, far);
	CHECK_EQ(look(map, leaf - 512, 512).host, far);
	CHECK_EQ(look(map, leaf, 512).kind, Q2_MAP_MISS);
	CHECK_EQ(look(map, 2 * leaf, 512).kind, Q2_MAP_DATA);
	CHECK_EQ(stats_of(map).leaves, 2);

	/* Over the border of two leaves with a word for each granule. */
	for (i = 512; i < 1024; i += 2)
		built_map(&b, i, built_data(&b, i), 0);
	q2_image_shrink(disk.chain->layers[0].img, 1000);
	CHECK_EQ(q2_map_fill(map, leaf), 0);
	q2_map_set_data(map, 2 * leaf - 1024, 2048, 0, far);
	CHECK_EQ(look(map, 2 * leaf - 1024, far).len, 2048);
	CHECK_EQ(look(map, 2 * leaf + 512, far).host, far + 1536);
	CHECK_EQ(look(map, 2 * leaf + 1024, 512).host, built_data(&b, 1027));

	/* What nobody knows stays unknown. */
	q2_map_forget(map, 0, 1);
	CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_MISS);
	q2_map_set_data(map, 0, 512, 0, far);
	CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_MISS);
	q2_map_forget(map, leaf - 1, 2 * leaf);
	CHECK_EQ(stats_of(map).leaves, 0);
	CHECK_EQ(stats_of(map).bytes, 0);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* More leaves than could be looked for one by one: those that are there go, and no others. */
TEST(map_forget_many)
{
	struct built b = build_image(3, 16, true, 32ULL << 30, 1);
	static const u64 known[] = {0, 1, 20000, 25000, 25001, 32767};
	struct disk disk = disk_of(&b);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_DEFAULT);
	u64 leaf = 512 << disk.chain->granule_bits;
	unsigned int i;

	CHECK_EQ(leaf, 1 << 20);
	for (i = 0; i < ARRAY_SIZE(known); i++)
		CHECK_EQ(q2_map_fill(map, known[i] * leaf), 0);
	CHECK_EQ(stats_of(map).leaves, ARRAY_SIZE(known));
	q2_map_forget(map, leaf, 25000 * leaf);
	for (i = 0; i < ARRAY_SIZE(known); i++)
		CHECK_EQ(look(map, known[i] * leaf, 512).kind,
			 known[i] >= 1 && known[i] <= 25000 ? Q2_MAP_MISS : Q2_MAP_ZERO);
	CHECK_EQ(stats_of(map).leaves, 3);
	q2_map_forget_all(map);
	CHECK_EQ(stats_of(map).leaves, 0);
	CHECK_EQ(stats_of(map).bytes, 0);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* A file that changes what it says, and tells the map, each time it has been read. */
static struct {
	const struct q2_file_ops *ops;
	struct q2_map *map;
	u64 len;
} changing;

static int changing_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	int ret = changing.ops->read(file, offset, buf, len);

	if (changing.map)
		q2_map_forget(changing.map, 0, changing.len);
	return ret;
}

/* MAP-FOLLOWS: what a filler asked for before it was forgotten, few leaves or many. */
TEST(map_forget_beside_fill)
{
	static const struct q2_file_ops ops = {.read = changing_read};
	struct built b = build_image(3, 16, true, 32ULL << 30, 1);
	static const u64 lens[] = {1, 32ULL << 30};
	struct disk disk;
	struct q2_map *map;
	unsigned int i;

	changing.ops = b.mem->file.ops;
	b.mem->file.ops = &ops;
	disk = disk_of(&b);
	map = q2_map_create(disk.chain, Q2_MAP_DEFAULT);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		q2_image_shrink(disk.chain->layers[0].img, 1000);
		changing.map = map;
		changing.len = lens[i];
		CHECK_EQ(q2_map_fill(map, 0), 0);
		CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_MISS);
		changing.map = NULL;
		CHECK_EQ(q2_map_fill(map, 0), 0);
		CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_ZERO);
		q2_map_forget_all(map);
	}
	q2_map_destroy(map);
	disk_close(&disk);
	b.mem->file.ops = changing.ops;
	built_free(&b);
}

/* A word for a place that a contiguous leaf already names changes nothing. */
TEST(map_set_data_where_it_is)
{
	unsigned int clusters = 512, i;
	struct built b = build_image(3, 9, false, clusters * 512, clusters);
	struct disk disk;
	struct q2_map *map;

	for (i = 0; i < clusters; i++)
		built_map(&b, i, COPIED | built_data(&b, i), 0);
	disk = disk_of(&b);
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	CHECK_EQ(q2_map_fill(map, 0), 0);
	if (look(map, 0, 512).in_place) {
		q2_map_set_data(map, 5120, 1024, 0, built_data(&b, 10));
		CHECK_EQ(stats_of(map).leaves, 1);
	}
	CHECK_EQ(look(map, 0, 1 << 20).len, clusters * 512);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}

/* MAP-FOLLOWS: a change while a filler asks the chain: the old answer does not come back. */
struct late {
	struct q2_file file; /* the first: ops find the rest */
	struct mem_file *mem;
	struct q2_map *map;
	u64 guest;
};

static int late_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct late *late = (struct late *)file;

	if (late->map)
		q2_map_set_data(late->map, late->guest, 512, 0, 1 << 30);
	return q2_file_read(&late->mem->file, offset, buf, len);
}

TEST(map_fill_overtaken_by_a_change)
{
	static const struct q2_file_ops ops = {.read = late_read};
	struct built b = scattered(1024);
	struct late late = {.file = b.mem->file, .mem = b.mem};
	struct q2_chain *chain = q2_chain_alloc(1);
	struct q2_map *map;

	late.file.ops = &ops;
	chain->layers[0].file = &late.file;
	chain->layers[0].img = q2_image_open(&late.file, Q2_CACHE_MIN, NULL);
	chain->layers[0].size = q2_image_size(chain->layers[0].img);
	q2_chain_init(chain);
	map = q2_map_create(chain, Q2_MAP_MIN);
	late.map = map;
	late.guest = 512;
	CHECK_EQ(q2_map_fill(map, 0), 0);
	CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_MISS);
	CHECK_EQ(stats_of(map).fills, 0);
	/* A change elsewhere is no reason to forget what was asked. */
	q2_image_shrink(chain->layers[0].img, 1000);
	late.guest = 512 * 512;
	CHECK_EQ(q2_map_fill(map, 0), 0);
	CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_DATA);
	late.map = NULL;
	q2_map_destroy(map);
	q2_image_close(chain->layers[0].img);
	q2_chain_free(chain);
	built_free(&b);
}

TEST(map_without_memory)
{
	struct built b = scattered(512);
	struct disk disk = disk_of(&b);
	struct q2_map *map;
	unsigned int n, failed = 0;

	for (n = 1; n <= 2; n++) {
		fault_alloc(n, false);
		CHECK_EQ(PTR_ERR(q2_map_create(disk.chain, Q2_MAP_MIN)), -ENOMEM);
	}
	fault_clear();
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	for (n = 1;; n++) {
		int ret;

		fault_alloc(n, false);
		ret = q2_map_fill(map, 0);
		if (!fault_hit()) {
			CHECK_EQ(ret, 0);
			break;
		}
		if (ret) {
			CHECK_EQ(ret, -ENOMEM);
			CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_MISS);
			CHECK_EQ(stats_of(map).bytes, 0);
			failed++;
			continue;
		}
		/* The cache has a slice for such times. */
		CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_DATA);
		q2_map_shrink(map, 1000);
		q2_image_shrink(disk.chain->layers[0].img, 1000);
	}
	CHECK_EQ(failed, 2);
	CHECK(n > 4);
	CHECK_EQ(look(map, 0, 512).kind, Q2_MAP_DATA);
	q2_map_destroy(map);
	disk_close(&disk);
	built_free(&b);
}
