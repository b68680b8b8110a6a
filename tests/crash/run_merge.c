// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commit and stream: layers of a chain merged into another one, the power cut at every
 * write to any of them, and each read, write, flush and allocation failing.
 *
 * Nobody writes to the disk meanwhile, so whatever is left of the files, and whichever
 * backing files their headers name by then, the chain reads what it did before. The
 * guests beside a job are those of tests/functional/jobs.
 */
#include "chain/merge.h"
#include "image/backing.h"
#include "judge.h"
#include "qemu.h"

#define K 1024ULL
#define M (1024 * K)

static const struct image_config configs[] = {
	{"merge-v2-4k-raw", 2, 4096, 16, .backing = BACKING_RAW, .size = 200 * K},
	{"merge-v3-64k-raw", 3, 65536, 16, .backing = BACKING_RAW, .size = 1 * M + 4608},
	{"merge-v3-512-short-zlib", 3, 512, 16, .backing = BACKING_SHORT, .compress = "zlib",
	 .size = 100 * K + 1536},
	{"merge-v3-4k-long", 3, 4096, 16, .backing = BACKING_LONG, .size = 300 * K + 512},
	{"merge-v2-4k-chain", 2, 4096, 16, .backing = BACKING_CHAIN, .size = 300 * K},
	{"merge-v3-64k-deep-zstd", 3, 65536, 16, .backing = BACKING_DEEP, .compress = "zstd",
	 .size = 600 * K},
	{"merge-ext-16k-deep", 3, 16384, 16, .extended = true, .backing = BACKING_DEEP,
	 .size = 400 * K + 512},
	{"merge-ext-64k-short", 3, 65536, 16, .extended = true, .backing = BACKING_SHORT,
	 .size = 900 * K},
	{"merge-mixed-v2-512", 2, 512, 16, .backing = BACKING_MIXED, .size = 120 * K + 512},
	{"merge-mixed-v3-4k", 3, 4096, 16, .backing = BACKING_MIXED, .size = 250 * K},
	{"merge-mixed-v3-4k-zlib", 3, 4096, 16, .backing = BACKING_MIXED, .compress = "zlib",
	 .size = 200 * K + 1024},
	{"merge-mixed-v3-64k", 3, 65536, 16, .backing = BACKING_MIXED, .size = 500 * K},
	{"merge-mixed-ext-16k", 3, 16384, 16, .extended = true, .backing = BACKING_MIXED,
	 .size = 300 * K + 512},
	{"merge-mixed-ext-64k-zstd", 3, 65536, 16, .extended = true, .backing = BACKING_MIXED,
	 .compress = "zstd", .size = 600 * K},
};

static const struct image_config fault_configs[] = {
	{"merge-fault-4k-chain", 3, 4096, 16, .backing = BACKING_CHAIN, .size = 60 * K},
	{"merge-fault-ext-short", 3, 16384, 16, .extended = true, .backing = BACKING_SHORT,
	 .size = 100 * K},
	{"merge-fault-4k-mixed", 3, 4096, 16, .backing = BACKING_MIXED, .size = 60 * K},
	{"merge-fault-ext-mixed", 3, 16384, 16, .extended = true, .backing = BACKING_MIXED,
	 .size = 100 * K},
};

/* Bytes of a window, as job/commit.c has it, but small. */
#define WINDOW (128 * K)

/**
 * struct merge_op - what is done, as job/ does it
 * @top: first layer that is merged
 * @bottom: last one
 * @into: the layer that gets them; below: commit, above: stream
 * @overlay: the layer whose header names another backing file then; Q2_NO_LAYER: none
 * @base: the layer that it names; Q2_NO_LAYER: none
 * @empties: the top of the chain is emptied, window by window; what is between it and
 *           @into, if there is any, has been merged before, and @overlay is the top
 */
struct merge_op {
	unsigned int top, bottom, into, overlay, base;
	bool empties;
};

