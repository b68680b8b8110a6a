// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "beneath.h"
#include "escape.h"
#include "external.h"
#include "layers.h"
#include "live.h"
#include "policy.h"
#include "say.h"
#include "walk.h"
#include "wish.h"

/**
 * struct taking - one device and its new overlay
 * @live: device
 * @file: overlay, as the user names it
 * @made: there is a file of ours
 * @path: where it is, resolved
 * @params: the table to come
 * @taken: the device writes to it
 */
struct taking {
	struct live live;
	const char *file;
	bool made;
	char *path;
	char *params;
	bool taken;
};

static const char *top_path(const struct live *live)
{
	return live->table.path[live->table.nr_layers - 1];
}

static dev_t number_of(const struct live *live)
{
	return makedev(live->device.major, live->device.minor);
}

/* Its directory, which is there before the file is. To be freed. */
static char *directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	return !slash ? xstrdup(".") : xstrndup(file, slash == file ? 1 : slash - file);
}

/*
 * What is suspended cannot be written to, so nothing that is written meanwhile may lie
 * on it: an overlay on the device itself could never be written at all.
 */
static int check_stack(const struct taking *t, const struct taking *other)
{
	char *dir = directory_of(t->file);
	struct stat st;
	int ret = 0;
	size_t i;

	if (beneath(!stat(t->file, &st) && S_ISBLK(st.st_mode) ? t->file : dir,
		    number_of(&other->live)))
		ret = say("%s would lie on %s%s", t->file, other->live.device.name,
			  t == other ? " itself" : ", which is to be suspended meanwhile");
	for (i = 0; i < t->live.table.nr_layers && !ret && t != other; i++)
		if (beneath(t->live.table.path[i], number_of(&other->live)))
			ret = say("%s of %s lies on %s: take their snapshots one after the other",
				  t->live.table.path[i], t->live.device.name,
				  other->live.device.name);
	free(dir);
	return ret;
}

static int open_all(const struct args *args, struct taking *t, size_t nr)
{
	size_t i, j;

	for (i = 0; i < nr; i++) {
		struct dm_device device;

		/* Before it is locked: the lock of the first would be in the second's way. */
		if (dm_device_find(args->word[2 * i], &device))
			return -1;
		for (j = 0; j < i; j++)
			if (t[j].live.device.major == device.major &&
			    t[j].live.device.minor == device.minor)
				break;
		dm_device_clear(&device);
		if (j < i)
			return say("%s is named twice", args->word[2 * i]);
		t[i].file = args->word[2 * i + 1];
		if (live_open(args->word[2 * i], args->verb->name, &t[i].live) ||
		    live_writable(&t[i].live) || live_no_job(&t[i].live))
			return -1;
	}
	for (i = 0; i < nr; i++)
		for (j = 0; j < nr; j++)
			if (check_stack(&t[i], &t[j]))
				return -1;
	return 0;
}

/* Take the name, so that nobody else has it when the image is ready. */
static int take_name(struct taking *t)
{
	struct stat st;
	int fd;

	if (!stat(t->file, &st) && S_ISBLK(st.st_mode))
		return 0;
	fd = open(t->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0 && errno == EEXIST)
		return say("%s exists already; a snapshot wants a new file", t->file);
	if (fd < 0)
		return say("%s: %s", t->file, strerror(errno));
	close(fd);
	t->made = true;
	return 0;
}

static int make_overlay(struct taking *t, const struct wish *wish)
{
	const struct table *table = &t->live.table;
	struct wish mine = *wish;
	char *name, *word;
	int ret;

	if (take_name(t))
		return -1;
	t->path = policy_resolve(t->file);
	if (!t->path)
		return say("%s: %s", t->file, strerror(errno));
	name = layers_name(t->path, top_path(&t->live));
	if (!name)
		return -1;
	mine.image.size = t->live.device.sectors << Q2_SECTOR_BITS;
	mine.image.backing = name;
	mine.image.backing_format = table->format[table->nr_layers - 1];
	wish_choose_for_overlay(&mine);
	ret = wish_store(&mine, t->path);
	free(name);
	/* The old table is kept as it is, letter by letter, behind one layer more. */
	word = escape_table(t->path);
	t->params = xasprintf("%s %zu qcow2 %s%s", table->mode, table->nr_layers + 1, word,
			      table_layers(t->live.device.table));
	free(word);
	return ret;
}

