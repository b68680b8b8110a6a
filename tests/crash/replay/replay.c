// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash-replay [OPTION]... block|file BOOT: power cuts below the whole module.
 *
 * Images are made and put in their places, BOOT runs workload on them in a VM,
 * with everything that is written below the device logged: block.c, file.c, boot,
 * guest-run. Then each log is played back. After every flush, and at random points
 * between, the disk is rebuilt as a power cut could have left it (disk_cut(): any
 * part of what was not flushed, whole writes or sectors, so in any order), and
 *
 *	qemu-img check finds leaks at most, and so does fsck.h, with which it agrees;
 *	every sector shows what was flushed, or what was written there after that;
 *	the internal snapshots are as they were;
 *	the image opens for writing, takes some operations, and closes sound.
 *
 * What was flushed the log itself tells, by marks: record.h.
 *
 * The options are crash-sim's: --seed for workloads and cuts, --states (of all
 * images together, about), --only IMAGE, --seconds to go on with further seeds,
 * --dir for images, logs, and the state that failed.
 *
 * Not seen here: writes that were still on their way at the power cut have either
 * not begun or ended, for a log lists what has ended. And a flush of QEMU's log
 * comes behind all that ended before it did, which is more than it promises.
 */
#include <sys/stat.h>
#include <unistd.h>
#include "images.h"
#include "qemu.h"
#include "replay.h"

/* Operations of each of workload's threads. */
#define OPERATIONS 150

static struct replay *replays;

u64 replay_unit(const struct image_config *config)
{
	return max(config->cluster, 16384U);
}

/* The version of guest data; V_ZERO for anything else. */
static u32 version_of(const u8 *data)
{
	u64 word;

	memcpy(&word, data + 8, sizeof(word));
	return (word & ~0xffffffffULL) == STAMP_MAGIC ? (u32)word : V_ZERO;
}

/* One state. */
static void judge_cut(struct replay *r)
{
	struct disk_state cut, image;
	struct fsck fsck;
	u32 *versions;
	u64 i;

	disk_cut(r->disk, &r->rng, &cut);
	sim_context("entry %llu of %llu, flushed up to %llu: %s", r->log.next, r->log.nr,
		    r->history.floor, cut.how);
	r->place->extract(r, &cut, &image);
	versions = judge_read(r->set, &image, &fsck);
	for (i = 0; i < r->history.sectors; i++) {
		if (!history_allows(&r->history, i, versions[i]))
			FAIL("sector %llu shows %d; %s (%s)", i, (int)versions[i],
			     history_describe(&r->history, i), judge_keep(image.data, image.size));
	}
	judge_qemu(image.data, image.size, rng_one_in(&r->rng, 8) ? versions : NULL, &fsck);
	judge_go_on(r->set, &image, versions, r->history.last, &r->rng);
	free(versions);
	if (image.data != cut.data)
		free(image.data);
	disk_state_free(&cut);
}

/* A plain write. Some cuts tell guest data from metadata. */
static void write_plain(struct disk *disk, u64 offset, const u8 *data, u64 len)
{
	if (version_of(data))
		CHECK(!disk_write_guest(disk, offset, data, len));
	else
		CHECK(!q2_file_write(&disk->file, offset, data, len));
}

static void write_durable(struct replay *r, const struct log_entry *e)
{
	CHECK(r->nr_fua < ARRAY_SIZE(r->fua));
	CHECK(!disk_write_fua(r->disk, e->offset, e->data, e->len));
	r->fua[r->nr_fua++] = (struct fua){e->offset, e->len, version_of(e->data)};
}

/*
 * dm-log-writes lists a write with FUA when it has ended, and what had ended before
 * it with the next flush. workload sees to it that what is listed between such a
 * write and its mark, on the same sectors, is older.
 */
static bool overtaken(const struct replay *r, u64 offset, u64 len)
{
	unsigned int i;

	for (i = 0; i < r->nr_fua; i++) {
		if (offset < r->fua[i].offset + r->fua[i].len && r->fua[i].offset < offset + len)
			return true;
	}
	return false;
}

static void apply_mark(struct replay *r, const struct mark *mark)
{
	unsigned int i;

	if (!mark || mark->magic != MARK_MAGIC)
		return;
	history_mark(&r->history, mark->record);
	for (i = r->nr_fua; i--;) {
		if (r->fua[i].version == r->history.records[mark->record].version)
			r->fua[i] = r->fua[--r->nr_fua];
	}
}

static void apply(struct replay *r, const struct log_entry *e)
{
	struct q2_file *file = &r->disk->file;
	u64 at;

	if (e->flags & LOG_FLUSH)
		CHECK(!q2_file_flush(file));
	if (e->flags & LOG_MARK)
		return;
	if (e->offset >= r->disk->size) {
		apply_mark(r, (const struct mark *)e->data);
	} else if (e->flags & LOG_DISCARD) {
		CHECK(!overtaken(r, e->offset, e->len));
		file->ops->discard(file, e->offset, e->len);
	} else if (e->data && (e->flags & LOG_FUA)) {
		write_durable(r, e);
	} else if (e->data && !overtaken(r, e->offset, e->len)) {
		write_plain(r->disk, e->offset, e->data, e->len);
	} else if (e->data) {
		for (at = 0; at < e->len; at += SECTOR) {
			if (!overtaken(r, e->offset + at, SECTOR))
				write_plain(r->disk, e->offset + at, e->data + at, SECTOR);
		}
	}
}

