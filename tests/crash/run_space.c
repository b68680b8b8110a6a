// SPDX-License-Identifier: GPL-2.0-only
/* Refcount tables that grow, devices that end, clusters that are used again. */
#include "judge.h"

#define K 1024ULL
#define M (1024 * K)

static const struct image_config grow_configs[] = {
	{"grow-v3-512-rc64", 3, 512, 64, .size = 3 * M},
	{"grow-v3-512-rc64-device", 3, 512, 64, .size = 3 * M, .device = true, .empty = true},
	{"grow-v2-512-snap-raw", 2, 512, 16, .snapshots = 1, .size = 12 * M,
	 .backing = BACKING_RAW},
	{"grow-v3-512-rc32-prealloc", 3, 512, 32, .prealloc = true, .size = 5 * M, .snapshots = 1},
};

static const struct image_config full_configs[] = {
	{"full-v3-4k-device", 3, 4096, 16, .device = true, .size = 1 * M},
	{"full-v2-512-snap", 2, 512, 16, .snapshots = 1, .size = 256 * K},
	{"full-v3-512-rc64", 3, 512, 64, .size = 256 * K, .backing = BACKING_RAW},
	{"full-ext-64k", 3, 65536, 16, .extended = true, .size = 4 * M, .snapshots = 1},
};

static const struct image_config reuse_configs[] = {
	{"reuse-v3-4k", 3, 4096, 16, .size = 512 * K},
	{"reuse-v2-512", 2, 512, 16, .size = 128 * K},
	{"reuse-ext-2m", 3, 2097152, 16, .extended = true, .size = 4 * M, .empty = true},
};

struct scene {
	const struct image_set *set;
	struct disk *disk;
	struct model *model;
	struct guest g;
	struct rng rng;
	u64 table;	    /* where the refcount table was */
	unsigned int look;  /* it has just moved: look closely so many more times */
	unsigned int looks; /* cuts each of those times */
	unsigned int cuts;  /* one power cut in so many writes of metadata; 0: none */
};

static void event(struct disk *disk, bool guest, void *arg)
{
	struct scene *s = arg;

	if (sim_judging || !s->g.img)
		return;
	if (q2_image_header(s->g.img)->refcount_table_offset != s->table) {
		s->table = q2_image_header(s->g.img)->refcount_table_offset;
		s->look = 20;
	}
	if (s->look) {
		s->look--;
		judge_cuts(&s->g, s->looks);
	}
	if (s->cuts && rng_one_in(&s->rng, guest ? 20 * s->cuts : s->cuts))
		judge_cuts(&s->g, 1);
}

static void scene_open(struct scene *s, const struct image_config *c, u64 room)
{
	const struct layer *top;

	memset(s, 0, sizeof(*s));
	s->set = image_make(c);
	s->rng.state = sim.seed;
	s->looks = 8;
	top = image_top(s->set);
	s->disk = disk_create(top->data, top->size, top->size + room, c->device);
	s->model = model_create(top->content, top->guest / SECTOR);
	CHECK(!guest_open(&s->g, s->set, s->disk, s->model, sim.seed, true));
	s->table = q2_image_header(s->g.img)->refcount_table_offset;
	s->disk->event = event;
	s->disk->event_arg = s;
}

static void scene_close(struct scene *s)
{
	guest_close(&s->g);
	s->disk->event = NULL;
	judge_closed(s->set, s->disk, s->model, true, false);
	model_free(s->model);
	disk_free(s->disk);
}

/* The whole disk is written, the file grows past what its refcount table can name. */
static void run_grow(void *arg)
{
	const struct image_config *c = arg;
	/* Fewer cuts where fewer states were asked for. */
	unsigned int few = sim.states < 2000 ? 4 : 1;
	unsigned int i, pieces = c->size / (64 * K);
	struct scene s;
	u64 table;

	scene_open(&s, c, 3 * c->size);
	table = q2_image_header(s.g.img)->refcount_table_offset;
	s.cuts = (c->size > 4 * M ? 60 : 8) * few;
	s.looks = 8 / few;
	for (i = 0; i < 2 * pieces; i++) {
		u64 guest = (i < pieces ? i : rng_below(&s.rng, pieces)) * 64 * K;

		sim_context("%s: piece %u", c->name, i);
		CHECK(!guest_write(&s.g, guest, 64 * K));
		if (rng_one_in(&s.rng, 10))
			CHECK(!guest_flush(&s.g));
		if (rng_one_in(&s.rng, 20))
			CHECK(!guest_discard(&s.g, guest, 32 * K));
	}
	if (q2_image_header(s.g.img)->refcount_table_offset == table)
		FAIL("the refcount table has not grown");
	guest_compare_all(&s.g);
	scene_close(&s);
}

