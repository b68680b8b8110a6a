// SPDX-License-Identifier: GPL-2.0-only
/*
 * Internal snapshots, sizes and names of backing files between random guests, the
 * power cut at every write of each operation, and each of its reads, writes, flushes
 * and allocations failing.
 */
#include <unistd.h>
#include "image/backing.h"
#include "image/resize.h"
#include "image/snapshotting.h"
#include "judge.h"
#include "qemu.h"

#define K 1024ULL
#define M (1024 * K)
#define MOST_SNAPSHOTS 6
#define MOST_GROWTH 3 /* times the size */

/* Of compressed clusters guest.c knows what the disk showed at first: none with QEMU's snapshots.
 */
static const struct image_config configs[] = {
	{"turn-v2-4k", 2, 4096, 16, .size = 400 * K},
	{"turn-v2-512-raw-zlib", 2, 512, 16, .backing = BACKING_RAW, .compress = "zlib",
	 .size = 100 * K},
	{"turn-v2-snap", 2, 8192, 16, .snapshots = 1, .size = 500 * K},
	{"turn-v3-512-rc64", 3, 512, 64, .compress = "zlib", .size = 150 * K},
	{"turn-v3-512-rc2-short", 3, 512, 2, .backing = BACKING_SHORT, .size = 100 * K + 1536},
	{"turn-v3-512-rc64-much", 3, 512, 64, .size = 900 * K},
	{"turn-v3-1k-long-snap", 3, 1024, 16, .backing = BACKING_LONG, .snapshots = 1,
	 .size = 200 * K + 512},
	{"turn-v3-4k-rc8-snap2", 3, 4096, 8, .snapshots = 2, .size = 500 * K},
	{"turn-v3-4k-device", 3, 4096, 16, .device = true, .compress = "zlib", .size = 400 * K},
	{"turn-v3-4k-long-zlib", 3, 4096, 16, .backing = BACKING_LONG, .compress = "zlib",
	 .size = 300 * K + 2560},
	{"turn-v3-64k-zstd", 3, 65536, 16, .compress = "zstd", .size = 2 * M},
	{"turn-v3-64k-chain-snap", 3, 65536, 32, .backing = BACKING_CHAIN, .snapshots = 1,
	 .size = 1 * M + 4608},
	{"turn-ext-16k-long", 3, 16384, 16, .extended = true, .backing = BACKING_LONG,
	 .size = 600 * K + 1536},
	{"turn-ext-16k-zlib-device", 3, 16384, 4, .extended = true, .device = true,
	 .compress = "zlib", .size = 500 * K + 512},
	{"turn-ext-64k-short-snap", 3, 65536, 16, .extended = true, .backing = BACKING_SHORT,
	 .snapshots = 1, .size = 1 * M},
};

/* Devices that are soon full. */
static const struct image_config full_configs[] = {
	{"turn-full-v3-512-rc32", 3, 512, 32, .device = true, .size = 200 * K},
	{"turn-full-v3-4k-snap", 3, 4096, 16, .device = true, .snapshots = 1, .size = 500 * K},
	{"turn-full-ext-16k-long", 3, 16384, 16, .extended = true, .device = true,
	 .backing = BACKING_LONG, .size = 500 * K + 512},
};

static const struct image_config fault_configs[] = {
	{"turn-fault-v2-4k-raw", 2, 4096, 16, .backing = BACKING_RAW, .size = 100 * K},
	{"turn-fault-v3-512-zlib", 3, 512, 16, .compress = "zlib", .size = 60 * K},
	{"turn-fault-ext-16k-long", 3, 16384, 16, .extended = true, .backing = BACKING_LONG,
	 .size = 200 * K + 512},
};

enum kind {
	CREATE,
	APPLY,
	DELETE,
	RESIZE,
	RENAME,
	KINDS
};
static const char *const kind_names[] = {"create", "apply", "delete", "resize", "rename"};

