// SPDX-License-Identifier: GPL-2.0-only
/* Making images with qemu-img and qemu-io. */
#include <sys/stat.h>
#include <unistd.h>
#include "fsck.h"
#include "images.h"
#include "qemu.h"

static struct image_set *made;

u32 *content_of(const u8 *raw, u64 size)
{
	u32 *content = xalloc(size / SECTOR * sizeof(*content));
	u64 i;

	for (i = 0; i < size / SECTOR; i++)
		content[i] = stamp_read(raw + i * SECTOR, i);
	return content;
}

static const char *path_of(const struct image_config *config, const char *what)
{
	return text("%s/%s.%s", sim.dir, config->name, what);
}

const char *stamped_file(const struct image_config *config, u64 guest, u64 len, u32 version)
{
	static unsigned int n;
	const char *path = text("%s/%s.s%u", sim.dir, config->name, n++);
	u8 *data = xalloc(len);
	u64 i;

	for (i = 0; i < len / SECTOR; i++)
		stamp(data + i * SECTOR, guest / SECTOR + i, version);
	file_write(path, data, len);
	free(data);
	return path;
}

/* qemu-io with many commands. */
static void run_commands(bool fatal, const char *path, const char *const *commands)
{
	const char *argv[200] = {"qemu-io", "-d", "unmap", "-f", "qcow2"};
	unsigned int n = 5;

	for (; *commands && n < 196; commands++) {
		argv[n++] = "-c";
		argv[n++] = *commands;
	}
	argv[n++] = path;
	argv[n] = NULL;
	qemu_runv(fatal, argv);
}

/* Some of everything. The files they name must be removed. */
static void fill(const struct image_config *config, const char *path, u64 size, struct rng *rng,
		 u32 version, unsigned int steps, bool compress)
{
	const char *commands[64] = {};
	char lines[64][400];
	unsigned int n = 0, i;
	u64 cluster = config->cluster;
	char used[64][256];

	for (i = 0; i < steps; i++) {
		u64 clusters = size / cluster;
		u64 first = rng_below(rng, max(clusters, 1ULL)) * cluster;
		u64 len = min((1 + rng_below(rng, 5)) * cluster, size - first);
		unsigned int what = rng_below(rng, compress ? 10 : 7);

		used[i][0] = 0;
		if (!len)
			continue;
		if (what == 0) {
			snprintf(lines[n], sizeof(lines[n]), "write -z %llu %llu", first, len);
		} else if (what == 1) {
			snprintf(lines[n], sizeof(lines[n]), "write -z -u %llu %llu", first, len);
		} else if (what == 2) {
			snprintf(lines[n], sizeof(lines[n]), "discard %llu %llu", first, len);
		} else {
			if (what < 7) {
				u64 cut = rng_below(rng, len / SECTOR) * SECTOR;

				if (rng_one_in(rng, 2)) {
					first += cut;
					len -= cut;
				}
				if (rng_one_in(rng, 2))
					len = (1 + rng_below(rng, len / SECTOR)) * SECTOR;
			}
			snprintf(used[i], sizeof(used[i]), "%s",
				 stamped_file(config, first, len, version));
			if (what >= 7) {
				/* A command a cluster: that is how compressed writes go. */
				len = min(len, cluster);
				snprintf(lines[n], sizeof(lines[n]), "write -c -s %s %llu %llu",
					 used[i], first, len);
			} else {
				snprintf(lines[n], sizeof(lines[n]), "write -s %s %llu %llu",
					 used[i], first, len);
			}
		}
		commands[n] = lines[n];
		n++;
	}
	/* QEMU refuses compressed writes where there is something: so be it. */
	if (n)
		run_commands(false, path, commands);
	for (i = 0; i < steps; i++) {
		if (used[i][0])
			unlink(used[i]);
	}
}

static void load_layer(struct image_set *set, const char *path, bool raw)
{
	struct layer *l = &set->layers[set->nr++];
	const char *out = path_of(set->config, "out");

	snprintf(l->path, sizeof(l->path), "%s", path);
	l->raw = raw;
	l->data = file_read(path, &l->size);
	if (raw) {
		l->guest = l->size;
		l->content = content_of(l->data, l->size);
	} else {
		u8 *shown;

		qemu_run(true, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, out, NULL);
		shown = file_read(out, &l->guest);
		l->content = content_of(shown, l->guest);
		free(shown);
		unlink(out);
	}
}