/* Entries of the log that change the disk, and flushes with something to flush. */
static void count(struct replay *r, u64 *requests, u64 *flushes)
{
	struct log_entry e;
	bool any = false;

	*requests = *flushes = 0;
	log_rewind(&r->log);
	while (log_next(&r->log, &e)) {
		if ((e.flags & LOG_FLUSH) && any) {
			++*flushes;
			any = false;
		}
		if ((e.flags & LOG_DISCARD) || (e.data && e.offset < r->disk->size)) {
			++*requests;
			any = true;
		}
	}
	log_rewind(&r->log);
}

/* All of the log once, @states looked at; no fewer than there are flushes. */
static void walk(struct replay *r, u64 states)
{
	u64 requests, flushes, left, more;
	struct log_entry e;

	count(r, &requests, &flushes);
	if (!flushes || requests < OPERATIONS)
		FAIL("the log has %llu writes and %llu flushes only", requests, flushes);
	left = states > flushes ? states - flushes : 0;
	history_rewind(&r->history);
	while (log_next(&r->log, &e)) {
		bool any = r->disk->nr_log;

		apply(r, &e);
		if ((e.flags & LOG_FLUSH) && any)
			judge_cut(r);
		if (!(e.flags & LOG_DISCARD) && (!e.data || e.offset >= r->disk->size))
			continue;
		more = left / requests + (rng_below(&r->rng, requests) < left % requests);
		requests--;
		for (left -= more; more; more--)
			judge_cut(r);
	}
}

/* What the device left when it had been removed: all is durable, and nothing leaks. */
static void judge_end(struct replay *r)
{
	struct disk_state cut, image;
	struct fsck fsck;

	sim_context("the end of the log");
	CHECK(!q2_file_flush(&r->disk->file));
	judge_cut(r);
	disk_cut(r->disk, &r->rng, &cut);
	r->place->extract(r, &cut, &image);
	fsck_run(image.data, image.size, &fsck);
	if (fsck.leaks)
		FAIL("%lu clusters leak after the device was removed (%s)", fsck.leaks,
		     judge_keep(image.data, image.size));
	if (image.data != cut.data)
		free(image.data);
	disk_state_free(&cut);
}

static void replay_one(void *arg)
{
	struct replay *r = arg;
	unsigned long states = sim_count.states;
	u64 nr = image_top(r->set)->guest / SECTOR, requests, flushes;

	log_open(&r->log, r->log_path, r->log_start, r->log_size);
	history_open(&r->history, text("%s/share/%s.records", sim.dir, r->config->name),
		     image_top(r->set)->content, nr);
	r->rng.state = sim.seed;
	walk(r, sim.states / r->place->nr);
	judge_end(r);
	count(r, &requests, &flushes);
	printf("     %s: %llu requests, %llu flushes, %lu states\n", r->config->name, requests,
	       flushes, sim_count.states - states);
	history_close(&r->history);
	log_close(&r->log);
}

static void prepare(const struct place *place)
{
	const char *share = text("%s/share", sim.dir);
	FILE *plan;
	unsigned int i;

	mkdir(share, 0700);
	plan = fopen(text("%s/plan", share), "w");
	if (!plan) {
		perror(share);
		exit(1);
	}
	for (i = 0; i < place->nr; i++) {
		struct replay *r = &replays[i];

		r->place = place;
		r->config = &place->configs[i];
		r->number = i;
		r->set = image_make(r->config);
		place->prepare(r, plan);
		fprintf(plan, "\n");
	}
	if (fclose(plan)) {
		perror(share);
		exit(1);
	}
}

void sim_run(void)
{
	const struct place *place = &place_block;
	unsigned int i;

	if (!sim.args[0] || !sim.args[1]) {
		fprintf(stderr, "crash-replay [OPTION]... block|file BOOT\n");
		exit(2);
	}
	if (!strcmp(sim.args[0], "file"))
		place = &place_file;
	replays = xalloc(place->nr * sizeof(*replays));
	prepare(place);
	/* Without images, or without logs, there is nothing to be judged. */
	if (sim_failed() || system(text("'%s' %s '%s'", sim.args[1], place->name, sim.dir))) {
		fprintf(stderr, "crash-replay: no logs\n");
		exit(1);
	}
	for (i = 0; i < place->nr; i++) {
		sim_test(text("%s-%s", place->name, replays[i].config->name), replay_one,
			 &replays[i]);
		disk_free(replays[i].disk);
	}
	free(replays);
}