struct op {
	enum kind kind;
	unsigned int nr; /* of the snapshot, in the table's order */
	char tag[32];
	u64 size;
	char backing[1024];
	char format[16];
};

struct snap {
	struct fsck_snapshot is;
	u32 *versions;
};

/* An image, what it holds, and what is being done to it. */
struct world {
	const struct image_set *set;
	struct disk *disk;
	struct model *model;
	struct guest g;
	struct rng rng;
	struct snap snaps[MOST_SNAPSHOTS + 1];
	unsigned int nr;
	char backing[1024];
	char format[16];
	unsigned int named;
	u64 most;    /* bytes that the model knows */
	u64 active;  /* hash of what the disk holds before the operation, as a snapshot's */
	u32 *before; /* what it holds then */
	bool busy;   /* the operation is under way */
	bool full;   /* there is little room on the device */
	unsigned int refused; /* operations, for want of room */
	struct op op;
	unsigned long quota; /* states still to look at */
};

static u64 backing_size(const struct image_set *set)
{
	return set->nr > 1 ? set->layers[set->nr - 2].guest : 0;
}

/* Do it as whoever owns the image does. Return: 0 or -errno. */
static int do_op(struct guest *g, const struct op *op, u32 last_version)
{
	struct q2_err err = {};
	int ret = 0;

	switch (op->kind) {
	case CREATE:
		ret = q2_image_snapshot_create(g->img, op->tag, 1234567890, 5, &err);
		break;
	case APPLY:
		ret = q2_image_snapshot_apply(g->img, op->tag, &err);
		break;
	case DELETE:
		ret = q2_image_snapshot_delete(g->img, op->tag, &err);
		break;
	case RENAME:
		ret = q2_image_set_backing(g->img, op->backing, op->format, &err);
		break;
	default:
		ret = q2_image_resize(g->img, op->size, backing_size(g->set), &err);
		if (ret != -EAGAIN)
			break;
		/* Nobody else writes. */
		g->nested = true;
		ret = guest_write_raw(g, g->size - SECTOR, SECTOR, last_version);
		g->nested = false;
		if (!ret)
			ret = q2_image_resize(g->img, op->size, backing_size(g->set), &err);
		if (ret == -EAGAIN)
			FAIL("the last sector has been written, and that is not enough");
	}
	if (ret && !err.text[0] && op->kind != RESIZE)
		FAIL("%s: %d, without a word", kind_names[op->kind], ret);
	if (sim.verbose && ret)
		fprintf(stderr, "  %s: %d %s\n", kind_names[op->kind], ret, err.text);
	return ret;
}

static void context(const struct world *w)
{
	sim_context("%s: %s %s %llu", w->set->config->name, kind_names[w->op.kind], w->op.tag,
		    w->op.size);
}

static bool same_snapshot(const struct fsck_snapshot *a, const struct fsck_snapshot *b)
{
	return !strcmp(a->id, b->id) && !strcmp(a->name, b->name) && a->hash == b->hash &&
	       a->size == b->size;
}

static bool has_backing(const struct fsck *fsck, const char *backing, const char *format)
{
	return !strcmp(fsck->backing, backing) && !strcmp(fsck->format, format);
}

/* Does the image hold the snapshots that there are, number @gone left out? */
static bool has_snapshots(const struct world *w, const struct fsck *fsck, unsigned int gone)
{
	unsigned int i, at = 0;

	for (i = 0; i < w->nr; i++) {
		if (i == gone)
			continue;
		if (at >= fsck->nr || !same_snapshot(&w->snaps[i].is, &fsck->snap[at]))
			return false;
		at++;
	}
	return true;
}

static unsigned long first_number(const char *id)
{
	return strtoul(id, NULL, 10);
}

/* The one that @w->op makes, as far as it is known. */
static bool is_created(const struct world *w, const struct fsck_snapshot *s)
{
	unsigned long most = 0;
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		most = max(most, first_number(w->snaps[i].is.id));
	return first_number(s->id) == most + 1 && !strcmp(s->name, w->op.tag) &&
	       s->hash == w->active && s->size == w->g.size;
}

