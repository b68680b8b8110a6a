// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl create: an empty image, or an empty overlay. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bare.h"
#include "new-image.h"
#include "say.h"
#include "size.h"
#include "store.h"
#include "verbs.h"
#include "walk.h"

static const struct option_spec options[] = {
	{'b', "backing", "BACKING", "backing file, relative to the directory of IMAGE", "file"},
	{'F', "backing-format", "FORMAT", "its format, which is needed: qcow2 or raw", "qcow2 raw"},
	{'o', "option", "NAME=VALUE,...", "what the image shall be like", NULL},
	{'u', "unsafe", NULL, "do not look at the backing file; SIZE is needed then", NULL},
	{},
};

/* 128 KiB, of subclusters as large as most blocks and pages. */
#define OVERLAY_CLUSTER_BITS 17

/* What -o and the arguments ask for. */
struct wish {
	struct new_image image;
	bool has_size;
	bool has_cluster_size;
	bool has_extended_l2;
};

/**
 * struct image_option - one that -o knows
 * @name: before the =
 * @set: takes the value. Return: 0, or -1 if it is not one of @values
 * @values: for the sentence
 */
struct image_option {
	const char *name;
	int (*set)(struct wish *wish, const char *value);
	const char *values;
};

static int set_bool(bool *where, const char *value)
{
	static const char *const yes[] = {"on", "yes", "true", "y"};
	static const char *const no[] = {"off", "no", "false", "n"};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		*where = !strcmp(value, yes[i]);
		if (*where || !strcmp(value, no[i]))
			return 0;
	}
	return -1;
}

static int set_version(struct wish *wish, const char *value)
{
	if (!strcmp(value, "0.10") || !strcmp(value, "v2") || !strcmp(value, "2"))
		wish->image.version = 2;
	else if (!strcmp(value, "1.1") || !strcmp(value, "v3") || !strcmp(value, "3"))
		wish->image.version = 3;
	else
		return -1;
	return 0;
}

static int set_cluster_size(struct wish *wish, const char *value)
{
	uint64_t bytes;

	if (size_parse(value, &bytes) || !is_power_of_2(bytes) || bytes > 1ULL << 31)
		return -1;
	wish->image.cluster_bits = ilog2(bytes);
	wish->has_cluster_size = true;
	return 0;
}

static int set_refcount_bits(struct wish *wish, const char *value)
{
	uint64_t bits;

	if (size_parse(value, &bits) || !is_power_of_2(bits) || bits > 64)
		return -1;
	wish->image.refcount_order = ilog2(bits);
	return 0;
}

static int set_lazy_refcounts(struct wish *wish, const char *value)
{
	return set_bool(&wish->image.lazy_refcounts, value);
}

static int set_extended_l2(struct wish *wish, const char *value)
{
	wish->has_extended_l2 = true;
	return set_bool(&wish->image.extended_l2, value);
}

static int set_compression_type(struct wish *wish, const char *value)
{
	if (!strcmp(value, "zlib"))
		wish->image.compression_type = Q2_COMPRESSION_DEFLATE;
	else if (!strcmp(value, "zstd"))
		wish->image.compression_type = Q2_COMPRESSION_ZSTD;
	else
		return -1;
	return 0;
}

static int set_size(struct wish *wish, const char *value)
{
	uint64_t bytes;

	if (size_parse(value, &bytes) || bytes > INT64_MAX - Q2_SECTOR_SIZE)
		return -1;
	wish->image.size = round_up(bytes, (uint64_t)Q2_SECTOR_SIZE);
	wish->has_size = true;
	return 0;
}

static int set_backing(struct wish *wish, const char *value)
{
	wish->image.backing = value;
	return *value && strlen(value) <= Q2_MAX_BACKING_NAME ? 0 : -1;
}

static int set_backing_format(struct wish *wish, const char *value)
{
	wish->image.backing_format = value;
	return strcmp(value, "qcow2") && strcmp(value, "raw") ? -1 : 0;
}

static int set_preallocation(struct wish *wish, const char *value)
{
	static const char *const names[] = {
		[PREALLOC_OFF] = "off",
		[PREALLOC_METADATA] = "metadata",
		[PREALLOC_FALLOC] = "falloc",
		[PREALLOC_FULL] = "full",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		wish->image.preallocation = i;
		if (!strcmp(value, names[i]))
			return 0;
	}
	return -1;
}

