// SPDX-License-Identifier: GPL-2.0-only
/* Images made by QEMU read as QEMU reads them. */
#include "build.h"
#include "format/refcount.h"
#include "image/snapshots.h"
#include "images.h"
#include "test.h"

#define CHUNK (1U << 20)

static struct disk opened(struct golden *g)
{
	struct disk disk = disk_open(g->files, g->raw, g->nr);

	if (disk.ret)
		test_fail(__FILE__, __LINE__, "%s: %d %s", g->name, disk.ret, disk.err.text);
	CHECK_EQ(disk.chain->size, g->content->file.size);
	return disk;
}

static void same(struct golden *g, u64 guest, const void *got, size_t len, int ret)
{
	if (ret)
		test_fail(__FILE__, __LINE__, "%s at %llu: %d", g->name, guest, ret);
	if (memcmp(got, g->content->data + guest, len))
		test_fail(__FILE__, __LINE__, "%s: bytes differ at %llu + %zu", g->name, guest,
			  len);
}

/* The whole disk in order, then here and there, with and without the map. */
static void compare_bytes(struct golden *g)
{
	struct disk disk = opened(g);
	struct q2_map *map = q2_map_create(disk.chain, Q2_MAP_MIN);
	u64 size = disk.chain->size, guest, seed = size;
	u8 *buf = malloc(CHUNK);
	int i;

	for (guest = 0; guest < size; guest += CHUNK) {
		size_t len = min((u64)CHUNK, size - guest);

		same(g, guest, buf, len, disk_read(disk.chain, guest, buf, len));
		same(g, guest, buf, len, disk_read_map(disk.chain, map, guest, buf, len));
	}
	for (i = 0; size && i < 200; i++) {
		size_t len = min(1 + test_random(&seed) % 100000, size);

		guest = test_random(&seed) % (size - len + 1);
		same(g, guest, buf, len, disk_read(disk.chain, guest, buf, len));
		same(g, guest, buf, len, disk_read_map(disk.chain, map, guest, buf, len));
	}
	free(buf);
	q2_map_destroy(map);
	disk_close(&disk);
}

TEST(golden_bytes)
{
	golden_each("", compare_bytes);
}

/* A value of one line of `qemu-img map`, or @missing. */
static long long field(const char *line, const char *name, long long missing)
{
	const char *at = strstr(line, name);

	if (!at)
		return missing;
	at += strlen(name);
	at += strspn(at, "\": ");
	return *at == 't' ? 1 : *at == 'f' ? 0 : atoll(at);
}

/* Every answer of ours for a range that QEMU says one thing about. */
static void compare_range(struct golden *g, struct q2_chain *chain, const char *line)
{
	u64 start = field(line, "start", -1), len = field(line, "length", -1), guest = start;
	long long depth = field(line, "depth", -1), offset = field(line, "offset", -1);

	while (guest < start + len) {
		struct q2_extent ext;
		unsigned int layer;
		bool raw, beyond;

		CHECK_EQ(q2_chain_lookup(chain, guest, start + len - guest, &layer, &ext), 0);
		raw = !chain->layers[layer].img;
		/* Of what a layer is too short for, QEMU says that the one above has it not. */
		beyond = guest >= chain->layers[layer].size;
		switch (ext.kind) {
		case Q2_UNALLOCATED:
			CHECK_EQ(field(line, "present", -1), 0);
			CHECK_EQ(field(line, "zero", -1), 1);
			break;
		case Q2_ZERO:
		case Q2_ZERO_ALLOCATED:
			CHECK_EQ(field(line, "zero", -1), 1);
			CHECK_EQ(field(line, "present", -1), !beyond);
			break;
		case Q2_DATA:
			/* A hole of a raw file is zero to QEMU. */
			CHECK(raw || field(line, "data", -1) == 1);
			CHECK_EQ(ext.host, (u64)offset + (guest - start));
			break;
		case Q2_COMPRESSED:
			CHECK_EQ(field(line, "data", -1), 1);
			CHECK_EQ(offset, -1);
			break;
		}
		/* Where nobody has the bytes, QEMU says how deep it looked, which tells nothing. */
		if (ext.kind != Q2_UNALLOCATED && !beyond && depth != chain->nr_layers - 1 - layer)
			test_fail(__FILE__, __LINE__, "%s at %llu: layer %u, QEMU says depth %lld",
				  g->name, guest, layer, depth);
		guest += ext.len;
	}
}

