// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "format/ondisk.h"
#include "holders.h"
#include "hostfile.h"
#include "image-info.h"
#include "image/snapshotting.h"
#include "internal.h"
#include "json.h"
#include "live.h"
#include "offline.h"
#include "say.h"
#include "walk.h"

/* How long a device that is to go back in time may be open: udev looks into devices. */
#define FREE_TRIES 50

static int print_list(const struct args *args, const char *path, bool force_share)
{
	struct json_object *info, *snapshots;

	info = image_info(path, path, false, force_share);
	if (!info)
		return STATUS_FAILED;
	if (args_has(args, 'J')) {
		snapshots = json_object_object_get(info, "snapshots");
		json_print(snapshots ? json_object_get(snapshots) : json_object_new_array());
	} else {
		image_info_print_snapshots(info);
	}
	json_object_put(info);
	return STATUS_DONE;
}

/* -- images ------------------------------------------------------------------------------------ */

static int create(struct q2_image *img, const char *name, struct q2_err *err)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return q2_image_snapshot_create(img, name, now.tv_sec, now.tv_nsec, err);
}

typedef int (*change_fn)(struct q2_image *img, const char *tag, struct q2_err *err);

static int change_image(change_fn change, const char *path, const char *tag)
{
	struct walk_options how = {.write = true, .top_only = true, .keep = true};
	struct walk *walk = walk_chain(path, &how);
	struct q2_err err = {""};
	int ret;

	if (!walk)
		return STATUS_FAILED;
	ret = change(walk->link[0].img, tag, &err);
	if (ret)
		say("%s: %s", path, *err.text ? err.text : strerror(-ret));
	walk_free(walk);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

/* -- devices ----------------------------------------------------------------------------------- */

/* The qcow2 image at the top; NULL after having said that there is none. */
static const char *top_image(const struct dm_device *device, const struct table *table)
{
	size_t top = table->nr_layers - 1;

	if (!strcmp(table->format[top], "qcow2"))
		return table->path[top];
	say("%s: %s is a raw image, and there are no snapshots inside of those", device->name,
	    table->path[top]);
	return NULL;
}

/* What the kernel knows shall stand in the file. */
static int flush(const struct dm_device *device)
{
	char *path;
	int fd, ret = 0;

	if (device->suspended || device->read_only)
		return 0;
	path = dm_path(device->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		ret = say("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
	return ret;
}

static int list_device(const struct args *args, const char *word)
{
	struct dm_device device;
	struct table table;
	const char *path;
	int status = STATUS_FAILED;

	if (dm_device_find(word, &device))
		return STATUS_FAILED;
	if (!device.table || table_parse(device.table, &table)) {
		say("%s has no table that this version of qcowctl understands", device.name);
	} else {
		path = top_image(&device, &table);
		/* The device has the writer's locks, and is who is asked. */
		if (path && !flush(&device))
			status = print_list(args, path, true);
		table_clear(&table);
	}
	dm_device_clear(&device);
	return status;
}

/* The size that the header in the file says; 0: it cannot be read. In sectors. */
static uint64_t size_in_file(struct host_file *host)
{
	__be64 size;

	if (q2_file_read(&host->file, offsetof(struct q2_disk_header, size), &size, sizeof(size)))
		return 0;
	return be64_to_cpu(size) >> Q2_SECTOR_BITS;
}

static int say_in_use(const struct live *live)
{
	char *who = holders_text(makedev(live->device.major, live->device.minor));

	say("%s is in use%s%s: its content would change under whoever has it open",
	    live->device.name, *who ? ": " : "", who);
	free(who);
	return -1;
}

/* Nobody may have open what becomes another disk. */
static int wait_until_free(const struct live *live)
{
	static const struct timespec moment = {.tv_nsec = 100000000};
	unsigned int i;

	for (i = 0; i < FREE_TRIES; i++) {
		if (!live_open_count(live))
			return 0;
		nanosleep(&moment, NULL);
	}
	return say_in_use(live);
}

static uint64_t size_now(void *host)
{
	return size_in_file(host);
}

/*
 * Go back; the disk then has the size that it had. A table of another length can be loaded
 * only after that, and so in the pause. It may wait for memory, and may do so: nobody has the
 * device open, and its page cache was written when it was closed, so that no memory waits for it.
 */
static int apply_device(struct live *live, const char *message, const char *path)
{
	struct live_hold hold = LIVE_HOLD_ONE(live);
	struct host_file *host;
	bool opened = false, applied;
	uint64_t sectors = live->device.sectors;
	int err;

	if (wait_until_free(live))
		return -1;
	host = host_file_open(path);
	if (!host)
		return -1;
	hold.size = size_now;
	hold.arg = host;
	hold.keep = host->fd;
	if (live_hold(&hold)) {
		host_file_close(host);
		return -1;
	}
	err = live_suspend();
	if (!err) {
		/* Who opens it from now on waits, and sees the new disk. */
		opened = live_open_count(live);
		err = opened ? EBUSY : live_message(live, message);
	}
	applied = !err;
	if (applied) {
		sectors = size_in_file(host);
		if (sectors != live->device.sectors)
			err = live_load(live, live->device.table, sectors);
	}
	if (live_resume(live)) {
		live_recover(live, sectors);
		err = live->err;
	}
	live_release();
	host_file_close(host);
	if (opened)
		return say_in_use(live);
	if (!err)
		return 0;
	live_explain(live);
	if (applied)
		say("%s: the image has gone back, and the device may have another size; attach it "
		    "again",
		    live->device.name);
	return -1;
}

static char *build_message(const char *what, const char *tag)
{
	char *word = escape_table(tag), *text;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!strcmp(what, "create"))
		text = xasprintf("snapshot create %s %lld %ld", word, (long long)now.tv_sec,
				 now.tv_nsec);
	else
		text = xasprintf("snapshot %s %s", what, word);
	free(word);
	return text;
}

static int change_device(const struct args *args, const char *what, const char *word,
			 const char *tag, unsigned int seconds)
{
	struct live live, *one = &live;
	struct live_hold hold = LIVE_HOLD_ONE(one);
	const char *path;
	char *message, *pause;
	int ret = -1;

	if (!*tag) {
		say("a snapshot has a name");
		return STATUS_FAILED;
	}
	if (!live_open(word, args->verb->name, &live) && !live_writable(&live) &&
	    !live_no_job(&live)) {
		path = top_image(&live.device, &live.table);
		/* Only what is kept has to be whole. */
		hold.freeze = !strcmp(what, "create");
		hold.seconds = hold.freeze ? seconds : 0;
		message = build_message(what, tag);
		if (!path)
			ret = -1;
		else if (!strcmp(what, "apply"))
			ret = apply_device(&live, message, path);
		else
			ret = live_tell(&hold, message);
		free(message);
	}
	if (!ret && !strcmp(what, "create")) {
		pause = live_pause(&live);
		printf("%s: paused for %s\n", live.device.name, pause);
		free(pause);
	}
	live_close(&live);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

/* -- either ------------------------------------------------------------------------------------ */

static const struct action {
	const char *name;
	change_fn change;
} actions[] = {
	{"create", create},
	{"apply", q2_image_snapshot_apply},
	{"delete", q2_image_snapshot_delete},
};

int internal_run(const struct args *args, unsigned int seconds)
{
	const char *what = args->word[0], *word = args->word[1];
	size_t i;

	if (!strcmp(what, "list")) {
		if (args->nr > 2)
			return usage_error(args->verb, "snapshot: list takes no TAG");
		return is_attached(word) ? list_device(args, word)
					 : print_list(args, word, args_has(args, 'U'));
	}
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(what, actions[i].name))
			continue;
		if (args->nr != 3)
			return usage_error(args->verb, "snapshot: %s needs an image and a TAG",
					   what);
		return is_attached(word) ? change_device(args, what, word, args->word[2], seconds)
					 : change_image(actions[i].change, word, args->word[2]);
	}
	return usage_error(args->verb, "snapshot: \"%s\" is none of create, apply, delete, list",
			   what);
}