static bool is_old(const struct world *w, const struct fsck *fsck)
{
	return fsck->nr == w->nr && fsck->size == w->g.size && has_snapshots(w, fsck, -1) &&
	       has_backing(fsck, w->backing, w->format);
}

static bool is_new(const struct world *w, const struct fsck *fsck)
{
	if (w->op.kind == RENAME)
		return fsck->nr == w->nr && fsck->size == w->g.size && has_snapshots(w, fsck, -1) &&
		       has_backing(fsck, w->op.backing, w->op.format);
	if (!has_backing(fsck, w->backing, w->format))
		return false;
	switch (w->op.kind) {
	case CREATE:
		return fsck->nr == w->nr + 1 && fsck->size == w->g.size &&
		       has_snapshots(w, fsck, -1) && is_created(w, &fsck->snap[w->nr]);
	case APPLY:
		return fsck->nr == w->nr && fsck->size == w->snaps[w->op.nr].is.size &&
		       has_snapshots(w, fsck, -1);
	case DELETE:
		return fsck->nr == w->nr - 1 && fsck->size == w->g.size &&
		       has_snapshots(w, fsck, w->op.nr);
	default:
		return fsck->nr == w->nr && fsck->size == w->op.size && has_snapshots(w, fsck, -1);
	}
}

/* First sector that the old state could not show; sectors if there is none. */
static u64 differs_from_model(const struct world *w, const u32 *versions, u64 sectors)
{
	u64 old = w->g.size / SECTOR, i;

	for (i = 0; i < sectors; i++) {
		if (i < old ? !model_may_survive(w->model, i, versions[i], w->model->floor)
			    : versions[i] != V_ZERO)
			break;
	}
	return i;
}

static bool is_snapshot(const struct snap *s, const u32 *versions)
{
	return !memcmp(s->versions, versions, s->is.size / SECTOR * sizeof(*versions));
}

/* What the bytes hold, read through the code under test. */
static u32 *read_versions(const struct world *w, const struct disk_state *state, u64 size)
{
	u32 *versions = xalloc(size / SECTOR * sizeof(*versions));
	struct disk *disk = disk_create(state->data, state->size, state->size, false);
	struct guest g;
	int ret;

	disk->readonly = true;
	CHECK(!guest_open(&g, w->set, disk, NULL, 0, false));
	CHECK(g.size == size);
	ret = guest_read(&g, 0, size, versions);
	guest_close(&g);
	disk_free(disk);
	if (ret)
		FAIL("after a power cut (%s) a read fails: %d", state->how, ret);
	return versions;
}

static struct disk *roomy_disk(const struct world *w, const void *data, u64 size, bool device)
{
	const struct image_config *c = w->set->config;

	return disk_create(data, size, size + 8 * MOST_GROWTH * c->size + 2 * image_spare(c),
			   device);
}

