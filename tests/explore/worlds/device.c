// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device as a guest and its owner see it: serve/ and job/ over an image with a backing
 * file, with all that can go on at the same time.
 *
 * --ops says what the tasks do: tasks apart by commas, each a row of
 *
 *	r0 .. r3	read a sector
 *	w f a		write one: plainly; durable when it ends; after an attempt without waiting
 *			has come back
 *	z		write zeroes to one
 *	d		discard the cluster that holds one
 *	c		flush
 *	k o e		suspend, without flush, resume
 *	m s S x		commit the top; stream into it; into "top", whatever is above; cancel
 *	i		internal snapshot: suspend, take it, resume
 *	g		make the image longer: suspend, resize, resume
 *	t		external snapshot: open a table with one more layer, suspend, resume with it
 *	u		the same with a table of the same layers; not beside a job
 *	y		give memory of the map and of the caches back
 *
 * Sectors 0 and 1 are in one cluster (a subcluster in "device-extended"), 2 and 3 in another.
 * At first the top has the cluster of sectors 2 and 3 and the base has both; of a subcluster the
 * top has another one of the same cluster. In "device-merging" the top's cluster has been
 * merged into the base, and the commit waits for its rate before it ends.
 */
#include "image/snapshotting.h"
#include "image/write.h"
#include "serve/find.h"
#include "guest.h"
#include "history.h"
#include "host.h"
#include "image.h"

#define SECTORS 4
#define MOST_GUESTS 6
#define NOSPACE_MS 1000
#define TOP_LAYER 1

static struct dm dm;
static struct store *base, *top, *over;
static u64 at[SECTORS]; /* guest offsets */
static struct history history;
static unsigned int next_value;
static char guests[MOST_GUESTS][24];
static unsigned int nr_guests;
static bool swapped; /* over is the top */
static unsigned int snapshots;
static bool commits; /* there may be some */
static bool streams;
static unsigned int cluster_bits;

/* What an image held at an instant, and must hold for good: see look_back(). */
static struct past {
	bool known;
	unsigned int value[SECTORS];
} at_snapshot, at_swap;

/*
 * Nothing fails but what the host has failed: no room, no memory, a suspend are waited for
 * (SUSPEND-LOSES-NOTHING).
 */
static void check_result(int ret)
{
	if (ret && !base->errors && !top->errors && !over->errors)
		explore_fail("%s: error %d, though no I/O has failed", explore_task_name(), -ret);
}

static void write_done(unsigned int op, int ret)
{
	check_result(ret);
	if (!ret)
		history_end(&history, op);
}

static void do_read(unsigned int sector)
{
	unsigned int op = history_begin(&history, HISTORY_READ, sector, 0);
	u8 buf[HISTORY_SECTOR];
	int ret;

	memset(buf, 0xee, sizeof(buf));
	ret = guest_read(&dm, at[sector], buf, sizeof(buf));
	check_result(ret);
	if (!ret)
		history_end_read(&history, op, sector_value(buf));
}

static void do_write(unsigned int sector, enum guest_write how)
{
	unsigned int value = ++next_value;
	unsigned int op = history_begin(&history, HISTORY_WRITE, sector, value);
	u8 buf[HISTORY_SECTOR];
	int ret;

	sector_fill(buf, value);
	ret = guest_write(&dm, at[sector], buf, sizeof(buf), how);
	write_done(op, ret);
	if (!ret && how == GUEST_FUA)
		history_end_durable(&history, op);
}

static void do_zero(unsigned int sector)
{
	unsigned int op = history_begin(&history, HISTORY_WRITE, sector, 0);

	write_done(op, guest_zero(&dm, at[sector], HISTORY_SECTOR, false));
}

/* A hint: what it does not forget stays, so that it never ends. */
static void do_discard(unsigned int sector)
{
	u64 cluster = 1ULL << cluster_bits, guest = round_down(at[sector], cluster);
	unsigned int i;

	for (i = 0; i < SECTORS; i++) {
		if (at[i] >= guest && at[i] < guest + cluster)
			history_begin(&history, HISTORY_WRITE, i, 0);
	}
	check_result(guest_discard(&dm, guest, cluster));
}

