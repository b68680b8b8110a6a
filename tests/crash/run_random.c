// SPDX-License-Identifier: GPL-2.0-only
/* Random guests on images of every format, the power cut at random writes of the file. */
#include "judge.h"
#include "qemu.h"

#define K 1024ULL
#define M (1024 * K)

static const struct image_config configs[] = {
	/* name, version, cluster, refcount bits, ... */
	{"v2-64k", 2, 65536, 16, .size = 3 * M},
	{"v2-4k-raw-snap", 2, 4096, 16, .backing = BACKING_RAW, .snapshots = 1, .size = 700 * K},
	{"v2-512-zlib", 2, 512, 16, .compress = "zlib", .size = 200 * K},
	{"v2-8k-short", 2, 8192, 16, .backing = BACKING_SHORT, .compress = "zlib", .size = 900 * K},
	{"v3-512", 3, 512, 16, .size = 300 * K},
	{"v3-512-rc1", 3, 512, 1, .compress = "zlib", .size = 300 * K},
	{"v3-512-rc64-long-snap2", 3, 512, 64, .backing = BACKING_LONG, .snapshots = 2,
	 .size = 200 * K},
	{"v3-1k-rc2-zlib", 3, 1024, 2, .compress = "zlib", .size = 400 * K},
	{"v3-2k-rc4-chain", 3, 2048, 4, .backing = BACKING_CHAIN, .compress = "zlib",
	 .size = 400 * K + 512},
	{"v3-4k", 3, 4096, 16, .size = 1 * M},
	{"v3-4k-zlib-snap2-short", 3, 4096, 16, .compress = "zlib", .backing = BACKING_SHORT,
	 .snapshots = 2, .size = 600 * K},
	{"v3-4k-prealloc", 3, 4096, 16, .prealloc = true, .size = 800 * K},
	{"v3-4k-device-raw", 3, 4096, 16, .device = true, .backing = BACKING_RAW,
	 .compress = "zlib", .size = 600 * K},
	{"v3-16k-rc8-snap", 3, 16384, 8, .snapshots = 1, .size = 1 * M},
	{"v3-64k-raw", 3, 65536, 16, .backing = BACKING_RAW, .size = 3 * M},
	{"v3-64k-zstd-snap-lazy", 3, 65536, 16, .compress = "zstd", .snapshots = 1, .lazy = true,
	 .size = 3 * M},
	{"v3-64k-odd-device", 3, 65536, 32, .device = true, .size = 2 * M + 1536},
	{"v3-2m-long", 3, 2097152, 16, .backing = BACKING_LONG, .size = 7 * M},
	{"ext-16k", 3, 16384, 16, .extended = true, .size = 1 * M},
	{"ext-16k-raw", 3, 16384, 16, .extended = true, .backing = BACKING_RAW, .size = 1 * M},
	{"ext-64k-chain-zlib-snap", 3, 65536, 16, .extended = true, .backing = BACKING_CHAIN,
	 .compress = "zlib", .snapshots = 1, .size = 2 * M + 4608},
	{"ext-64k-short-prealloc", 3, 65536, 16, .extended = true, .backing = BACKING_SHORT,
	 .prealloc = true, .size = 2 * M},
	{"ext-32k-rc1-device", 3, 32768, 1, .extended = true, .device = true, .compress = "zstd",
	 .size = 1 * M},
	{"ext-128k-snap2-long", 3, 131072, 64, .extended = true, .backing = BACKING_LONG,
	 .snapshots = 2, .size = 3 * M},
};

struct hook {
	struct guest *guest;
	unsigned long quota; /* states still to look at */
	struct rng rng;
};

/* Before each write, flush and discard of the file. */
static void event(struct disk *disk, bool guest, void *arg)
{
	struct hook *hook = arg;
	struct guest *g = hook->guest;

	if (sim_judging || !g->img)
		return;
	fault_alloc_pause(true);
	/* Memory may be asked back, and a guest may read, at any time. */
	if (rng_one_in(&hook->rng, 6))
		q2_image_shrink(g->img, ULONG_MAX);
	g->direct = true;
	if (rng_one_in(&hook->rng, 24))
		guest_compare_all(g);
	g->direct = false;
	if (hook->quota && rng_one_in(&hook->rng, 6)) {
		hook->quota--;
		judge_cuts(g, 1);
	}
	fault_alloc_pause(false);
}

/* Copies of what a commit writes cannot be had: it goes another way. */
static int flush_without_memory(struct guest *g)
{
	int ret;

	sim_context("%s: flush without memory", g->set->config->name);
	fault_alloc(1, true);
	ret = guest_flush(g);
	disk_fault_clear();
	return ret;
}

static void round_of(const struct image_set *set, struct hook *hook, u64 seed, bool qemu)
{
	const struct image_config *c = set->config;
	const struct layer *top = image_top(set);
	struct rng rng = {seed};
	struct disk *disk = disk_create(top->data, top->size,
					top->size + 3 * c->size + image_spare(c), c->device);
	struct model *model = model_create(top->content, top->guest / SECTOR);
	unsigned int i, n = (c->cluster > M ? 30 : 60) + rng_below(&rng, c->cluster > M ? 30 : 200);
	struct guest g = {};

	hook->guest = &g;
	hook->rng.state = seed;
	CHECK(!guest_open(&g, set, disk, model, seed, true));
	g.careful = true;
	g.flaky = rng_one_in(&rng, 3);
	disk->event = event;
	disk->event_arg = hook;
	for (i = 0; i < n; i++) {
		int ret = rng_one_in(&rng, 20) ? flush_without_memory(&g) : guest_random(&g);

		if (ret && !(g.flaky && ret == -EIO))
			FAIL("an operation fails: %d", ret);
		guest_compare(&g, rng_below(&rng, top->guest / SECTOR) * SECTOR, 8 * c->cluster);
		if (rng_one_in(&rng, 16))
			guest_compare_all(&g);
	}
	guest_end_late(&g, true);
	guest_compare_all(&g);
	sim_context("%s: close", c->name);
	guest_close(&g);
	disk->event = NULL;
	judge_closed(set, disk, model, qemu, false);
	model_free(model);
	disk_free(disk);
}

static void run_one(void *arg)
{
	const struct image_config *c = arg;
	const struct image_set *set = image_make(c);
	struct hook hook = {.quota = sim.states / ARRAY_SIZE(configs) / (c->cluster > M ? 4 : 1) +
				     1};
	unsigned int i;

	/* Large clusters are slow: one round shows what there is to see. */
	for (i = 0; i < (c->cluster > M ? 1 : 2) || (hook.quota && i < 1000); i++)
		round_of(set, &hook, sim.seed * 1000003 + i * 7919 + c->cluster, i % 4 < 2);
}

void run_random(void)
{
	unsigned int i;

	judge_ask_every(sim.qemu_every);
	for (i = 0; i < ARRAY_SIZE(configs); i++)
		sim_test(text("random-%s", configs[i].name), run_one, (void *)&configs[i]);
}
