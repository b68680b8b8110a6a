// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image of two clusters with its map, and guests: what io/ does with image/ and
 * chain/, without bios.
 *
 * --ops says what the tasks do: tasks apart by commas, each a row of
 *
 *	r0 r1	read a cluster, by the map
 *	R0 R1	the same, by asking the chain
 *	w0 w1	write a cluster, in place if that may be
 *	d0 d1	discard a cluster
 *	c	commit: a flush
 *	s	give memory of the map and of the cache back
 *
 * At first cluster 0 has data and cluster 1 has none; in "map-empty" neither has.
 */
#include "chain/map.h"
#include "history.h"
#include "image.h"

#define CLUSTERS 2
#define MOST_GUESTS 8

static struct store *store;
static struct q2_image *img;
static struct q2_chain *chain;
static struct q2_map *map;
static struct srcu_struct in_flight;
static struct mutex range[CLUSTERS]; /* one change of a cluster at a time */
static struct history history;
static unsigned int next_value;
static bool broken; /* the image is read-only by now */
static char guests[MOST_GUESTS][32];
static unsigned int nr_guests;

/*
 * What the image asks of who does its I/O: as io/disk.c has it.
 */

static void quiesce(void *arg)
{
	synchronize_srcu_expedited(&in_flight);
}

static void image_mapped(void *arg, u64 guest, u64 len, u64 host)
{
	q2_map_set_data(map, guest, len, 0, host);
}

static void image_forget(void *arg, u64 guest, u64 len)
{
	q2_map_forget(map, guest, len);
}

static void image_failed(void *arg, const char *what)
{
	broken = true;
}

static const struct q2_image_hooks hooks = {
	.quiesce = quiesce,
	.mapped = image_mapped,
	.forget = image_forget,
	.failed = image_failed,
};

/*
 * Guests
 */

static int read_chain(u64 guest, u8 *buf)
{
	struct q2_extent ext;
	unsigned int layer;
	int ret = q2_chain_lookup(chain, guest, IMAGE_CLUSTER, &layer, &ext);

	if (ret)
		return ret;
	if (ext.kind == Q2_DATA)
		return q2_file_read(&store->file, ext.host, buf, IMAGE_CLUSTER);
	memset(buf, 0, IMAGE_CLUSTER);
	return 0;
}

static int read_map(u64 guest, u8 *buf)
{
	struct q2_run run;

	q2_map_lookup(map, guest, IMAGE_CLUSTER, &run);
	if (run.kind == Q2_MAP_MISS && !q2_map_fill(map, guest))
		q2_map_lookup(map, guest, IMAGE_CLUSTER, &run);
	switch (run.kind) {
	case Q2_MAP_DATA:
		return q2_file_read(&store->file, run.host, buf, IMAGE_CLUSTER);
	case Q2_MAP_ZERO:
		memset(buf, 0, IMAGE_CLUSTER);
		return 0;
	default:
		return read_chain(guest, buf);
	}
}

static void guest_read(unsigned int cluster, bool by_map)
{
	unsigned int op = history_begin(&history, HISTORY_READ, cluster, 0);
	u64 guest = (u64)cluster * IMAGE_CLUSTER;
	u8 buf[IMAGE_CLUSTER];
	int token = srcu_read_lock(&in_flight), ret;

	ret = by_map ? read_map(guest, buf) : read_chain(guest, buf);
	srcu_read_unlock(&in_flight, token);
	if (!ret)
		history_end_read(&history, op, sector_value(buf));
}

/* Return: 1: it may not be written in place. */
static int write_in_place(u64 guest, const u8 *buf)
{
	int token = srcu_read_lock(&in_flight), ret = 1;
	struct q2_run run;

	q2_map_lookup(map, guest, IMAGE_CLUSTER, &run);
	if (run.kind == Q2_MAP_DATA && run.in_place)
		ret = q2_file_write(&store->file, run.host, buf, IMAGE_CLUSTER);
	srcu_read_unlock(&in_flight, token);
	return ret;
}

static int write_anew(unsigned int cluster, const u8 *buf)
{
	u64 guest = (u64)cluster * IMAGE_CLUSTER;
	struct q2_write w;
	int ret;

	mutex_lock(&range[cluster]);
	ret = q2_write_begin(img, guest, IMAGE_CLUSTER, &w);
	if (!ret) {
		ret = q2_file_write(&store->file, w.host, buf, IMAGE_CLUSTER);
		q2_write_end(img, &w, !ret);
	}
	mutex_unlock(&range[cluster]);
	return ret;
}

static void guest_write(unsigned int cluster)
{
	unsigned int value = ++next_value;
	unsigned int op = history_begin(&history, HISTORY_WRITE, cluster, value);
	u8 buf[IMAGE_CLUSTER];
	int ret;

	sector_fill(buf, value);
	ret = write_in_place((u64)cluster * IMAGE_CLUSTER, buf);
	if (ret == 1)
		ret = write_anew(cluster, buf);
	if (!ret)
		history_end(&history, op);
}

static void guest_discard(unsigned int cluster)
{
	unsigned int op = history_begin(&history, HISTORY_WRITE, cluster, 0);
	int ret;

	mutex_lock(&range[cluster]);
	ret = q2_image_discard(img, (u64)cluster * IMAGE_CLUSTER, IMAGE_CLUSTER);
	mutex_unlock(&range[cluster]);
	if (!ret)
		history_end(&history, op);
}

static void guest_flush(void)
{
	unsigned int op = history_begin(&history, HISTORY_FLUSH, 0, 0);

	if (!q2_image_commit(img))
		history_end(&history, op);
}

static void shrink(void)
{
	q2_map_shrink(map, ULONG_MAX);
	q2_image_shrink(img, ULONG_MAX);
}