static void do_flush(void)
{
	unsigned int op = history_begin(&history, HISTORY_FLUSH, 0, 0);

	write_done(op, guest_flush(&dm));
}

/* What a message asks for, of the table that is live. */
/* @middle: a stream into the layer "top". */
static void do_job(enum q2_job_type type, unsigned int rate_kib, bool middle)
{
	struct q2_job_params params = {
		.type = type,
		.top = Q2_NO_LAYER,
		.base = Q2_NO_LAYER,
		.into = Q2_NO_LAYER,
		.rate_kib = rate_kib,
	};
	struct q2_control *live;
	struct q2_chain *chain;
	struct q2_err err = {};

	/* The ioctl holds the device's table, which cannot be swapped meanwhile. */
	mutex_lock(&dm.suspend_lock);
	live = dm.live;
	chain = live->disk->chain;
	q2_control_begin(live);
	if (!q2_job_ready(&live->job, &err)) {
		if (type == Q2_JOB_COMMIT) {
			params.top = chain->top;
			params.base = q2_chain_below(chain, chain->top);
		} else {
			params.into = middle ? TOP_LAYER : chain->top;
		}
		if (type == Q2_JOB_STREAM || params.base != Q2_NO_LAYER)
			q2_job_start(&live->job, &params, live->suspended, &err);
	}
	q2_control_end(live);
	mutex_unlock(&dm.suspend_lock);
}

static void do_cancel(void)
{
	mutex_lock(&dm.suspend_lock);
	q2_control_begin(dm.live);
	q2_job_cancel(&dm.live->job);
	q2_control_end(dm.live);
	mutex_unlock(&dm.suspend_lock);
}

/* The device is suspended: what it reads now stays. */
static void remember(struct past *past)
{
	u8 buf[HISTORY_SECTOR];
	unsigned int i;

	past->known = true;
	for (i = 0; i < SECTORS && past->known; i++) {
		past->known = !q2_disk_read(dm.live->disk, at[i], buf, sizeof(buf));
		if (past->known)
			past->value[i] = sector_value(buf);
	}
}

static void do_snapshot(void)
{
	struct q2_err err = {};

	dm_suspend(&dm, false);
	q2_control_begin(dm.live);
	if (!q2_control_snapshot(dm.live, Q2_SNAPSHOT_CREATE, snapshots ? "two" : "one", 1, 0,
				 &err) &&
	    !snapshots++ && dm.still)
		remember(&at_snapshot);
	q2_control_end(dm.live);
	dm_resume(&dm, NULL);
}

static void do_grow(void)
{
	struct q2_err err = {};

	dm_suspend(&dm, false);
	q2_control_begin(dm.live);
	q2_control_resize(dm.live, dm.live->disk->chain->size + (2ULL << cluster_bits), &err);
	q2_control_end(dm.live);
	dm_resume(&dm, NULL);
}

/* As qcowctl does: the new table is loaded while the old one is in use. */
static void load_and_swap(unsigned int layers)
{
	static const char *const paths[] = {"raw", "top", "over"};
	struct q2_control *table, *old;
	struct q2_err err = {};

	table = dm_table(&dm, paths, layers, true, NOSPACE_MS, &err);
	if (IS_ERR(table))
		return;
	dm_suspend(&dm, false);
	if (layers == 3 && !swapped) {
		swapped = true;
		if (dm.still)
			remember(&at_swap);
	}
	old = dm_resume(&dm, table);
	dm_table_destroy(old ? old : table);
}

static void do_swap(void)
{
	if (!swapped)
		load_and_swap(3);
}

static void do_reload(void)
{
	/* A job changes which layers there are. */
	if (!commits && !streams)
		load_and_swap(swapped ? 3 : 2);
}

static void do_shrink(void)
{
	q2_disks_shrink(ULONG_MAX);
	q2_shared_shrink(ULONG_MAX);
}