/*
 * Swap one table. If that fails the old table comes back, so that the device goes on
 * without a snapshot.
 */
static int swap(struct taking *t)
{
	struct live *live = &t->live;
	int err = live_resume(live);

	if (!err) {
		t->taken = true;
		return 0;
	}
	live_forward(false);
	if (live_recover(live, live->device.sectors))
		/* The new table may be the live one: its file has to stay. */
		t->made = false;
	return err;
}

/*
 * The instant. Whatever takes long, opening files above all, is done when the tables
 * are loaded, while the devices are still in use.
 */
static int swap_all(struct taking *t, size_t nr)
{
	size_t i;
	int err = 0;

	for (i = 0; i < nr && !err; i++)
		err = live_load(&t[i].live, t[i].params, t[i].live.device.sectors);
	if (!err && live_interrupted())
		err = EINTR;
	if (!err)
		err = live_suspend();
	/* All are suspended, and all have their new table: whatever happens now, all get it. */
	if (!err)
		live_forward(true);
	for (i = 0; i < nr && !err; i++)
		err = swap(&t[i]);
	if (!err)
		return 0;
	/* First of all no new table may be left, or the resume would swap it in. */
	for (i = 0; i < nr; i++)
		if (!t[i].taken && t[i].live.loaded)
			live_clear(&t[i].live);
	for (i = 0; i < nr; i++)
		if (!t[i].taken && live_resume(&t[i].live))
			live_recover(&t[i].live, t[i].live.device.sectors);
	return err;
}

static void report(const struct taking *t, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		char *pause;

		if (!t[i].taken)
			continue;
		pause = live_pause(&t[i].live);
		printf("%s: writes to ", t[i].live.device.name);
		escape_put(stdout, t[i].path);
		printf(" now, paused for %s\n", pause);
		free(pause);
	}
}

static void explain(struct taking *t, size_t nr, int err)
{
	bool said = false;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (t[i].live.step || t[i].live.suspended) {
			live_explain(&t[i].live);
			said = true;
		}
	}
	if (!said)
		say("no snapshot was taken: %s", err == EINTR ? "interrupted" : strerror(err));
}

static int take_all(struct taking *t, size_t nr, const struct wish *wish, unsigned int seconds)
{
	struct live **list = xalloc(nr * sizeof(*list));
	struct live_hold hold = {
		.live = list, .nr = nr, .freeze = true, .seconds = seconds, .keep = -1};
	size_t i;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		list[i] = &t[i].live;
		err = make_overlay(&t[i], wish);
	}
	if (!err)
		err = live_hold(&hold);
	if (!err) {
		err = swap_all(t, nr);
		live_release();
		if (err)
			explain(t, nr, err);
		report(t, nr);
	}
	free(list);
	return err;
}

/* Remove the overlays that no device writes to. */
static void tidy_up(struct taking *t, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (t[i].made && !t[i].taken && unlink(t[i].file))
			say("%s could not be removed again: %s", t[i].file, strerror(errno));
		free(t[i].path);
		free(t[i].params);
		live_close(&t[i].live);
	}
	free(t);
}

int external_take(const struct args *args, unsigned int seconds)
{
	struct wish wish = WISH_NOTHING;
	char *list = wish_list(args);
	size_t nr = args->nr / 2, i;
	struct taking *t;
	int status;

	if (wish_set_list(&wish, list)) {
		status = STATUS_USAGE;
	} else if (wish.has_size || wish.image.backing || wish.image.backing_format) {
		status = usage_error(args->verb, "snapshot: size and backing file are those of the "
						 "device");
	} else {
		dm_setup();
		t = xalloc(nr * sizeof(*t));
		for (i = 0; i < nr; i++)
			t[i].live = LIVE_CLOSED;
		/* Nothing may end us with overlays that nobody wants. */
		live_block_signals();
		status = open_all(args, t, nr) || take_all(t, nr, &wish, seconds) ? STATUS_FAILED
										  : STATUS_DONE;
		tidy_up(t, nr);
		live_unblock_signals();
	}
	free(list);
	return status;
}
