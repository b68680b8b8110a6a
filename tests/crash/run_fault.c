// SPDX-License-Identifier: GPL-2.0-only
/* The n-th read, write, flush or allocation fails, for every n, in short scripts. */
#include "judge.h"
#include "qemu.h"

#define K 1024ULL

static const struct image_config configs[] = {
	{"fault-v2-4k-raw-snap", 2, 4096, 16, .backing = BACKING_RAW, .snapshots = 1,
	 .size = 200 * K},
	{"fault-v3-512-rc64", 3, 512, 64, .compress = "zlib", .size = 160 * K},
	{"fault-v3-4k-zlib-snap", 3, 4096, 16, .compress = "zlib", .backing = BACKING_SHORT,
	 .snapshots = 1, .size = 200 * K},
	{"fault-ext-16k-raw", 3, 16384, 16, .extended = true, .backing = BACKING_RAW,
	 .snapshots = 1, .size = 400 * K},
};

static const char *const kinds[] = {"none", "read", "write", "enospc", "flush", "alloc"};

struct run {
	const struct image_set *set;
	enum fault_kind kind;
	unsigned long nth;
	bool sticky;
};

/* After the fault: whatever the power cut leaves now, and what is there without one. */
static void judge_after(const struct image_set *set, struct disk *disk, struct model *model,
			struct rng *rng)
{
	struct disk_state state;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		disk_cut(disk, rng, &state);
		judge_state(set, &state, model, model->floor, rng);
		disk_state_free(&state);
	}
	state.data = disk->live;
	state.size = disk->size;
	snprintf(state.how, sizeof(state.how), "no power cut, but a fault");
	judge_state(set, &state, model, model->floor, rng);
}

/* One operation of the script; is the outcome as it should be? */
static void step(struct guest *g, const struct run *run, unsigned int i)
{
	bool hit = disk_fault.hit;
	enum q2_mode mode = q2_image_mode(g->img);
	int ret;

	ret = i % 5 == 4 ? guest_flush(g) : guest_random(g);
	if (ret && !disk_fault.hit)
		FAIL("an operation fails without a fault: %d", ret);
	if (!ret && mode == Q2_MODE_RO && i % 5 == 4)
		FAIL("a flush of a read-only image succeeds");
	if (!hit && disk_fault.meta && run->kind != FAULT_NOSPC &&
	    q2_image_mode(g->img) == Q2_MODE_RW)
		FAIL("metadata could not be written, and the image is not read-only (%d)", ret);
	if (run->kind == FAULT_ALLOC && q2_image_mode(g->img) != Q2_MODE_RW)
		FAIL("for want of memory the image has become read-only (%d)", ret);
	/* Nothing may have been remembered only by chance. */
	q2_image_shrink(g->img, ULONG_MAX);
	q2_map_shrink(g->map, ULONG_MAX);
	guest_compare_all(g);
}

/* Return: the fault has happened. */
static bool run_once(const struct run *run)
{
	const struct layer *top = image_top(run->set);
	u64 seed = sim.seed * 77 + run->set->config->cluster;
	struct rng rng = {seed + run->nth};
	struct disk *disk = disk_create(
		top->data, top->size,
		top->size + 2 * run->set->config->size + image_spare(run->set->config), false);
	struct model *model = model_create(top->content, top->guest / SECTOR);
	struct guest g = {};
	bool hit;
	unsigned int i;

	sim_count.faults++;
	disk_fault_set(run->kind, run->nth, run->sticky);
	disk->rng.state = run->nth;
	if (!guest_open(&g, run->set, disk, model, seed, true)) {
		for (i = 0; i < 60; i++)
			step(&g, run, i);
		sim_context("%s: close, %s %lu%s", run->set->config->name, kinds[run->kind],
			    run->nth, run->sticky ? " and on" : "");
		guest_close(&g);
	} else if (!disk_fault.hit) {
		FAIL("the image does not open");
	}
	hit = disk_fault.hit;
	disk_fault_clear();
	judge_after(run->set, disk, model, &rng);
	model_free(model);
	disk_free(disk);
	return hit;
}

static void run_one(void *arg)
{
	struct run run = {.set = image_make(arg)};
	bool hit;

	for (run.kind = FAULT_READ; run.kind <= FAULT_ALLOC; run.kind++) {
		for (run.sticky = false;; run.sticky = true) {
			run.nth = 0;
			do {
				run.nth++;
				if (sim.verbose)
					fprintf(stderr, "%s: %s %lu\n", run.set->config->name,
						kinds[run.kind], run.nth);
				hit = run_once(&run);
			} while (hit);
			if (run.sticky)
				break;
		}
	}
}

void run_faults(void)
{
	unsigned int i;

	judge_ask_every(sim.qemu_every ? sim.qemu_every * 16 : 0);
	for (i = 0; i < ARRAY_SIZE(configs); i++)
		sim_test(configs[i].name, run_one, (void *)&configs[i]);
}