static void guest(void *arg)
{
	const char *ops = arg;

	for (; *ops; ops++) {
		unsigned int sector = ops[1] - '0';

		switch (*ops) {
		case 'r':
			do_read(sector);
			break;
		case 'w':
			do_write(sector, GUEST_PLAIN);
			break;
		case 'f':
			do_write(sector, GUEST_FUA);
			break;
		case 'a':
			do_write(sector, GUEST_AGAIN);
			break;
		case 'z':
			do_zero(sector);
			break;
		case 'd':
			do_discard(sector);
			break;
		case 'c':
			do_flush();
			break;
		case 'k':
			dm_suspend(&dm, false);
			break;
		case 'o':
			dm_suspend(&dm, true);
			break;
		case 'e':
			dm_resume(&dm, NULL);
			break;
		case 'm':
			do_job(Q2_JOB_COMMIT, 0, false);
			break;
		case 's':
			do_job(Q2_JOB_STREAM, 0, false);
			break;
		case 'S':
			do_job(Q2_JOB_STREAM, 0, true);
			break;
		case 'x':
			do_cancel();
			break;
		case 'i':
			do_snapshot();
			break;
		case 'g':
			do_grow();
			break;
		case 't':
			do_swap();
			break;
		case 'u':
			do_reload();
			break;
		case 'y':
			do_shrink();
			break;
		}
	}
}

static void add_guests(const char *ops)
{
	size_t len;

	commits |= !!strchr(ops, 'm');
	streams = strpbrk(ops, "sS");
	for (; *ops; ops += len + !!ops[len]) {
		len = strcspn(ops, ",");
		if (nr_guests == MOST_GUESTS || len >= sizeof(guests[0]) ||
		    strspn(ops, "rwfazdckoemsSxigtuy0123") < len)
			explore_fail("--ops: not that: %s", ops);
		memcpy(guests[nr_guests], ops, len);
		explore_task(guests[nr_guests], guest, guests[nr_guests]);
		nr_guests++;
	}
}

/* The base has values 1 .. 4, the top 13 and 14 for sectors 2 and 3. */
static void make_images(bool extended)
{
	u64 cluster, unit, size;
	struct image_bytes bytes[3] = {};
	struct image_spec spec = {.bytes = bytes};
	unsigned int i;
	u8 *raw;

	cluster_bits = extended ? 15 : 10;
	cluster = 1ULL << cluster_bits;
	unit = extended ? cluster / 32 : cluster;
	size = extended ? cluster : 2 * cluster;
	for (i = 0; i < SECTORS; i++)
		at[i] = (i / 2) * unit + (i % 2) * HISTORY_SECTOR;
	raw = calloc(1, size);
	for (i = 0; i < SECTORS; i++)
		sector_fill(raw + at[i], i + 1);
	base = store_create("raw", raw, size, size);
	free(raw);
	bytes[0] = (struct image_bytes){at[2], HISTORY_SECTOR, SECTORS + 1};
	bytes[1] = (struct image_bytes){at[3], HISTORY_SECTOR, SECTORS + 2};
	spec.name = "top";
	spec.cluster_bits = cluster_bits;
	spec.extended = extended;
	spec.size = size;
	spec.backing = "raw";
	top = image_make(&spec);
	spec.name = "over";
	spec.backing = "top";
	spec.bytes = NULL;
	over = image_make(&spec);
	host_add(base);
	host_add(top);
	host_add(over);
	next_value = SECTORS + 2;
	for (i = 0; i < SECTORS; i++)
		history_end(&history, history_begin(&history, HISTORY_WRITE, i,
						    i < 2 ? i + 1 : SECTORS + i - 1));
	history_end(&history, history_begin(&history, HISTORY_FLUSH, 0, 0));
}

/* A commit that has moved all there was, and waits. */
static void begin_merge(void)
{
	commits = true;
	do_job(Q2_JOB_COMMIT, 1, false);
	while (!READ_ONCE(dm.live->job.moved))
		explore_sleep(NSEC_PER_SEC / HZ);
	explore_check(dm.live->disk->chain->dest != Q2_NO_LAYER);
}

static void set_up(const char *ops, bool extended, bool merging)
{
	static const char *const paths[] = {"raw", "top"};
	struct q2_control *table;
	struct q2_err err = {};
	unsigned int i;
	u8 buf[HISTORY_SECTOR];

	explore_check(!q2_jobs_init());
	make_images(extended);
	table = dm_table(&dm, paths, 2, true, NOSPACE_MS, &err);
	if (IS_ERR(table))
		explore_fail("open: %s", err.text);
	dm_init(&dm, table);
	dm_resume(&dm, NULL);
	if (merging)
		begin_merge();
	/* A map that is warm: else nothing is written in place. */
	for (i = 0; i < SECTORS; i++)
		explore_check(!guest_read(&dm, at[i], buf, sizeof(buf)));
	add_guests(*ops ? ops : "w0w1,a0r1,c");
}