/* Open what is there, begin again, go on for a while, close. */
static void go_on(const struct world *w, const struct disk_state *state, const u32 *versions,
		  const struct fsck *fsck, bool again, struct rng *rng)
{
	struct disk *disk = roomy_disk(w, state->data, state->size, false);
	u32 *content = xalloc(w->most / SECTOR * sizeof(*content));
	struct model *model;
	struct fsck after;
	struct guest g;
	unsigned int i, j;
	int ret;

	sim_count.reopened++;
	memcpy(content, versions, fsck->size / SECTOR * sizeof(*content));
	model = model_from(content, w->most / SECTOR, w->model->last);
	CHECK(!guest_open(&g, w->set, disk, model, rng_next(rng), true));
	guest_compare_all(&g);
	if (again) {
		ret = do_op(&g, &w->op, versions[fsck->size / SECTOR - 1]);
		if (ret && !(ret == -ERANGE && w->op.kind == CREATE) &&
		    !(ret == -ENOSPC && w->op.kind == RENAME))
			FAIL("begun again after a power cut it fails: %d", ret);
		fsck_run(disk->live, disk->size, &after);
		if ((!ret && !is_new(w, &after)) || after.corruptions)
			FAIL("begun again after a power cut: %s (%s)", after.first,
			     judge_keep(disk->live, disk->size));
	} else {
		for (i = 0; i < 8; i++) {
			ret = guest_random(&g);
			if (ret)
				FAIL("after a power cut a guest fails: %d", ret);
		}
	}
	guest_close(&g);
	fsck_run(disk->live, disk->size, &after);
	if (after.corruptions)
		FAIL("gone on with after a power cut: %s (%s)", after.first,
		     judge_keep(disk->live, disk->size));
	for (i = 0; i < fsck->nr && !again; i++) {
		for (j = 0; j < after.nr; j++) {
			if (same_snapshot(&fsck->snap[i], &after.snap[j]))
				break;
		}
		if (j == after.nr)
			FAIL("gone on with after a power cut: snapshot %s has changed",
			     fsck->snap[i].id);
	}
	free(content);
	model_free(model);
	disk_free(disk);
}

/* Clean or leaky; old or new, each whole. @may_leak: after a fault, or in the middle. */
static void judge_bytes(struct world *w, const struct disk_state *state, bool may_go_on)
{
	struct disk_fault fault;
	struct fsck fsck;
	bool old, new;
	u32 *versions;
	u64 bad;

	sim_judging = true;
	disk_fault_pause(&fault);
	sim_count.states++;
	fsck_run(state->data, state->size, &fsck);
	if (fsck.corruptions)
		FAIL("%s: %s (%s)", state->how, fsck.first, judge_keep(state->data, state->size));
	old = is_old(w, &fsck);
	new = w->busy &&is_new(w, &fsck);
	if (!old && !new)
		FAIL("%s: neither old nor new: %u snapshots, %llu bytes (%s)", state->how, fsck.nr,
		     fsck.size, judge_keep(state->data, state->size));
	versions = read_versions(w, state, fsck.size);
	bad = differs_from_model(w, versions, fsck.size / SECTOR);
	if (new && w->op.kind == APPLY && is_snapshot(&w->snaps[w->op.nr], versions))
		old = false;
	else if (bad < fsck.size / SECTOR)
		FAIL("%s: sector %llu shows %d; %s (%s)", state->how, bad, (int)versions[bad],
		     bad < w->g.size / SECTOR ? model_describe(w->model, bad) : "it is new",
		     judge_keep(state->data, state->size));
	if (sim.qemu_every && rng_one_in(&w->rng, sim.qemu_every * 4))
		judge_qemu(state->data, state->size, versions, &fsck);
	if (may_go_on && rng_one_in(&w->rng, 4))
		go_on(w, state, versions, &fsck, w->busy && old && !new, &w->rng);
	free(versions);
	disk_fault_resume(&fault);
	sim_judging = false;
}

static void judge_cut(struct world *w)
{
	struct disk_state state;

	disk_cut(w->disk, &w->rng, &state);
	judge_bytes(w, &state, true);
	disk_state_free(&state);
}

static void event(struct disk *disk, bool guest, void *arg)
{
	struct world *w = arg;

	if (sim_judging || !w->g.img || !w->busy)
		return;
	if (rng_one_in(&w->rng, 4))
		q2_image_shrink(w->g.img, ULONG_MAX);
	if (w->quota) {
		w->quota--;
		judge_cut(w);
	}
}

/* The snapshots that QEMU has made. */
static void learn(struct world *w)
{
	struct fsck fsck;
	unsigned int i;

	fsck_run(w->disk->live, w->disk->size, &fsck);
	for (i = 0; i < fsck.nr; i++) {
		w->snaps[i].is = fsck.snap[i];
		w->snaps[i].versions = content_of(w->set->snapshots[i], fsck.snap[i].size);
	}
	w->nr = fsck.nr;
	snprintf(w->backing, sizeof(w->backing), "%s", fsck.backing);
	snprintf(w->format, sizeof(w->format), "%s", fsck.format);
}