static const struct image_option image_options[] = {
	{"compat", set_version, "0.10 or 1.1"},
	{"version", set_version, "2 or 3"},
	{"cluster_size", set_cluster_size, "a power of two from 512 to 2M"},
	{"refcount_bits", set_refcount_bits, "1, 2, 4, 8, 16, 32 or 64"},
	{"lazy_refcounts", set_lazy_refcounts, "on or off"},
	{"extended_l2", set_extended_l2, "on or off"},
	{"compression_type", set_compression_type, "zlib or zstd"},
	{"preallocation", set_preallocation, "off, metadata, falloc or full"},
	{"size", set_size, "a size like 10G"},
	{"backing_file", set_backing, "a name of 1 to 1023 bytes"},
	{"backing_fmt", set_backing_format, "qcow2 or raw"},
};

static int set_option(struct wish *wish, const char *name, const char *value)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(image_options); i++) {
		const struct image_option *option = &image_options[i];

		if (strcmp(option->name, name))
			continue;
		if (value && !option->set(wish, value))
			return 0;
		return say("-o %s must be %s%s%s", name, option->values, value ? ", not " : "",
			   value ? value : "");
	}
	if (!strncmp(name, "encrypt", 7))
		return say("-o %s: encrypted images are not served yet", name);
	if (!strncmp(name, "data_file", 9))
		return say("-o %s: external data files are not served yet", name);
	return say("there is no option -o %s; \"qcowctl create --help\" lists them", name);
}

/* Cut the next word off a list in place: up to a comma, of two commas one stays. */
static char *next_word(char **list)
{
	char *word = *list, *in = word, *out = word;

	while (*in && (*in != ',' || in[1] == ',')) {
		in += *in == ',';
		*out++ = *in++;
	}
	*list = *in ? in + 1 : NULL;
	*out = '\0';
	return word;
}

/* @list is taken apart in place; the wish points into it. */
static int set_options(struct wish *wish, char *list)
{
	while (list) {
		char *name = next_word(&list), *value = strchr(name, '=');

		if (value)
			*value++ = '\0';
		if (*name && set_option(wish, name, value))
			return -1;
	}
	return 0;
}

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

/*
 * An overlay is written in small pieces over what is below. With subclusters of 4 KiB
 * a first write copies nothing or little, and in clusters of 128 KiB the tables are no
 * larger than those of plain clusters of 64 KiB (see the manual). Who gives a cluster
 * size gets plain clusters, as from QEMU, unless subclusters are asked for.
 */
static void choose_for_overlay(struct wish *wish)
{
	struct new_image *image = &wish->image;

	if (!image->backing || image->version < 3 || wish->has_cluster_size)
		return;
	if (wish->has_extended_l2 && !image->extended_l2)
		return;
	image->extended_l2 = true;
	image->cluster_bits = OVERLAY_CLUSTER_BITS;
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

/* A block device holds old bytes: clusters that have storage on it must not show them. */
static int storage_of_device(const char *path, struct new_image *image)
{
	struct stat st;

	if (image->preallocation != PREALLOC_METADATA || stat(path, &st) || !S_ISBLK(st.st_mode))
		return 0;
	if (image->version < 3)
		return say("%s: preallocation=metadata on a block device needs compat=1.1, whose "
			   "clusters can read zeroes whatever the device holds",
			   path);
	image->zero_flags = true;
	return 0;
}

static int create(const struct args *args, struct wish *wish)
{
	struct image_plan plan;
	int ret;

	if (wish->image.backing && !args_has(args, 'u') && look_at_backing(wish, args->word[0]))
		return STATUS_FAILED;
	if (storage_of_device(args->word[0], &wish->image))
		return STATUS_FAILED;
	if (image_plan_make(&wish->image, &plan))
		return STATUS_FAILED;
	ret = store_image(args->word[0], &plan);
	image_plan_free(&plan);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

/* Everything the command line says, -o lists first. */
static int read_wish(const struct args *args, struct wish *wish, char *list)
{
	const char *backing = args_value(args, 'b'), *format = args_value(args, 'F');

	if (set_options(wish, list) || (backing && set_option(wish, "backing_file", backing)) ||
	    (format && set_option(wish, "backing_fmt", format)))
		return -1;
	if (args->nr < 2)
		return 0;
	if (wish->has_size)
		return say("the size is given twice");
	return set_option(wish, "size", args->word[1]);
}

static int run(const struct args *args)
{
	struct wish wish = {
		.image = {.version = 3, .cluster_bits = 16, .refcount_order = 4},
	};
	char *list = xstrdup(""), *longer;
	const char *value;
	int pos = 0, status;

	while ((value = args_next(args, 'o', &pos))) {
		longer = xasprintf("%s%s%s", list, *list ? "," : "", value);
		free(list);
		list = longer;
	}
	status = read_wish(args, &wish, list) ? STATUS_USAGE : check_wish(args, &wish);
	choose_for_overlay(&wish);
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