static void setup(const char *ops)
{
	set_up(ops, false, false);
}

static void setup_extended(const char *ops)
{
	set_up(ops, true, false);
}

static void setup_merging(const char *ops)
{
	set_up(ops, false, true);
}

static void check_sectors(bool after_cut)
{
	unsigned int i;
	u8 buf[HISTORY_SECTOR];
	int ret;

	for (i = 0; i < SECTORS; i++) {
		ret = guest_read(&dm, at[i], buf, sizeof(buf));
		if (ret)
			explore_fail("sector %u cannot be read: error %d", i, -ret);
		history_check(&history, i, sector_value(buf), after_cut);
	}
}

static struct q2_chain *disk_chain; /* look_at_disk() */

/* What a name in the header says of what the image stands on. */
static bool has_backing(const struct store *store)
{
	u64 offset;

	memcpy(&offset, store->live + 8, sizeof(offset));
	return offset;
}

static void add_layer(struct store *store, bool raw)
{
	struct q2_layer *layer = &disk_chain->layers[disk_chain->nr_layers++];
	struct q2_err err = {};

	layer->file = &store->file;
	layer->size = store->file.size;
	if (raw)
		return;
	layer->img = q2_image_open(&store->file, Q2_CACHE_MIN, &err);
	if (IS_ERR(layer->img))
		explore_fail("%s cannot be opened again: %s", store->file.name, err.text);
	layer->size = q2_image_size(layer->img);
}

static unsigned int read_disk_sector(unsigned int sector)
{
	struct q2_extent ext;
	unsigned int layer;
	u8 buf[HISTORY_SECTOR] = {};

	if (q2_chain_lookup(disk_chain, at[sector], sizeof(buf), &layer, &ext))
		explore_fail("sector %u cannot be found on the disk", sector);
	if (ext.kind == Q2_DATA &&
	    q2_file_read(disk_chain->layers[layer].file, ext.host, buf, sizeof(buf)))
		explore_fail("sector %u cannot be read from the disk", sector);
	return sector_value(buf);
}

static void close_disk(void)
{
	unsigned int i;

	for (i = 0; i < disk_chain->nr_layers; i++) {
		if (disk_chain->layers[i].img)
			q2_image_close(disk_chain->layers[i].img);
	}
	q2_chain_free(disk_chain);
}

/*
 * The layer "top" as it was: when an internal snapshot of it was taken, for its owner goes back
 * to it now; or when it became a backing file. Nobody writes to either any more, but jobs.
 */
static void look_back(const struct past *past, const char *snapshot)
{
	struct q2_layer *layer;
	struct q2_err err = {};
	unsigned int i;

	if (!past->known || commits || streams || explore_faults())
		return;
	disk_chain = q2_chain_alloc(2);
	if (!disk_chain)
		explore_fail("no memory to look back");
	disk_chain->nr_layers = 0;
	add_layer(base, true);
	add_layer(top, false);
	layer = &disk_chain->layers[TOP_LAYER];
	if (snapshot && (q2_image_make_writable(layer->img, NULL, NULL, &err) ||
			 q2_image_snapshot_apply(layer->img, snapshot, &err)))
		explore_fail("there is no way back to the snapshot: %s", err.text);
	layer->size = q2_image_size(layer->img);
	q2_chain_init(disk_chain);
	for (i = 0; i < SECTORS; i++) {
		unsigned int value = read_disk_sector(i);

		if (value != past->value[i])
			explore_fail("sector %u of %s holds %u and held %u", i,
				     snapshot ? "the internal snapshot" : "the backing file", value,
				     past->value[i]);
	}
	close_disk();
}