struct world {
	const struct image_set *set;
	struct merge_op op;
	struct disk *disk[MAX_LAYERS];
	struct q2_image *img[MAX_LAYERS];
	struct q2_chain *chain;
	struct rng rng;
	unsigned long quota;
};

/* A compressed cluster is one that was there at first: what it holds is known. */
static int expand(void *arg, unsigned int layer, const struct q2_extent *ext, u32 skip, void *buf,
		  u32 len)
{
	const struct layer *l = &((const struct image_set *)arg)->layers[layer];
	u64 sector = ext->guest / SECTOR, i;

	for (i = 0; i < len / SECTOR; i++)
		stamp((u8 *)buf + i * SECTOR, sector + i, l->content[sector + i]);
	return 0;
}

static void close_all(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->set->nr; i++) {
		if (w->img[i])
			q2_image_close(w->img[i]);
		w->img[i] = NULL;
	}
	q2_chain_free(w->chain);
	w->chain = NULL;
}

/* Open every layer; those of @op that are written, for writing. Return: 0 or -errno. */
static int open_all(struct world *w, const struct merge_op *op)
{
	struct q2_err err = {};
	unsigned int i;
	int ret = 0;

	w->chain = q2_chain_alloc(w->set->nr);
	if (!w->chain)
		return -ENOMEM;
	for (i = 0; i < w->set->nr && !ret; i++) {
		struct q2_layer *layer = &w->chain->layers[i];
		bool write = op && (i == op->into || i == op->overlay ||
				    (op->empties && i == w->set->nr - 1));

		layer->file = &w->disk[i]->file;
		layer->size = round_up(w->disk[i]->size, (u64)SECTOR);
		if (w->set->layers[i].raw)
			continue;
		w->img[i] = q2_image_open(layer->file, Q2_CACHE_MIN, &err);
		if (IS_ERR(w->img[i])) {
			ret = PTR_ERR(w->img[i]);
			w->img[i] = NULL;
			break;
		}
		layer->img = w->img[i];
		layer->size = q2_image_size(layer->img);
		if (write)
			ret = q2_image_make_writable(layer->img, NULL, NULL, &err);
	}
	if (ret) {
		close_all(w);
		return ret;
	}
	q2_chain_init(w->chain);
	return 0;
}

static int commit_image(struct world *w, unsigned int layer)
{
	return w->img[layer] ? q2_image_commit(w->img[layer])
			     : q2_file_flush(&w->disk[layer]->file);
}

static int copy(struct q2_merge *m, u64 pos, u64 end)
{
	u64 len;
	int ret = 0;

	while (pos < end && !ret) {
		ret = q2_merge_idle(m, pos, &len);
		pos += ret ? 0 : len;
		if (ret || pos >= end)
			break;
		ret = q2_merge_step(m, pos, end - pos, &len);
		pos += ret ? 0 : len;
	}
	return ret;
}

/* The top goes down. BELOW-DURABLE-FIRST: as job/commit.c. */
static int empty_top(struct world *w, struct q2_merge *m)
{
	u64 pos, end;
	int ret = 0;

	for (pos = 0; pos < m->size && !ret; pos = end) {
		end = min(pos + WINDOW, m->size);
		ret = copy(m, pos, end);
		if (!ret)
			ret = commit_image(w, m->into);
		if (!ret)
			ret = q2_image_unallocate(w->img[m->top], pos, end - pos);
	}
	return ret ? ret : commit_image(w, m->top);
}

/* What lies above the base is not asked any more. */
static void drop_layers(struct world *w, const struct merge_op *op)
{
	unsigned int i;

	for (i = 0; i < op->overlay; i++)
		w->chain->layers[i].gone = op->base == Q2_NO_LAYER || i > op->base;
}