/* A device that is full, emptied, and made larger. */
static void run_full(void *arg)
{
	const struct image_config *c = arg;
	unsigned int i, full = 0;
	struct scene s;
	u64 end;
	int ret;

	scene_open(&s, c, 3 * c->size + image_spare(c));
	s.cuts = 30;
	end = s.disk->file.limit;
	s.disk->file.limit = round_up(image_top(s.set)->size, (u64)c->cluster) + c->size / 4;
	for (i = 0; i < 400 || (!full && i < 4000); i++) {
		ret = guest_random(&s.g);
		if (ret && ret != -ENOSPC)
			FAIL("an operation fails: %d", ret);
		full += ret == -ENOSPC;
		guest_compare(&s.g, 0, c->size / 4);
	}
	guest_compare_all(&s.g);
	if (!full)
		FAIL("there was always room");
	CHECK(q2_image_mode(s.g.img) == Q2_MODE_RW);
	/* What is freed, even if no flush has said so yet, is room. */
	guest_end_late(&s.g, true);
	if (!c->snapshots) {
		for (i = 0; i < 20; i++) {
			sim_context("%s: round %u of discard and write", c->name, i);
			if (c->version == 2 || c->backing == BACKING_NONE || i % 2)
				CHECK(!guest_discard(&s.g, 0, s.g.size));
			else
				CHECK(!guest_zero(&s.g, 0, s.g.size, true));
			CHECK(!guest_write(&s.g, 0, c->size / 8));
		}
	}
	s.disk->file.limit = end;
	for (i = 0; i < 100; i++) {
		sim_context("%s: with room again", c->name);
		CHECK(!guest_random(&s.g));
	}
	guest_compare_all(&s.g);
	scene_close(&s);
}

/* Clusters that are freed are used again, with and without flushes by the guest. */
static void run_reuse(void *arg)
{
	const struct image_config *c = arg;
	u64 bytes = (c->cluster > M ? 140 : 4500) * (u64)c->cluster, bound;
	unsigned int i, n = bytes / c->cluster;
	struct scene s;

	scene_open(&s, c, bytes + 3 * c->size + image_spare(c));
	/* What a flush of the guest's frees is there for the next write. */
	bound = s.disk->size + c->size + 16 * c->cluster;
	for (i = 0; i < (c->cluster > M ? 20 : 500); i++) {
		u64 guest = rng_below(&s.rng, c->size / c->cluster) * c->cluster;

		CHECK(!guest_write(&s.g, guest, SECTOR));
		if (i % 2)
			CHECK(!guest_discard(&s.g, guest, c->cluster));
		if (i % 8 == 0)
			CHECK(!guest_flush(&s.g));
		if (s.disk->size > bound)
			FAIL("the file has grown to %llu in %u rounds", s.disk->size, i);
	}
	/* Without flushes there is a bound, too. */
	bound += 256 * M / c->cluster > 4096 ? 4200 * (u64)c->cluster : 260 * M;
	for (i = 0; i < n; i++) {
		CHECK(!guest_write(&s.g, c->cluster, SECTOR));
		CHECK(!guest_discard(&s.g, c->cluster, c->cluster));
		if (s.disk->size > bound)
			FAIL("the file has grown to %llu in %u rounds without a flush",
			     s.disk->size, i);
	}
	guest_compare_all(&s.g);
	scene_close(&s);
}

static void run_all(const struct image_config *configs, unsigned int nr, void (*run)(void *arg))
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		sim_test(configs[i].name, run, (void *)&configs[i]);
}

void run_space(void)
{
	judge_ask_every(sim.qemu_every);
	run_all(grow_configs, ARRAY_SIZE(grow_configs), run_grow);
	run_all(full_configs, ARRAY_SIZE(full_configs), run_full);
	run_all(reuse_configs, ARRAY_SIZE(reuse_configs), run_reuse);
}