/* What somebody sees who opens the files: by image/ and chain/ alone. */
static void look_at_disk(bool after_cut)
{
	struct store *on_disk = swapped ? over : top;
	bool top_counts = !swapped || has_backing(over);
	unsigned int i;

	disk_chain = q2_chain_alloc(3);
	if (!disk_chain)
		explore_fail("no memory to look at the disk");
	disk_chain->nr_layers = 0;
	if (top_counts && has_backing(top))
		add_layer(base, true);
	if (top_counts && swapped)
		add_layer(top, false);
	add_layer(on_disk, false);
	q2_chain_init(disk_chain);
	for (i = 0; i < SECTORS; i++)
		history_check(&history, i, read_disk_sector(i), after_cut);
	close_disk();
}

/* ONE-PHASE: nothing of a job goes on while the device is suspended. */
static void always(void)
{
	if (dm.still && dm.live->job.phase == Q2_JOB_WORKING)
		explore_fail("the job works while the device is suspended");
}

/* Only a merge may write to a backing file. */
static void check_base(void)
{
	unsigned int i;

	for (i = 0; i < SECTORS && !commits; i++) {
		if (sector_value(base->live + at[i]) != i + 1)
			explore_fail("the backing file has changed");
	}
}

static void end(void)
{
	struct q2_job *job = &dm.live->job;
	bool failed;

	dm_resume(&dm, NULL);
	wait_event(job->wait, !q2_job_running(job));
	check_sectors(false);
	failed = q2_disk_failed(dm.live->disk);
	/* ERROR-STAYS: nothing is to be lost without anybody having been told. */
	do_flush();
	dm_suspend(&dm, false);
	failed |= q2_disk_failed(dm.live->disk);
	dm_table_destroy(dm.live);
	q2_jobs_exit();
	host_check_closed();
	check_base();
	/* What cannot be written may leave leaks, also in a layer that has gone. */
	image_check(top, explore_faults());
	image_check(over, explore_faults());
	if (!failed) {
		look_at_disk(false);
		look_back(&at_swap, NULL);
		look_back(&at_snapshot, "one");
	}
	explore_check_leaks();
}

static void cut(void)
{
	store_restart(base);
	store_restart(top);
	store_restart(over);
	image_check(top, true);
	image_check(over, true);
	look_at_disk(true);
}

static void print(char *buf, size_t bytes)
{
	static const char *const kinds[] = {"miss", "data", "zero", "compressed", "mixed", "bad"};
	struct q2_disk *disk = dm.live->disk;
	size_t pos = 0;
	unsigned int i;

	for (i = 0; i < SECTORS && pos < bytes; i += 2) {
		struct q2_run run = {};

		q2_map_lookup(disk->map, at[i], HISTORY_SECTOR, &run);
		pos += snprintf(buf + pos, bytes - pos, "%u: %s", i, kinds[run.kind]);
		if (run.kind == Q2_MAP_DATA && pos < bytes)
			pos += snprintf(buf + pos, bytes - pos, "%s %s %llx",
					run.in_place ? "!" : "",
					disk->shared[run.layer]->file->name, run.host);
		if (pos < bytes)
			pos += snprintf(buf + pos, bytes - pos, "; ");
	}
	if (pos < bytes)
		snprintf(buf + pos, bytes - pos, "%s%s%s%s",
			 disk->chain->dest != Q2_NO_LAYER ? "dest " : "",
			 disk->chain->frozen_end ? "frozen " : "", dm.blocked ? "suspended " : "",
			 disk->failed ? "failed" : "");
}

static const struct explore_world world_device = {
	.name = "device",
	.shows =
		"a device reads what was written, what was flushed is durable, no error is lost, nobody waits for ever",
	.bound = 1,
	.switches = 1,
	.setup = setup,
	.end = end,
	.cut = cut,
	.always = always,
	.print = print,
};
EXPLORE_WORLD(world_device);

static const struct explore_world world_extended = {
	.name = "device-extended",
	.shows = "the same of a top with subclusters",
	.bound = 1,
	.switches = 1,
	.setup = setup_extended,
	.end = end,
	.cut = cut,
	.always = always,
	.print = print,
};
EXPLORE_WORLD(world_extended);

static const struct explore_world world_merging = {
	.name = "device-merging",
	.shows = "the same while a commit is about to end",
	.bound = 1,
	.switches = 1,
	.setup = setup_merging,
	.end = end,
	.cut = cut,
	.always = always,
	.print = print,
};
EXPLORE_WORLD(world_merging);