/* Pieces of data, and pieces without. */
static void write_stamped_raw(const char *path, u64 size)
{
	u8 *data = xalloc(size);
	u64 i;

	for (i = 0; i < size / SECTOR; i++) {
		if ((i >> 5) % 4 != 3)
			stamp(data + i * SECTOR, i, V_BASE);
	}
	file_write(path, data, size);
	free(data);
}

/* A layer of its own kind and size on what is there. */
static void make_mixed_mid(struct image_set *set, struct rng *rng, unsigned int i, u64 size)
{
	static const unsigned int clusters[] = {512, 4096, 16384, 65536};
	const struct layer *below = &set->layers[set->nr - 1];
	const char *mid = path_of(set->config, text("mid%u.qcow2", i));
	struct image_config kind = *set->config;
	/* Version 2 cannot grow over a longer one, and a commit may want it to. */
	bool old = below->guest <= size && rng_one_in(rng, 3);

	kind.cluster = clusters[rng_below(rng, 4)];
	kind.extended = !old && kind.cluster >= 16384 && rng_one_in(rng, 2);
	qemu_run(true, "qemu-img", "create", "-q", "-f", "qcow2", "-b", below->path, "-F",
		 below->raw ? "raw" : "qcow2", "-o",
		 text("compat=%s,cluster_size=%u%s", old ? "0.10" : "1.1", kind.cluster,
		      kind.extended ? ",extended_l2=on" : ""),
		 mid, text("%llu", size), NULL);
	fill(&kind, mid, size, rng, V_MID + i, 8, false);
	load_layer(set, mid, false);
}

/* 2/5 to 6/5 of the top's size. */
static u64 mixed_size(const struct image_config *c, struct rng *rng)
{
	u64 size = c->size * (2 + rng_below(rng, 5)) / 5;

	return round_down(size, (u64)SECTOR) + SECTOR * rng_below(rng, 8);
}

static void make_mixed(struct image_set *set, struct rng *rng)
{
	const struct image_config *c = set->config;
	const char *raw = path_of(c, "base.raw"), *base = path_of(c, "base.qcow2");
	unsigned int mids = rng_below(rng, 3), i;
	bool is_raw = rng_one_in(rng, 2);

	write_stamped_raw(raw, mixed_size(c, rng));
	if (!is_raw) {
		const char *options = text("cluster_size=%u", 512U << rng_below(rng, 8));

		/* Compressed or not. */
		qemu_run(true, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options,
			 raw, base, rng_one_in(rng, 2) ? "-c" : NULL, NULL);
		unlink(raw);
	}
	load_layer(set, is_raw ? raw : base, is_raw);
	for (i = 0; i < mids; i++)
		make_mixed_mid(set, rng, i, mixed_size(c, rng));
}

static void make_base(struct image_set *set, struct rng *rng)
{
	const struct image_config *c = set->config;
	const char *raw = path_of(c, "base.raw"), *base = path_of(c, "base.qcow2");
	unsigned int mids = c->backing == BACKING_DEEP ? MAX_LAYERS - 2 : 1;
	u64 size = c->size, i;

	if (c->backing == BACKING_MIXED) {
		make_mixed(set, rng);
		return;
	}
	if (c->backing == BACKING_SHORT)
		size = round_down(c->size * 3 / 5, 512ULL);
	if (c->backing == BACKING_LONG)
		size = round_down(c->size * 5 / 4, 512ULL);
	write_stamped_raw(raw, size);
	if (c->backing == BACKING_RAW) {
		load_layer(set, raw, true);
		return;
	}
	if (c->backing == BACKING_SHORT)
		qemu_run(true, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o",
			 "cluster_size=4096", raw, base, NULL);
	else
		qemu_run(true, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o",
			 "cluster_size=8192", raw, base, NULL);
	unlink(raw);
	load_layer(set, base, false);
	for (i = 0; i < mids && c->backing >= BACKING_CHAIN; i++) {
		const char *mid = path_of(c, text("mid%llu.qcow2", i));
		struct image_config half = *c;

		half.cluster = 4096;
		qemu_run(true, "qemu-img", "create", "-q", "-f", "qcow2", "-b",
			 set->layers[set->nr - 1].path, "-F", "qcow2", "-o", "cluster_size=4096",
			 mid, NULL);
		fill(&half, mid, size, rng, V_MID + i, 8, false);
		load_layer(set, mid, false);
	}
}