/* BELOW-DURABLE-FIRST: copy, make it durable, then name the new backing file. */
static int merge_and_name(struct world *w, const struct merge_op *op, struct q2_merge *m)
{
	const struct layer *base = op->base == Q2_NO_LAYER ? NULL : &w->set->layers[op->base];
	struct q2_err err = {};
	int ret = copy(m, 0, m->size);

	if (!ret)
		ret = commit_image(w, m->into);
	if (!ret)
		ret = q2_image_set_backing(w->img[op->overlay], base ? base->path : NULL,
					   base ? base->raw ? "raw" : "qcow2" : NULL, &err);
	if (!ret)
		drop_layers(w, op);
	return ret;
}

/* All of it, or what is left if the layers between have been merged. */
static int do_op(struct world *w, const struct merge_op *op)
{
	struct q2_merge m = {
		.chain = w->chain,
		.top = op->top,
		.bottom = op->bottom,
		.into = op->into,
		.limit = op->empties ? image_top(w->set)->guest : 0,
		.expand = expand,
		.arg = (void *)w->set,
	};
	struct q2_err err = {};
	int ret = 0;

	if (op->overlay != Q2_NO_LAYER && !w->chain->layers[op->top].gone) {
		ret = q2_merge_begin(&m, &err);
		if (ret)
			return ret;
		ret = merge_and_name(w, op, &m);
		q2_merge_end(&m);
	}
	if (ret || !op->empties)
		return ret;
	m.top = m.bottom = w->set->nr - 1;
	m.limit = 0;
	ret = q2_merge_begin(&m, &err);
	if (ret)
		return ret;
	ret = empty_top(w, &m);
	q2_merge_end(&m);
	return ret;
}

/* What the layers below the headers' names show, sector by sector. */
static void judge_content(struct world *w, const char *how)
{
	const struct layer *top = image_top(w->set);
	struct q2_extent ext;
	unsigned int layer;
	u8 *buf = xalloc(1 * M);
	u64 pos, i;
	int ret;

	for (pos = 0; pos < top->guest; pos += ext.len) {
		ret = q2_chain_lookup(w->chain, pos, min(1 * M, top->guest - pos), &layer, &ext);
		if (!ret && ext.kind == Q2_DATA)
			ret = q2_file_read(w->chain->layers[layer].file, ext.host, buf, ext.len);
		else if (!ret && ext.kind == Q2_COMPRESSED)
			ret = expand((void *)w->set, layer, &ext, 0, buf, ext.len);
		else
			memset(buf, 0, ext.len);
		if (ret)
			FAIL("%s: a read at %llu fails: %d", how, pos, ret);
		for (i = 0; i < ext.len / SECTOR; i++) {
			u64 sector = pos / SECTOR + i;
			u32 version = stamp_read(buf + i * SECTOR, sector);

			if (version != top->content[sector])
				FAIL("%s: sector %llu shows %d, not %d", how, sector, (int)version,
				     (int)top->content[sector]);
		}
	}
	free(buf);
}

/* Take out what the overlay's header passes over. Return: it does. */
static bool follow_header(struct world *w, const struct merge_op *op, const u8 *data, u64 size,
			  const char *how)
{
	struct fsck fsck;
	const char *now = op->base == Q2_NO_LAYER ? "" : w->set->layers[op->base].path;

	fsck_run(data, size, &fsck);
	if (strcmp(fsck.backing, now)) {
		if (strcmp(fsck.backing, w->set->layers[op->overlay - 1].path))
			FAIL("%s: the backing file is \"%s\"", how, fsck.backing);
		return false;
	}
	drop_layers(w, op);
	return true;
}