/* Another name of the same file, shorter or longer. */
static void pick_name(struct world *w)
{
	const struct layer *below = &w->set->layers[w->set->nr - 2];
	unsigned int n = rng_below(&w->rng, rng_one_in(&w->rng, 3) ? 200 : 12);
	size_t at = 0;

	do {
		for (at = 0; n; n--)
			at += snprintf(w->op.backing + at, sizeof(w->op.backing) - at, "/.");
		snprintf(w->op.backing + at, sizeof(w->op.backing) - at, "%s", below->path);
		n = 13;
	} while (!strcmp(w->op.backing, w->backing));
	snprintf(w->op.format, sizeof(w->op.format), "%s", below->raw ? "raw" : "qcow2");
}

static void begin(struct world *w, const struct image_set *set, u64 seed, bool full)
{
	const struct layer *top = image_top(set);
	u32 *content;

	memset(w, 0, sizeof(*w));
	w->set = set;
	w->rng.state = seed;
	w->most = MOST_GROWTH * round_up(top->guest, (u64)SECTOR) + 64 * K;
	content = xalloc(w->most / SECTOR * sizeof(*content));
	memcpy(content, top->content, top->guest / SECTOR * sizeof(*content));
	w->model = model_create(content, w->most / SECTOR);
	free(content);
	w->full = full;
	if (full)
		w->disk = disk_create(top->data, top->size,
				      top->size + top->size / 2 + 8 * set->config->cluster, true);
	else
		w->disk = roomy_disk(w, top->data, top->size, set->config->device);
	learn(w);
}

static void end(struct world *w)
{
	while (w->nr)
		free(w->snaps[--w->nr].versions);
	free(w->before);
	model_free(w->model);
	disk_free(w->disk);
}

/* The values that a read shows now, all of them durable. */
static void set_content(struct world *w, const u32 *versions, u64 size)
{
	u32 *content = xalloc(w->most / SECTOR * sizeof(*content));
	struct model *model;

	memcpy(content, versions, size / SECTOR * sizeof(*content));
	model = model_from(content, w->most / SECTOR, w->model->last);
	model_free(w->model);
	w->model = w->g.model = model;
	free(content);
}

/* An operation that can be done now. */
static void pick(struct world *w, enum kind kind)
{
	struct op *op = &w->op;
	bool by_id = rng_one_in(&w->rng, 2);

	memset(op, 0, sizeof(*op));
	if (!w->nr && (kind == APPLY || kind == DELETE))
		kind = CREATE;
	/* As QEMU: what version 2 does not know. */
	if (kind == RESIZE && w->set->config->version == 2 &&
	    (w->nr || backing_size(w->set) > w->g.size))
		kind = w->nr ? DELETE : CREATE;
	if (kind == RENAME && w->set->nr < 2)
		kind = CREATE;
	if (kind == CREATE && w->nr >= MOST_SNAPSHOTS)
		kind = DELETE;
	op->kind = kind;
	if (kind == RENAME)
		pick_name(w);
	op->nr = rng_below(&w->rng, w->nr);
	if (kind == CREATE)
		snprintf(op->tag, sizeof(op->tag), "ours%u", w->named++);
	else if (kind == APPLY || kind == DELETE)
		snprintf(op->tag, sizeof(op->tag), "%s",
			 by_id ? w->snaps[op->nr].is.id : w->snaps[op->nr].is.name);
	if (kind == RESIZE) {
		u64 unit = rng_one_in(&w->rng, 2) ? w->g.cluster : SECTOR;

		op->size = round_down(rng_below(&w->rng, w->most - 4 * w->g.cluster), unit);
		op->size = max(op->size, round_up(w->g.size / 8, unit));
		if (op->size == w->g.size)
			op->size += unit;
		op->size = min(op->size, w->most);
	}
}

