// SPDX-License-Identifier: GPL-2.0-only
#include <sys/stat.h>

#include "say.h"
#include "size.h"
#include "store.h"
#include "wish.h"

/* 128 KiB, of subclusters as large as most blocks and pages. */
#define OVERLAY_CLUSTER_BITS 17

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

int wish_set(struct wish *wish, const char *name, const char *value)
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

int wish_set_list(struct wish *wish, char *list)
{
	while (list) {
		char *name = next_word(&list), *value = strchr(name, '=');

		if (value)
			*value++ = '\0';
		if (*name && wish_set(wish, name, value))
			return -1;
	}
	return 0;
}

/*
 * An overlay is written in small pieces over what is below. With subclusters of 4 KiB
 * a first write copies nothing or little, and in clusters of 128 KiB the tables are no
 * larger than those of plain clusters of 64 KiB (see the manual). Who gives a cluster
 * size gets plain clusters, as from QEMU, unless subclusters are asked for.
 */
void wish_choose_for_overlay(struct wish *wish)
{
	struct new_image *image = &wish->image;

	if (!image->backing || image->version < 3 || wish->has_cluster_size)
		return;
	if (wish->has_extended_l2 && !image->extended_l2)
		return;
	image->extended_l2 = true;
	image->cluster_bits = OVERLAY_CLUSTER_BITS;
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

int wish_store(struct wish *wish, const char *path)
{
	struct image_plan plan;
	int ret;

	if (storage_of_device(path, &wish->image) || image_plan_make(&wish->image, &plan))
		return -1;
	ret = store_image(path, &plan);
	image_plan_free(&plan);
	return ret;
}

char *wish_list(const struct args *args)
{
	char *list = xstrdup(""), *longer;
	const char *value;
	int pos = 0;

	while ((value = args_next(args, 'o', &pos))) {
		longer = xasprintf("%s%s%s", list, *list ? "," : "", value);
		free(list);
		list = longer;
	}
	return list;
}