/* The files as they are in @state: sound, and the chain reads what it did. */
static void judge_files(struct world *from, const struct disk_state *state, bool again)
{
	const struct image_set *set = from->set;
	const struct merge_op *op = &from->op;
	struct world w = {.set = set, .rng = from->rng};
	struct disk_fault fault;
	struct fsck fsck;
	bool done = false;
	unsigned int i;

	sim_judging = true;
	disk_fault_pause(&fault);
	sim_count.states++;
	for (i = 0; i < set->nr; i++) {
		w.disk[i] = disk_create(state[i].data, state[i].size,
					state[i].size + 2 * image_spare(set->config) +
						8 * set->config->size,
					false);
		if (set->layers[i].raw)
			continue;
		fsck_run(state[i].data, state[i].size, &fsck);
		if (fsck.corruptions)
			FAIL("%s: layer %u: %s (%s)", state[i].how, i, fsck.first,
			     judge_keep(state[i].data, state[i].size));
		if (sim.qemu_every && rng_one_in(&from->rng, sim.qemu_every * 16))
			judge_qemu(state[i].data, state[i].size, NULL, &fsck);
	}
	CHECK(!open_all(&w, NULL));
	if (op->overlay != Q2_NO_LAYER)
		done = follow_header(&w, op, state[op->overlay].data, state[op->overlay].size,
				     state[op->overlay].how);
	judge_content(&w, state[op->into].how);
	close_all(&w);
	if (again && (!done || op->empties)) {
		sim_count.reopened++;
		CHECK(!open_all(&w, op));
		if (done)
			drop_layers(&w, op);
		CHECK(!do_op(&w, op));
		close_all(&w);
		CHECK(!open_all(&w, NULL));
		if (op->overlay != Q2_NO_LAYER)
			CHECK(follow_header(&w, op, w.disk[op->overlay]->live,
					    w.disk[op->overlay]->size, "begun again"));
		judge_content(&w, "begun again");
		close_all(&w);
	}
	for (i = 0; i < set->nr; i++)
		disk_free(w.disk[i]);
	disk_fault_resume(&fault);
	sim_judging = false;
}

static void judge_cut(struct world *w)
{
	struct disk_state state[MAX_LAYERS];
	bool again = rng_one_in(&w->rng, 6);
	unsigned int i;

	for (i = 0; i < w->set->nr; i++)
		disk_cut(w->disk[i], &w->rng, &state[i]);
	judge_files(w, state, again);
	for (i = 0; i < w->set->nr; i++)
		disk_state_free(&state[i]);
}

static void judge_now(struct world *w)
{
	struct disk_state state[MAX_LAYERS] = {};
	unsigned int i;

	for (i = 0; i < w->set->nr; i++) {
		state[i].data = w->disk[i]->live;
		state[i].size = w->disk[i]->size;
		snprintf(state[i].how, sizeof(state[i].how), "as it is");
	}
	judge_files(w, state, false);
}

static void event(struct disk *disk, bool guest, void *arg)
{
	struct world *w = arg;

	if (sim_judging || !w->quota)
		return;
	w->quota--;
	judge_cut(w);
}

static void begin(struct world *w, const struct image_set *set, const struct merge_op *op, u64 seed)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	w->set = set;
	w->op = *op;
	w->rng.state = seed;
	for (i = 0; i < set->nr; i++) {
		const struct layer *l = &set->layers[i];

		w->disk[i] = disk_create(
			l->data, l->size,
			l->size + 2 * image_spare(set->config) + 8 * set->config->size, false);
		w->disk[i]->event = event;
		w->disk[i]->event_arg = w;
	}
	sim_context("%s: layers %u to %u into %u, overlay %d%s", set->config->name, op->top,
		    op->bottom, op->into, (int)op->overlay, op->empties ? ", and the top" : "");
}

static void end(struct world *w)
{
	unsigned int i;

	for (i = 0; i < w->set->nr; i++)
		disk_free(w->disk[i]);
}

