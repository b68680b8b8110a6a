// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many threads on one image, each slow operation alone on its clusters, as
 * write.h asks. Built with ThreadSanitizer as well.
 */
#include <unistd.h>
#include "judge.h"

#define K 1024ULL
#define M (1024 * K)
#define NR_WORKERS 5
#define NR_CUTS 16

static const struct image_config configs[] = {
	{"threads-v3-4k-snap", 3, 4096, 16, .compress = "zlib", .backing = BACKING_RAW,
	 .snapshots = 1, .size = 1 * M},
	{"threads-v2-512", 2, 512, 16, .snapshots = 1, .compress = "zlib", .size = 256 * K},
	{"threads-v3-512-rc64-grow", 3, 512, 64, .size = 3 * M, .empty = true},
	{"threads-ext-16k", 3, 16384, 16, .extended = true, .backing = BACKING_LONG, .snapshots = 2,
	 .size = 1 * M},
};

struct cut {
	struct disk_state state;
	u64 floor;
};

struct crew {
	const struct image_set *set;
	struct guest g;
	struct disk *disk;
	struct model *model;
	bool stop;
	unsigned int events;
	struct cut cuts[NR_CUTS];
	unsigned int nr_cuts;
};

struct worker {
	struct crew *crew;
	struct rng rng;
	pthread_t thread;
};

/* Ahead of each change of the file, with no lock of ours: memory goes, and others come in between.
 */
static void event(struct disk *disk, bool guest, void *arg)
{
	struct crew *c = arg;
	unsigned int n = __atomic_add_fetch(&c->events, 1, __ATOMIC_RELAXED);

	if (n % 7 == 0)
		q2_image_shrink(c->g.img, ULONG_MAX);
	if (n % 5 == 0)
		usleep(n % 100);
}

static void lock_range(struct guest *g, u64 guest, u64 len, bool lock)
{
	u64 i, last = (guest + len - 1) / g->cluster;

	for (i = guest / g->cluster; i <= last; i++) {
		if (lock)
			pthread_mutex_lock(&g->locks[i]);
		else
			pthread_mutex_unlock(&g->locks[i]);
	}
}

/* What is there now must be allowed; it is what counts from here. */
static void settle(struct crew *c, u64 guest, u64 len, bool settle)
{
	u32 *versions = xalloc(len / SECTOR * sizeof(*versions));
	u64 i;
	int ret = guest_read(&c->g, guest, len, versions);

	if (ret)
		FAIL("a read fails: %d", ret);
	for (i = 0; i < len / SECTOR && !ret; i++) {
		if (!model_may_read(c->model, guest / SECTOR + i, versions[i])) {
			FAIL("sector %llu reads %d", guest / SECTOR + i, (int)versions[i]);
			break;
		}
		if (settle)
			model_settle(c->model, guest / SECTOR + i, versions[i]);
	}
	free(versions);
}

/* A read that nobody waits for: any version of its own, nobody else's bytes. */
static void read_unlocked(struct crew *c, u64 guest, u64 len)
{
	u32 *versions = xalloc(len / SECTOR * sizeof(*versions));
	u64 i;

	if (guest_read(&c->g, guest, len, versions))
		FAIL("a read fails");
	for (i = 0; i < len / SECTOR; i++) {
		if (versions[i] == V_BROKEN) {
			FAIL("sector %llu reads something else", guest / SECTOR + i);
			break;
		}
	}
	free(versions);
}