static void compare_map(struct golden *g)
{
	struct disk disk = opened(g);
	FILE *map = fopen(golden_path(g->name, ".map"), "r");
	char line[512];
	u64 end = 0;

	CHECK(map != NULL);
	while (fgets(line, sizeof(line), map)) {
		if (!strstr(line, "start"))
			continue;
		CHECK_EQ(field(line, "start", -1), end);
		end += field(line, "length", -1);
		compare_range(g, disk.chain, line);
	}
	CHECK_EQ(end, disk.chain->size);
	fclose(map);
	disk_close(&disk);
}

TEST(golden_map)
{
	golden_each("", compare_map);
}

/* In a clean image without snapshots every cluster of the file is in use, once unless compressed.
 */
static void check_refcounts(struct golden *g)
{
	struct disk disk = opened(g);
	struct q2_image *img = disk.chain->layers[0].img;
	const struct q2_geometry *geo = q2_image_geometry(img);
	const struct q2_header *hdr = q2_image_header(img);
	const u8 *data = g->files[0]->data;
	u64 cluster, clusters = DIV_ROUND_UP(g->files[0]->file.size, geo->cluster_size);
	u64 entry, offset, more = 0;

	CHECK_EQ(1 << geo->refcount_order, atoi(g->name + strlen("refcount")));
	for (cluster = 0; cluster < 1ULL << geo->refblock_bits; cluster++) {
		u64 count;

		entry = get64(data, hdr->refcount_table_offset);
		CHECK_EQ(q2_reftable_entry_decode(geo, entry, &offset, NULL), 0);
		count = q2_refcount_get(geo, data + offset, cluster);
		more += count > 1;
		if ((count > 0) != (cluster < clusters))
			test_fail(__FILE__, __LINE__, "%s: cluster %llu of %llu has refcount %llu",
				  g->name, cluster, clusters, count);
	}
	CHECK(geo->refcount_order == 0 ? !more : more > 0); /* several compressed in one */
	disk_close(&disk);
}

TEST(golden_refcounts)
{
	golden_each("refcount", check_refcounts);
}

static void check_snapshots(struct golden *g)
{
	static const char *const names[] = {"snapshot no. 1", "snapshot no. 3", "snapshot no. 4"};
	struct disk disk = opened(g);
	struct q2_snapshots *snaps;
	unsigned int i;

	snaps = q2_snapshots_load(&g->files[0]->file, q2_image_header(disk.chain->layers[0].img),
				  NULL);
	CHECK(!IS_ERR(snaps));
	CHECK_EQ(snaps->nr, 3);
	for (i = 0; i < snaps->nr; i++) {
		const struct q2_snapshot *s = &snaps->snap[i];

		CHECK_EQ(s->name.length, strlen(names[i]));
		CHECK(!memcmp(snaps->table + s->name.offset, names[i], s->name.length));
		CHECK_EQ(s->id.length, 1);
		CHECK_EQ(snaps->table[s->id.offset], names[i][13]);
		CHECK_EQ(s->disk_size, 1 << 20);
		CHECK_EQ(s->vm_state_size, 0);
		CHECK(s->date_sec > 1600000000);
		CHECK_EQ(q2_snapshot_verify_l1(q2_image_header(disk.chain->layers[0].img), s, NULL),
			 0);
	}
	q2_snapshots_free(snaps);
	disk_close(&disk);
}

TEST(golden_snapshots)
{
	golden_each("snapshots", check_snapshots);
}

/* With one byte of the header changed: opened if and only if QEMU opens it. */
TEST(golden_verdicts)
{
	FILE *list = fopen(golden_path("verdicts", ""), "r");
	unsigned int opens = 0, refuses = 0, wrong = 0;
	char name[256], verdict[16];

	CHECK(list != NULL);
	while (fscanf(list, "%255s %15s", name, verdict) == 2) {
		struct mem_file *mem = mem_file_load(golden_path(name, ""));
		struct q2_err err = {""};
		struct q2_image *img = q2_image_open(&mem->file, Q2_CACHE_MIN, &err);
		bool qemu = !strcmp(verdict, "opens");

		if (IS_ERR(img) == qemu) {
			wrong++;
			fprintf(stderr, "%s: QEMU %s it, we say %ld %s\n", name, verdict,
				IS_ERR(img) ? PTR_ERR(img) : 0L, err.text);
		}
		if (IS_ERR(img)) {
			CHECK_REFUSED(PTR_ERR(img), -PTR_ERR(img), &err, "");
			refuses++;
		} else {
			q2_image_close(img);
			opens++;
		}
		mem_file_free(mem);
	}
	fclose(list);
	CHECK_EQ(wrong, 0);
	CHECK(opens > 100 && refuses > 100);
}
