// SPDX-License-Identifier: GPL-2.0-only
/* Host files: what is there after a power cut, and that I/O ends in any order. */
#include "store.h"

#define SECTORS 4

static struct store *store;
static u8 one[STORE_SECTOR], two[STORE_SECTOR], both[2 * STORE_SECTOR];
static struct completion ended;
static bool flushed, first_ended;
static long result;

static void setup_store(void)
{
	static u8 zeroes[SECTORS * STORE_SECTOR];

	store = store_create("file", zeroes, sizeof(zeroes), sizeof(zeroes));
	memset(one, 1, sizeof(one));
	memset(two, 2, sizeof(two));
	memset(both, 3, sizeof(both));
	init_completion(&ended);
}

static u8 byte_at(unsigned int sector)
{
	return store->live[sector * STORE_SECTOR];
}

static void write_flush_write(void *arg)
{
	explore_check(!q2_file_write(&store->file, 0, one, sizeof(one)));
	if (arg)
		explore_check(!q2_file_flush(&store->file));
	flushed = true;
	explore_check(!q2_file_write(&store->file, STORE_SECTOR, two, sizeof(two)));
	explore_check(!q2_file_write(&store->file, 0, both, sizeof(both)));
}

static void check_first(void)
{
	store_restart(store);
	explore_check(!flushed || byte_at(0));
	/* What is not there may be there, each by itself. */
	explore_check(byte_at(0) == 0 || byte_at(0) == 1 || byte_at(0) == 3);
	explore_check(byte_at(1) == 0 || byte_at(1) == 2 || byte_at(1) == 3);
}

static void setup_flush(const char *ops)
{
	setup_store();
	explore_task("writer", write_flush_write, "");
}

static const struct explore_world flush_holds = {
	.name = "store/flush",
	.shows = "what was flushed is there after a power cut",
	.cuts = 1,
	.setup = setup_flush,
	.cut = check_first,
};
EXPLORE_WORLD(flush_holds);

static void setup_no_flush(const char *ops)
{
	setup_store();
	explore_task("writer", write_flush_write, NULL);
}

static const struct explore_world no_flush_loses = {
	.name = "store/no-flush",
	.shows = "what was not flushed may be gone after a power cut",
	.finds = "not so: !flushed || byte_at(0)",
	.cuts = 1,
	.setup = setup_no_flush,
	.cut = check_first,
};
EXPLORE_WORLD(no_flush_loses);

static void check_untorn(void)
{
	store_restart(store);
	explore_check(byte_at(0) != 3 || byte_at(1) == 3);
}

static const struct explore_world write_tears = {
	.name = "store/torn",
	.shows = "of a write of two sectors one may be there after a power cut",
	.finds = "not so: byte_at(0) != 3 || byte_at(1) == 3",
	.cuts = 1,
	.setup = setup_flush,
	.cut = check_untorn,
};
EXPLORE_WORLD(write_tears);

static void io_done(void *arg, long ret)
{
	result = ret;
	if (arg)
		first_ended = true;
	complete(&ended);
}

static void submit_two(void *arg)
{
	store_submit(store, STORE_WRITE, 0, one, sizeof(one), io_done, "");
	store_submit(store, STORE_WRITE, 0, two, sizeof(two), io_done, NULL);
	wait_for_completion(&ended);
	explore_check(first_ended);
	wait_for_completion(&ended);
}

static void setup_two(const char *ops)
{
	setup_store();
	explore_task("submitter", submit_two, NULL);
}

static const struct explore_world any_order = {
	.name = "store/order",
	.shows = "of two I/Os the younger may end first",
	.finds = "not so: first_ended",
	.setup = setup_two,
};
EXPLORE_WORLD(any_order);

/* A flush that began before the write had ended promises nothing. */
static void flush_beside(void *arg)
{
	store_submit(store, STORE_FLUSH, 0, NULL, 0, io_done, NULL);
	explore_check(!q2_file_write(&store->file, 0, one, sizeof(one)));
	wait_for_completion(&ended);
	explore_check(!result);
	flushed = true;
	explore_check(!q2_file_write(&store->file, STORE_SECTOR, two, sizeof(two)));
}

static void setup_beside(const char *ops)
{
	setup_store();
	explore_task("flusher", flush_beside, NULL);
}

static const struct explore_world flush_too_early = {
	.name = "store/flush-early",
	.shows = "a flush that began before a write had ended does not cover it",
	.finds = "not so: !flushed || byte_at(0)",
	.cuts = 1,
	.setup = setup_beside,
	.cut = check_first,
};
EXPLORE_WORLD(flush_too_early);

static void read_whole(void *arg)
{
	store_submit(store, STORE_READ, 0, both, sizeof(both), io_done, NULL);
	wait_for_completion(&ended);
	explore_check(result == sizeof(both) || result == -EIO);
}

static void setup_read(const char *ops)
{
	setup_store();
	explore_task("reader", read_whole, NULL);
}

static const struct explore_world short_reads = {
	.name = "store/short",
	.shows = "a read may be short",
	.finds = "not so: result == sizeof(both) || result == -EIO",
	.faults = 1,
	.setup = setup_read,
};
EXPLORE_WORLD(short_reads);

static void write_until_error(void *arg)
{
	int ret;

	explore_check(!q2_file_write(&store->file, 0, one, sizeof(one)) || arg);
	ret = q2_file_flush(&store->file);
	if (!ret)
		flushed = true;
	/* The next one succeeds, and what the failed one lost is lost. */
	explore_check(!q2_file_flush(&store->file) || !ret);
	if (arg)
		flushed = true;
	q2_file_write(&store->file, STORE_SECTOR, two, sizeof(two));
}

static void setup_lost(const char *ops)
{
	setup_store();
	explore_task("writer", write_until_error, "");
}

static const struct explore_world failed_flush_loses = {
	.name = "store/flush-fails",
	.shows = "what a failed flush has lost is not there after the next one",
	.finds = "not so: !flushed || byte_at(0)",
	.faults = 1,
	.cuts = 1,
	.setup = setup_lost,
	.cut = check_first,
};
EXPLORE_WORLD(failed_flush_loses);