static void operate(struct worker *w, u64 guest, u64 len)
{
	struct crew *c = w->crew;
	struct model *m = c->model;
	unsigned int what = rng_below(&w->rng, 10);
	u64 sector = guest / SECTOR, n = len / SECTOR;
	u32 version = what < 5 ? model_version(m) : V_ZERO;
	int ret;

	__atomic_add_fetch(&sim_count.ops, 1, __ATOMIC_RELAXED);
	if (what >= 9) {
		settle(c, guest, len, false);
		return;
	}
	model_begin(m, sector, n, version);
	if (what < 5)
		ret = guest_write_raw(&c->g, guest, len, version);
	else if (what < 7)
		ret = guest_discard_raw(&c->g, guest, len);
	else
		ret = guest_zero_raw(&c->g, guest, len, what == 7);
	if (ret)
		FAIL("operation %u fails: %d", what, ret);
	if (what == 5 || what == 6)
		settle(c, guest, len, false);
	model_end(m, sector, n, version);
	if (what == 5 || what == 6) {
		u32 *versions = xalloc(n * sizeof(*versions));
		u64 i;

		guest_read(&c->g, guest, len, versions);
		for (i = 0; i < n; i++)
			model_settle(m, sector + i, versions[i]);
		free(versions);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED) && !sim_failed()) {
		u64 sectors = c->g.size / SECTOR, per = c->g.cluster / SECTOR;
		u64 at = rng_below(&w->rng, sectors / (1 + rng_below(&w->rng, 4)));
		u64 n = min(1 + rng_below(&w->rng, 3 * per), sectors - at);

		if (rng_one_in(&w->rng, 2)) {
			at = round_down(at, per);
			n = min(per * (1 + rng_below(&w->rng, 2)), sectors - at);
		}
		if (rng_one_in(&w->rng, 5)) {
			read_unlocked(c, at * SECTOR, n * SECTOR);
			continue;
		}
		lock_range(&c->g, at * SECTOR, n * SECTOR, true);
		operate(w, at * SECTOR, n * SECTOR);
		lock_range(&c->g, at * SECTOR, n * SECTOR, false);
	}
	return NULL;
}

static void *flush(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED) && !sim_failed()) {
		u64 floor = __atomic_load_n(&c->model->clock, __ATOMIC_SEQ_CST);
		int ret = q2_image_commit(c->g.img);

		if (ret)
			FAIL("a flush fails: %d", ret);
		model_flushed(c->model, floor);
		usleep(rng_below(&w->rng, 2000));
	}
	return NULL;
}

/* Cut the power now and then; judged when the threads are done. */
static void take_cuts(struct crew *c, struct rng *rng, unsigned int ms)
{
	unsigned int i;

	for (i = 0; i < NR_CUTS && !sim_failed(); i++) {
		struct cut *cut = &c->cuts[c->nr_cuts++];

		usleep(1000 * ms / NR_CUTS);
		cut->floor = __atomic_load_n(&c->model->floor, __ATOMIC_SEQ_CST);
		disk_cut(c->disk, rng, &cut->state);
	}
}

static void run_one(void *arg)
{
	const struct image_config *config = arg;
	struct worker workers[NR_WORKERS + 2];
	struct crew crew = {.set = image_make(config)};
	const struct layer *top = image_top(crew.set);
	struct rng rng = {sim.seed};
	u64 i, clusters = (config->size + config->cluster - 1) / config->cluster;

	crew.disk = disk_create(top->data, top->size,
				top->size + 4 * config->size + image_spare(config), false);
	crew.model = model_create(top->content, top->guest / SECTOR);
	crew.model->keep = true;
	CHECK(!guest_open(&crew.g, crew.set, crew.disk, crew.model, sim.seed, true));
	crew.g.locks = xalloc(clusters * sizeof(*crew.g.locks));
	for (i = 0; i < clusters; i++)
		pthread_mutex_init(&crew.g.locks[i], NULL);
	crew.disk->event = event;
	crew.disk->event_arg = &crew;
	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i].crew = &crew;
		workers[i].rng.state = sim.seed * 100 + i;
		pthread_create(&workers[i].thread, NULL, i < NR_WORKERS ? work : flush,
			       &workers[i]);
	}
	take_cuts(&crew, &rng, 1500);
	__atomic_store_n(&crew.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(workers); i++)
		pthread_join(workers[i].thread, NULL);
	sim_context("%s: power cuts", config->name);
	for (i = 0; i < crew.nr_cuts; i++) {
		if (!sim_failed())
			judge_state(crew.set, &crew.cuts[i].state, crew.model, crew.cuts[i].floor,
				    &rng);
		disk_state_free(&crew.cuts[i].state);
	}
	sim_context("%s: close", config->name);
	crew.disk->event = NULL;
	free(crew.g.locks);
	crew.g.locks = NULL;
	if (!sim_failed()) {
		guest_compare_all(&crew.g);
		guest_close(&crew.g);
		judge_closed(crew.set, crew.disk, crew.model, true, false);
	}
	model_free(crew.model);
	disk_free(crew.disk);
}

void run_threads(void)
{
	unsigned int i;

	judge_ask_every(sim.qemu_every);
	for (i = 0; i < ARRAY_SIZE(configs); i++)
		sim_test(configs[i].name, run_one, (void *)&configs[i]);
}
