// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl create: an empty image, or an empty overlay. */
#include <stdio.h>
#include <unistd.h>

#include "bare.h"
#include "say.h"
#include "verbs.h"
#include "walk.h"
#include "wish.h"

static const struct option_spec options[] = {
	{'b', "backing", "BACKING", "backing file, relative to the directory of IMAGE", "file"},
	{'F', "backing-format", "FORMAT", "its format, which is needed: qcow2 or raw", "qcow2 raw"},
	{'o', "option", "NAME=VALUE,...", "what the image shall be like", NULL},
	{'u', "unsafe", NULL, "do not look at the backing file; SIZE is needed then", NULL},
	{},
};

/* Path of the backing file, seen from where the image will be. */
static char *backing_path(const char *image, const char *name)
{
	const char *slash = strrchr(image, '/');

	if (*name == '/' || !slash)
		return xstrdup(name);
	return xasprintf("%.*s%s", (int)(slash + 1 - image), image, name);
}

/* Open the backing file: it must be there, of its format, and not the image itself. */
static int look_at_backing(struct wish *wish, const char *image)
{
	char *path = backing_path(image, wish->image.backing);
	struct host_file *host, *old;
	struct bare bare = {NULL};
	u64 size = 0;
	int ret = 0;

	if (!strcmp(wish->image.backing_format, "qcow2")) {
		ret = bare_open(path, true, &bare);
		host = bare.host;
		size = bare.hdr.size;
	} else {
		host = host_file_open(path);
		ret = host ? 0 : -1;
		if (host)
			size = round_up(host->file.size, (u64)Q2_SECTOR_SIZE);
	}
	if (!ret && !access(image, F_OK)) {
		old = host_file_open(image);
		if (!old)
			ret = -1;
		else if (host_file_same(old, host))
			ret = say("%s would be its own backing file", image);
		host_file_close(old);
	}
	host_file_close(host);
	free(path);
	if (!ret && !wish->has_size)
		wish->image.size = size;
	return ret;
}

static int check_wish(const struct args *args, struct wish *wish)
{
	const struct new_image *image = &wish->image;

	if (image->backing && walk_name_is_protocol(image->backing))
		return usage_error(
			args->verb,
			"create: \"%s\" would be taken for a protocol; write ./ before the "
			"name of a file with a colon",
			image->backing);
	if (image->backing && !image->backing_format)
		return usage_error(args->verb, "create: -b needs -F, the format of the backing "
					       "file: it is never guessed");
	if (image->backing_format && !image->backing)
		return usage_error(args->verb, "create: -F needs -b, the backing file");
	if (!wish->has_size && (!image->backing || args_has(args, 'u')))
		return usage_error(args->verb, "create: SIZE is missing");
	return 0;
}

static int create(const struct args *args, struct wish *wish)
{
	if (wish->image.backing && !args_has(args, 'u') && look_at_backing(wish, args->word[0]))
		return STATUS_FAILED;
	return wish_store(wish, args->word[0]) ? STATUS_FAILED : STATUS_DONE;
}

/* Everything the command line says, -o lists first. */
static int read_wish(const struct args *args, struct wish *wish, char *list)
{
	const char *backing = args_value(args, 'b'), *format = args_value(args, 'F');

	if (wish_set_list(wish, list) || (backing && wish_set(wish, "backing_file", backing)) ||
	    (format && wish_set(wish, "backing_fmt", format)))
		return -1;
	if (args->nr < 2)
		return 0;
	if (wish->has_size)
		return say("the size is given twice");
	return wish_set(wish, "size", args->word[1]);
}

static int run(const struct args *args)
{
	struct wish wish = WISH_NOTHING;
	char *list = wish_list(args);
	int status;

	status = read_wish(args, &wish, list) ? STATUS_USAGE : check_wish(args, &wish);
	wish_choose_for_overlay(&wish);
	if (!status)
		status = create(args, &wish);
	free(list);
	return status;
}

const struct verb verb_create = {
	.name = "create",
	.arguments = "IMAGE [SIZE]",
	.summary = "Make an empty image, or an overlay on a backing file",
	.description = "SIZE takes k, M, G, T; without it the image is as large as its backing "
		       "file. A file\n"
		       "that is there is replaced, unless it is in use. Options of -o:\n"
		       "  compat=1.1|0.10            version of the format (1.1)\n"
		       "  cluster_size=SIZE          512 to 2M (64k; 128k for an overlay)\n"
		       "  extended_l2=on|off         clusters in 32 parts that are copied one by "
		       "one\n"
		       "                             (off; on for an overlay, if no cluster_size "
		       "is given)\n"
		       "  refcount_bits=N            1 to 64 (16)\n"
		       "  lazy_refcounts=on|off      (off)\n"
		       "  compression_type=zlib|zstd (zlib)\n"
		       "  preallocation=off|metadata|falloc|full\n"
		       "                             storage from the start (off)\n"
		       "  size=, backing_file=, backing_fmt= say what SIZE, -b and -F say",
	.options = options,
	.complete = "file",
	.least = 1,
	.most = 2,
	.run = run,
};