/* It has been done: this is how things are now. */
static void done(struct world *w, const struct fsck *fsck)
{
	struct snap *s = &w->snaps[w->op.nr];
	u32 *versions = w->before;
	u64 old = w->g.size;

	switch (w->op.kind) {
	case CREATE:
		s = &w->snaps[w->nr++];
		s->is = fsck->snap[w->nr - 1];
		s->versions = versions;
		w->before = NULL;
		set_content(w, versions, old);
		break;
	case APPLY:
		set_content(w, s->versions, s->is.size);
		break;
	case DELETE:
		free(s->versions);
		memmove(s, s + 1, (w->nr - w->op.nr - 1) * sizeof(*s));
		w->nr--;
		set_content(w, versions, old);
		break;
	case RENAME:
		snprintf(w->backing, sizeof(w->backing), "%s", w->op.backing);
		snprintf(w->format, sizeof(w->format), "%s", w->op.format);
		set_content(w, versions, old);
		break;
	default:
		set_content(w, versions, min(old, w->op.size));
	}
	w->busy = false;
	CHECK(!guest_resized(&w->g));
	CHECK(w->g.size == fsck->size);
}

/* All that has ended is on the disk, and the operation is about to begin. */
static void prepare(struct world *w, enum kind kind)
{
	guest_end_late(&w->g, true);
	CHECK(!guest_flush(&w->g));
	guest_compare_all(&w->g);
	free(w->before);
	w->before = xalloc(w->most / SECTOR * sizeof(*w->before));
	CHECK(!guest_read(&w->g, 0, w->g.size, w->before));
	pick(w, kind);
	context(w);
	w->active = fsck_active(w->disk->live, w->disk->size);
}

static void operate(struct world *w, enum kind kind)
{
	struct fsck fsck;
	int ret;

	prepare(w, kind);
	w->busy = true;
	ret = do_op(&w->g, &w->op, w->before[w->g.size / SECTOR - 1]);
	if ((ret == -ERANGE && w->op.kind == CREATE) ||
	    (ret == -ENOSPC && (w->full || w->op.kind == RENAME))) {
		/* Refused: nothing has changed, and nothing has been taken. */
		if (q2_image_mode(w->g.img) != Q2_MODE_RW)
			FAIL("for want of room the image has become read-only");
		fsck_run(w->disk->live, w->disk->size, &fsck);
		if (!is_old(w, &fsck) || fsck.leaks || fsck.corruptions)
			FAIL("refused, and something has changed");
		w->busy = false;
		w->refused++;
		guest_compare_all(&w->g);
		return;
	}
	if (ret)
		FAIL("it fails: %d", ret);
	sim_count.ops++;
	fsck_run(w->disk->live, w->disk->size, &fsck);
	if (fsck.corruptions || fsck.leaks)
		FAIL("%lu corruptions, %lu leaks: %s (%s)", fsck.corruptions, fsck.leaks,
		     fsck.first, judge_keep(w->disk->live, w->disk->size));
	if (!is_new(w, &fsck))
		FAIL("it is not as it should be (%s)", judge_keep(w->disk->live, w->disk->size));
	if (w->disk->nr_log > 0 && w->disk->log[0].data)
		FAIL("%zu writes are not flushed", w->disk->nr_log);
	done(w, &fsck);
	guest_compare_all(&w->g);
	judge_cut(w);
}