static void create_top(struct image_set *set, const char *top)
{
	const struct image_config *c = set->config;
	const char *options = text(
		"compat=%s,cluster_size=%u%s%s%s%s%s", c->version == 2 ? "0.10" : "1.1", c->cluster,
		c->version == 2 ? "" : text(",refcount_bits=%u", c->refcount_bits),
		c->extended ? ",extended_l2=on" : "", c->prealloc ? ",preallocation=metadata" : "",
		c->lazy ? ",lazy_refcounts=on" : "",
		c->version == 3 && c->compress ? text(",compression_type=%s", c->compress) : "");
	const char *size = text("%llu", c->size);

	if (set->nr)
		qemu_run(true, "qemu-img", "create", "-q", "-f", "qcow2", "-b",
			 set->layers[set->nr - 1].path, "-F",
			 set->layers[set->nr - 1].raw ? "raw" : "qcow2", "-o", options, top, size,
			 NULL);
	else
		qemu_run(true, "qemu-img", "create", "-q", "-f", "qcow2", "-o", options, top, size,
			 NULL);
}

/* What QEMU has made. Return: it is a sound image. */
static bool finish(struct image_set *set, const char *top)
{
	const struct image_config *c = set->config;
	struct fsck fsck;
	unsigned int i;
	u64 size;

	load_layer(set, top, false);
	for (i = 0; i < c->snapshots; i++) {
		const char *out = path_of(c, "out");

		qemu_run(true, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", "-l",
			 text("snapshot.name=s%u", i), top, out, NULL);
		set->snapshots[i] = file_read(out, &size);
		unlink(out);
	}
	fsck_run(image_top(set)->data, image_top(set)->size, &fsck);
	set->snapshots_hash = fsck.snapshots;
	if (!fsck.corruptions && !fsck.leaks)
		return true;
	if (qemu_run(false, "qemu-img", "check", "-f", "qcow2", top, NULL) == 0)
		FAIL("qemu-img check finds nothing where ours finds %lu corruptions, %lu leaks: %s",
		     fsck.corruptions, fsck.leaks, fsck.first);
	return false;
}

struct image_set *image_make_with(const struct image_config *c, const char *const *commands,
				  const char *const *after)
{
	struct image_set *set = xalloc(sizeof(*set));
	const char *top = path_of(c, "top.qcow2");
	struct rng rng = {sim.seed};

	set->config = c;
	if (c->backing != BACKING_NONE)
		make_base(set, &rng);
	create_top(set, top);
	if (commands)
		run_commands(true, top, commands);
	if (c->snapshots)
		qemu_run(true, "qemu-img", "snapshot", "-c", "s0", top, NULL);
	if (after)
		run_commands(true, top, after);
	if (!finish(set, top))
		FAIL("QEMU has made a broken image");
	return set;
}

/* One image; @dice: not all of them are sound, see image_make(). */
static struct image_set *try_make(const struct image_config *c, u64 dice, bool *sound)
{
	struct image_set *set = xalloc(sizeof(*set));
	const char *top = path_of(c, "top.qcow2");
	struct rng rng = {dice};
	unsigned int i;

	set->config = c;
	if (c->backing != BACKING_NONE)
		make_base(set, &rng);
	create_top(set, top);
	if (!c->empty) {
		fill(c, top, c->size, &rng, V_TOP, 14, c->compress);
		for (i = 0; i < c->snapshots; i++) {
			qemu_run(true, "qemu-img", "snapshot", "-c", text("s%u", i), top, NULL);
			fill(c, top, c->size, &rng, V_TOP + 1 + i, 8, c->compress);
		}
	}
	*sound = finish(set, top);
	return set;
}

const struct image_set *image_make(const struct image_config *c)
{
	struct image_set *set;
	u64 dice = sim.seed;
	unsigned int i;
	bool sound;

	for (set = made; set; set = set->next) {
		if (set->config == c)
			return set;
	}
	for (i = 0; c->name[i]; i++)
		dice = dice * 31 + c->name[i];
	/*
	 * QEMU 7.2 goes on filling a host cluster with compressed data after it has
	 * been freed and taken for something else: seldom, but then the image is broken.
	 */
	for (i = 0; i < 10; i++) {
		set = try_make(c, dice + i, &sound);
		if (sound)
			break;
		image_free(set);
	}
	if (!sound)
		FAIL("QEMU makes broken images only");
	set->next = made;
	made = set;
	return set;
}

void image_free(struct image_set *set)
{
	unsigned int i;

	for (i = 0; i < set->nr; i++) {
		unlink(set->layers[i].path);
		free(set->layers[i].data);
		free(set->layers[i].content);
	}
	for (i = 0; i < MAX_SNAPSHOTS; i++)
		free(set->snapshots[i]);
	free(set);
}

void images_forget(void)
{
	while (made) {
		struct image_set *set = made;

		made = set->next;
		image_free(set);
	}
}
