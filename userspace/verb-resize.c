// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl resize: make the disk of a device larger, or that of an image larger or smaller. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "image/resize.h"
#include "live.h"
#include "offline.h"
#include "say.h"
#include "size.h"
#include "verbs.h"
#include "walk.h"

enum {
	OPT_SHRINK = OPT_LONG,
	OPT_BACKING_FORMAT,
	OPT_ALLOW
};

static const struct option_spec options[] = {
	{OPT_SHRINK, "shrink", NULL, "the disk may become smaller: what is beyond is lost", NULL},
	{OPT_BACKING_FORMAT, "backing-format", "FORMAT",
	 "format of backing files whose format no image gives", "qcow2 raw"},
	POLICY_OPTION(OPT_ALLOW),
	{},
};

/* The bytes that @text makes of a disk of @now bytes. */
static int new_size(const char *text, u64 now, u64 *size)
{
	bool plus = *text == '+', minus = *text == '-';
	uint64_t bytes;

	if (size_parse(text + (plus || minus), &bytes) || (minus && bytes >= now))
		return -1;
	bytes = round_up((u64)bytes, (u64)Q2_SECTOR_SIZE);
	*size = plus ? now + bytes : minus ? now - bytes : bytes;
	return *size && *size <= S64_MAX ? 0 : -1;
}

/* What the disk has in its last sector is written again, so that zeroes lie behind it. */
static int write_last_sector(struct walk *walk)
{
	struct q2_chain *chain = walk_to_chain(walk);
	u8 sector[Q2_SECTOR_SIZE];
	int ret = disk_read(chain, chain->size - sizeof(sector), sizeof(sector), sector);

	if (!ret)
		ret = disk_write(chain, chain->size - sizeof(sector), sizeof(sector), sector);
	q2_chain_free(chain);
	return ret;
}

static int resize(const struct args *args, struct walk *walk)
{
	struct q2_image *img = walk->link[0].img;
	u64 backing = walk->nr > 1 ? walk->link[1].size : 0, size;
	struct q2_err err = {""};
	int ret;

	if (new_size(args->word[1], q2_image_size(img), &size))
		return say("%s: \"%s\" makes no possible size of %llu bytes", args->word[0],
			   args->word[1], q2_image_size(img));
	if (size < q2_image_size(img) && !args_has(args, OPT_SHRINK))
		return say("%s would become smaller, and what is beyond %llu bytes would be lost; "
			   "--shrink does it",
			   args->word[0], size);
	ret = q2_image_resize(img, size, backing, &err);
	if (ret == -EAGAIN) {
		err.text[0] = '\0';
		ret = write_last_sector(walk);
		if (!ret)
			ret = q2_image_resize(img, size, backing, &err);
	}
	if (ret)
		say("%s: %s", args->word[0], *err.text ? err.text : strerror(-ret));
	return ret;
}

/* In the pause: the image grows. The device goes on as long as it was. */
static int grow_image(struct live *live, u64 sectors, bool *grown)
{
	char *message = xasprintf("resize %llu", sectors);
	int err = live_suspend();

	if (!err)
		err = live_message(live, message);
	*grown = !err;
	if (live_resume(live)) {
		live_recover(live, live->device.sectors);
		err = live->err;
	}
	free(message);
	return err;
}

/*
 * The kernel takes no table that is longer than the image, and loading one in the pause may
 * wait for memory that can only be had by writing to the device. So the image grows in
 * one pause, then a longer table is loaded while the device is in use, and goes live in
 * a second pause.
 */
static int grow(struct live *live, u64 sectors)
{
	struct live_hold hold = LIVE_HOLD_ONE(live);
	bool grown;
	int err;

	if (live_hold(&hold))
		return -1;
	err = grow_image(live, sectors, &grown);
	if (!err)
		err = live_load(live, live->device.table, sectors);
	if (!err)
		err = live_suspend();
	if (err)
		live_clear(live);
	else
		live_forward(true);
	if (live_resume(live)) {
		live_forward(false);
		live_recover(live, sectors);
		err = live->err;
	}
	live_release();
	if (!err)
		return 0;
	live_explain(live);
	if (grown)
		say("%s: the image has grown, and the device may not have; resize it again, or "
		    "attach it again",
		    live->device.name);
	return -1;
}

static int resize_device(const struct args *args, struct live *live)
{
	const char *name = live->device.name;
	u64 now = live->device.sectors << Q2_SECTOR_BITS, size;
	char *pause;

	if (live_writable(live) || live_no_job(live))
		return -1;
	if (new_size(args->word[1], now, &size))
		return say("%s: \"%s\" makes no possible size of %llu bytes", name, args->word[1],
			   now);
	if (size < now)
		return say("%s would become smaller, and this is not served on devices: detach it "
			   "first, and give the image and --shrink",
			   name);
	if (size == now) {
		printf("%s: is %llu bytes large already\n", name, size);
		return 0;
	}
	if (grow(live, size >> Q2_SECTOR_BITS))
		return -1;
	pause = live_pause(live);
	printf("%s: %llu bytes now, paused for %s\n", name, size, pause);
	free(pause);
	return 0;
}

static int run_device(const struct args *args)
{
	struct live live;
	int ret = live_open(args->word[0], args->verb->name, &live);

	if (!ret)
		ret = resize_device(args, &live);
	live_close(&live);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

static int run(const struct args *args)
{
	struct walk_options how = {
		.backing_format = args_value(args, OPT_BACKING_FORMAT),
		.write = true,
		.keep = true,
	};
	int status = STATUS_FAILED;
	struct walk *walk;
	const char *size = args->word[1];
	uint64_t bytes;

	if (size_parse(size + (*size == '+' || *size == '-'), &bytes))
		return usage_error(args->verb, "resize: \"%s\" is no size", size);
	if (is_attached(args->word[0]))
		return run_device(args);
	how.policy = policy_new(args, OPT_ALLOW);
	if (!how.policy)
		return STATUS_FAILED;
	walk = walk_chain(args->word[0], &how);
	if (walk && !resize(args, walk))
		status = STATUS_DONE;
	walk_free(walk);
	policy_free(how.policy);
	return status;
}

const struct verb verb_resize = {
	.name = "resize",
	.arguments = "NAME|IMAGE [+|-]SIZE",
	.summary = "Make the disk of a device or an image larger or smaller",
	.description = "With + or - SIZE is what is added or taken away. New bytes read zeroes. A\n"
		       "device that is in use can grow; only an image that is not can shrink.",
	.options = options,
	.complete = "either",
	.least = 2,
	.most = 2,
	.minus = true,
	.run = run,
};