/* After the close, and as QEMU sees it. */
static void judge_end(struct world *w, bool qemu)
{
	struct disk_state state = {.data = w->disk->live, .size = w->disk->size};
	struct fsck fsck;
	unsigned int i;
	u64 size, j;
	u8 *shown;

	snprintf(state.how, sizeof(state.how), "after the close");
	judge_bytes(w, &state, false);
	fsck_run(w->disk->live, w->disk->size, &fsck);
	if (fsck.leaks)
		FAIL("after the close: %lu leaks (%s)", fsck.leaks,
		     judge_keep(w->disk->live, w->disk->size));
	if (!qemu)
		return;
	file_write(text("%s/closed.qcow2", sim.dir), w->disk->live, w->disk->size);
	for (i = 0; i < w->nr; i++) {
		const char *raw = text("%s/closed.raw", sim.dir);

		qemu_run(true, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", "-l",
			 text("snapshot.id=%s", w->snaps[i].is.id),
			 text("%s/closed.qcow2", sim.dir), raw, NULL);
		shown = file_read(raw, &size);
		/* QEMU 7.2 shows a snapshot with the size that the disk has now. */
		for (j = 0; j < min(size, w->snaps[i].is.size) / SECTOR; j++) {
			u32 version = stamp_read(shown + j * SECTOR, j);

			if (version != w->snaps[i].versions[j])
				FAIL("snapshot %s, sector %llu: qemu-img shows %d, it had %d (%s)",
				     w->snaps[i].is.id, j, (int)version,
				     (int)w->snaps[i].versions[j],
				     judge_keep(w->disk->live, w->disk->size));
		}
		free(shown);
		unlink(raw);
	}
	/* QEMU takes them all away: what is left is clean. */
	for (i = 0; i < w->nr; i++)
		qemu_run(true, "qemu-img", "snapshot", "-d", w->snaps[i].is.name,
			 text("%s/closed.qcow2", sim.dir), NULL);
	qemu_run(true, "qemu-img", "check", "-q", text("%s/closed.qcow2", sim.dir), NULL);
	unlink(text("%s/closed.qcow2", sim.dir));
}

static void guests(struct world *w, unsigned int n)
{
	while (n--) {
		int ret = guest_random(&w->g);

		if (ret && !(w->full && ret == -ENOSPC))
			FAIL("a guest fails: %d", ret);
	}
}

static void round_of(struct world *w, const struct image_set *set, u64 seed, bool full, bool qemu)
{
	unsigned long quota = w->quota;
	unsigned int i, refused = w->refused;

	begin(w, set, seed, full);
	w->refused = refused;
	w->quota = quota;
	CHECK(!guest_open(&w->g, set, w->disk, w->model, seed, true));
	w->disk->event = event;
	w->disk->event_arg = w;
	for (i = 0; i < 14; i++) {
		guests(w, rng_below(&w->rng, 14));
		operate(w, rng_below(&w->rng, 10) < 4 ? CREATE : rng_below(&w->rng, KINDS));
	}
	guests(w, 10);
	guest_end_late(&w->g, true);
	guest_compare_all(&w->g);
	sim_context("%s: close", set->config->name);
	guest_close(&w->g);
	judge_end(w, qemu);
	end(w);
}

static void rounds(const struct image_config *config, bool full)
{
	const struct image_set *set = image_make(config);
	struct world w = {.quota = sim.states / ARRAY_SIZE(configs) + 1};
	unsigned int i;

	for (i = 0; i < 2 || ((w.quota || (full && !w.refused)) && i < 200); i++)
		round_of(&w, set, sim.seed * 1000033 + i * 7919, full, i % 4 == 0);
	if (full && !w.refused)
		FAIL("there was always room");
}

static void run_one(void *arg)
{
	rounds(arg, false);
}

static void run_full(void *arg)
{
	rounds(arg, true);
}

static const char *const fault_names[] = {"none", "read", "write", "enospc", "flush", "alloc"};

