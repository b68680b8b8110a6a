// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl resize: make the disk of an image that is not attached larger or smaller. */
#include <errno.h>
#include <string.h>

#include "disk.h"
#include "image/resize.h"
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
	if (offline_only(args->word[0]))
		return STATUS_FAILED;
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
	.arguments = "IMAGE [+|-]SIZE",
	.summary = "Make the disk of an image larger or smaller",
	.description = "With + or - SIZE is what is added or taken away. New bytes read zeroes.\n"
		       "IMAGE must not be in use.",
	.options = options,
	.complete = "file",
	.least = 2,
	.most = 2,
	.minus = true,
	.run = run,
};