static void guest(void *arg)
{
	const char *ops = arg;

	for (; *ops; ops++) {
		unsigned int cluster = ops[1] == '1';

		switch (*ops) {
		case 'r':
		case 'R':
			guest_read(cluster, *ops == 'r');
			ops++;
			break;
		case 'w':
			guest_write(cluster);
			ops++;
			break;
		case 'd':
			guest_discard(cluster);
			ops++;
			break;
		case 'c':
			guest_flush();
			break;
		case 's':
			shrink();
			break;
		}
	}
}

/*
 * The world
 */

static void add_guests(const char *ops)
{
	size_t len;

	for (; *ops; ops += len + !!ops[len]) {
		len = strcspn(ops, ",");
		if (nr_guests == MOST_GUESTS || len >= sizeof(guests[0]) ||
		    strspn(ops, "rRwdcs01") < len)
			explore_fail("--ops: not that: %s", ops);
		memcpy(guests[nr_guests], ops, len);
		explore_task(guests[nr_guests], guest, guests[nr_guests]);
		nr_guests++;
	}
}

static void set_up(const char *ops, const int *values)
{
	struct q2_err err = {};
	unsigned int i;

	store = image_create("img", CLUSTERS, values, NULL);
	img = q2_image_open(&store->file, Q2_CACHE_MIN, &err);
	if (IS_ERR(img))
		explore_fail("open: %s", err.text);
	chain = q2_chain_alloc(1);
	chain->layers[0].img = img;
	chain->layers[0].file = &store->file;
	chain->layers[0].size = q2_image_size(img);
	chain->writable = true;
	q2_chain_init(chain);
	map = q2_map_create(chain, Q2_MAP_MIN);
	init_srcu_struct(&in_flight);
	for (i = 0; i < CLUSTERS; i++)
		mutex_init(&range[i]);
	if (q2_image_make_writable(img, &hooks, NULL, &err))
		explore_fail("make writable: %s", err.text);
	next_value = 1;
	for (i = 0; i < CLUSTERS; i++)
		history_end(&history, history_begin(&history, HISTORY_WRITE, i,
						    values ? max(values[i], 0) : 0));
	history_end(&history, history_begin(&history, HISTORY_FLUSH, 0, 0));
	add_guests(ops);
}

static void setup(const char *ops)
{
	static const int values[CLUSTERS] = {1, -1};

	set_up(*ops ? ops : "w0,r0,d0c", values);
}

static void setup_empty(const char *ops)
{
	set_up(*ops ? ops : "w0c,r0,w1", NULL);
}

static void check_sectors(bool after_cut)
{
	unsigned int i;
	u8 buf[IMAGE_CLUSTER];

	for (i = 0; i < CLUSTERS; i++) {
		u64 guest = (u64)i * IMAGE_CLUSTER;

		explore_check(!read_chain(guest, buf));
		history_check(&history, i, sector_value(buf), after_cut);
		if (after_cut)
			continue;
		explore_check(!read_map(guest, buf));
		history_check(&history, i, sector_value(buf), false);
	}
}

static void end(void)
{
	check_sectors(false);
	q2_image_commit_all(img);
	image_check(store, broken);
	cleanup_srcu_struct(&in_flight);
	q2_map_destroy(map);
	q2_image_close(img);
	q2_chain_free(chain);
	explore_check_leaks();
}

static void cut(void)
{
	struct q2_err err = {};

	store_restart(store);
	image_check(store, true);
	img = q2_image_open(&store->file, Q2_CACHE_MIN, &err);
	if (IS_ERR(img))
		explore_fail("open after a power cut: %s", err.text);
	chain->layers[0].img = img;
	check_sectors(true);
}

/* What the map and the file's L2 table say of the two clusters. Takes no lock. */
static void print(char *buf, size_t bytes)
{
	static const char *const kinds[] = {"miss", "data", "zero", "compressed", "mixed", "bad"};
	size_t at = 0;
	unsigned int i;

	for (i = 0; i < CLUSTERS && at < bytes; i++) {
		struct q2_run run = {};
		u64 word;

		q2_map_lookup(map, (u64)i * IMAGE_CLUSTER, IMAGE_CLUSTER, &run);
		/* Where the table is if there was one from the start. */
		memcpy(&word, store->live + IMAGE_AT_L2 + i * sizeof(word), sizeof(word));
		at += snprintf(buf + at, bytes - at, "%u: map %s%s", i, kinds[run.kind],
			       run.kind == Q2_MAP_DATA && run.in_place ? "!" : "");
		if (run.kind == Q2_MAP_DATA && at < bytes)
			at += snprintf(buf + at, bytes - at, " %llx", run.host);
		if (at < bytes)
			at += snprintf(buf + at, bytes - at, ", file %llx; ",
				       be64_to_cpu(word) & ~(1ULL << 63));
	}
	if (at < bytes)
		snprintf(buf + at, bytes - at, "%u writes not flushed%s", store->nr_writes,
			 broken ? ", read-only" : "");
}

static const struct explore_world world_map = {
	.name = "map",
	.shows =
		"an image with its map reads what was written, flushed is durable, and the image stays sound",
	.bound = 1,
	.switches = 1,
	.setup = setup,
	.end = end,
	.cut = cut,
	.print = print,
};
EXPLORE_WORLD(world_map);

static const struct explore_world world_map_empty = {
	.name = "map-empty",
	.shows = "the same of an image that holds nothing yet, not even a table",
	.bound = 1,
	.switches = 1,
	.setup = setup_empty,
	.end = end,
	.cut = cut,
	.print = print,
};
EXPLORE_WORLD(world_map_empty);