/* Return: the fault has happened. */
static bool fault_once(const struct image_set *set, enum kind kind, enum fault_kind fault,
		       unsigned long nth, bool sticky)
{
	u64 seed = sim.seed * 77 + kind;
	struct disk_state state;
	struct fsck fsck;
	struct world w;
	enum q2_mode mode;
	unsigned int i;
	bool hit;
	u32 last;
	int ret;

	sim_count.faults++;
	begin(&w, set, seed, false);
	CHECK(!guest_open(&w.g, set, w.disk, w.model, seed, true));
	guests(&w, 10);
	if (kind == APPLY || kind == DELETE)
		operate(&w, CREATE);
	if ((kind == APPLY || kind == DELETE) && set->config->version > 2)
		operate(&w, RESIZE);
	guests(&w, 10);
	prepare(&w, kind);
	if (w.op.kind != kind)
		FAIL("%s is not possible", kind_names[kind]);
	sim_context("%s: %s %s, %s %lu%s", set->config->name, kind_names[kind], w.op.tag,
		    fault_names[fault], nth, sticky ? " and on" : "");
	w.rng.state = seed + nth;
	w.disk->rng.state = nth;
	last = w.before[w.g.size / SECTOR - 1];
	w.busy = true;
	disk_fault_set(fault, nth, sticky);
	ret = do_op(&w.g, &w.op, last);
	hit = disk_fault.hit;
	disk_fault_clear();
	mode = q2_image_mode(w.g.img);
	if (ret && !hit)
		FAIL("it fails without a fault: %d", ret);
	if (mode != Q2_MODE_RW && fault == FAULT_ALLOC)
		FAIL("for want of memory the image has become read-only");
	for (i = 0; i < 2; i++)
		judge_cut(&w);
	snprintf(state.how, sizeof(state.how), "no power cut, but a fault");
	state.data = w.disk->live;
	state.size = w.disk->size;
	judge_bytes(&w, &state, true);
	fsck_run(w.disk->live, w.disk->size, &fsck);
	if (!ret && !is_new(&w, &fsck))
		FAIL("it says that it is done");
	if (ret && mode == Q2_MODE_RW) {
		if (!is_old(&w, &fsck))
			FAIL("it says that nothing has changed");
		/* Memory must not have taken a step ahead, nor may anything be lost. */
		q2_image_shrink(w.g.img, ULONG_MAX);
		guest_compare_all(&w.g);
		ret = do_op(&w.g, &w.op, last);
		if (ret)
			FAIL("tried again it fails: %d", ret);
		fsck_run(w.disk->live, w.disk->size, &fsck);
		if (!is_new(&w, &fsck) || fsck.corruptions)
			FAIL("tried again: %s", fsck.first);
	}
	if (!ret) {
		done(&w, &fsck);
		guest_compare_all(&w.g);
		guests(&w, 6);
		guest_end_late(&w.g, true);
	} else {
		/* Read-only: the old state goes on being read. */
		q2_image_shrink(w.g.img, ULONG_MAX);
		guest_compare_all(&w.g);
	}
	guest_close(&w.g);
	fsck_run(w.disk->live, w.disk->size, &fsck);
	if (fsck.corruptions)
		FAIL("after the close: %s (%s)", fsck.first,
		     judge_keep(w.disk->live, w.disk->size));
	if (!ret && fsck.leaks && !hit)
		FAIL("after the close: %lu leaks", fsck.leaks);
	end(&w);
	return hit;
}

static void run_fault(void *arg)
{
	const struct image_set *set = image_make(arg);
	enum fault_kind fault;
	enum kind kind;
	unsigned long nth;
	int sticky;

	for (kind = CREATE; kind < (set->nr > 1 ? KINDS : RENAME); kind++) {
		for (fault = FAULT_READ; fault <= FAULT_ALLOC; fault++) {
			for (sticky = 0; sticky < 2; sticky++) {
				for (nth = 1; fault_once(set, kind, fault, nth, sticky); nth++)
					;
			}
		}
	}
}

void run_turns(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(configs); i++)
		sim_test(configs[i].name, run_one, (void *)&configs[i]);
	for (i = 0; i < ARRAY_SIZE(full_configs); i++)
		sim_test(full_configs[i].name, run_full, (void *)&full_configs[i]);
	for (i = 0; i < ARRAY_SIZE(fault_configs); i++)
		sim_test(fault_configs[i].name, run_fault, (void *)&fault_configs[i]);
}