/* Everything that can be done with a chain. Return: of number @i; false: there is none. */
static bool pick(const struct image_set *set, unsigned int i, struct merge_op *op)
{
	unsigned int nr = set->nr, top, base;

	/* The top into what is below it. */
	if (!i--) {
		*op = (struct merge_op){nr - 1, nr - 1, nr - 2, Q2_NO_LAYER, Q2_NO_LAYER, true};
		return true;
	}
	/* And further down, after what is between. */
	for (base = 0; base + 2 < nr; base++) {
		if (!i--) {
			*op = (struct merge_op){nr - 2, base + 1, base, nr - 1, base, true};
			return true;
		}
	}
	/* Up: into any, from any, or all of it. */
	for (top = 1; top < nr; top++) {
		for (base = 0; base + 1 < top; base++) {
			if (!i--) {
				*op = (struct merge_op){top - 1, base + 1, top, top, base};
				return true;
			}
		}
		if (!i--) {
			*op = (struct merge_op){top - 1, 0, top, top, Q2_NO_LAYER};
			return true;
		}
	}
	/* Down: layers in between. */
	for (top = 1; top + 1 < nr; top++) {
		for (base = 0; base < top; base++) {
			if (!i--) {
				*op = (struct merge_op){top, base + 1, base, top + 1, base};
				return true;
			}
		}
	}
	return false;
}

static unsigned int count_ops(const struct image_set *set)
{
	struct merge_op op;
	unsigned int n = 0;

	while (pick(set, n, &op))
		n++;
	return n;
}

static void run_one(void *arg)
{
	const struct image_set *set = image_make(arg);
	unsigned int n = count_ops(set), i;
	struct merge_op op;
	struct world w;

	for (i = 0; i < n; i++) {
		CHECK(pick(set, i, &op));
		begin(&w, set, &op, sim.seed * 1000033 + i);
		w.quota = sim.states / ARRAY_SIZE(configs) / n + 1;
		CHECK(!open_all(&w, &op));
		CHECK(!do_op(&w, &op));
		sim_count.ops++;
		w.quota = 1;
		judge_cut(&w);
		w.quota = 0;
		close_all(&w);
		judge_now(&w);
		end(&w);
	}
}

static const char *const fault_names[] = {"none", "read", "write", "enospc", "flush", "alloc"};

/* Return: the fault has happened. */
static bool fault_once(const struct image_set *set, const struct merge_op *op,
		       enum fault_kind fault, unsigned long nth, bool sticky)
{
	struct world w;
	bool hit;
	int ret;

	begin(&w, set, op, sim.seed * 77 + nth);
	sim_context("%s: layers %u to %u into %u: %s %lu%s", set->config->name, op->top, op->bottom,
		    op->into, fault_names[fault], nth, sticky ? " and after" : "");
	CHECK(!open_all(&w, op));
	if (fault == FAULT_ALLOC)
		fault_alloc(nth, sticky);
	else
		disk_fault_set(fault, nth, sticky);
	ret = do_op(&w, op);
	fault_alloc(0, false);
	hit = disk_fault.hit;
	disk_fault_clear();
	if (hit)
		sim_count.faults++;
	else if (ret)
		FAIL("without a fault it fails: %d", ret);
	judge_cut(&w);
	close_all(&w);
	judge_now(&w);
	end(&w);
	return hit;
}

static void run_fault(void *arg)
{
	const struct image_set *set = image_make(arg);
	unsigned int n = count_ops(set), i;
	struct merge_op op;
	enum fault_kind fault;
	unsigned long nth, step;

	for (i = 0; i < n; i++) {
		CHECK(pick(set, i, &op));
		for (fault = FAULT_READ; fault <= FAULT_ALLOC; fault++) {
			step = 1;
			for (nth = 1;
			     fault_once(set, &op, fault, nth, rng_one_in(&(struct rng){nth}, 2));
			     nth += step)
				step += nth > 20;
		}
	}
}

void run_merges(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(configs); i++)
		sim_test(configs[i].name, run_one, (void *)&configs[i]);
	for (i = 0; i < ARRAY_SIZE(fault_configs); i++)
		sim_test(fault_configs[i].name, run_fault, (void *)&fault_configs[i]);
}
