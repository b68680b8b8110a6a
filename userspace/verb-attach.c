// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl attach: an image and its chain become a block device. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/map.h"
#include "dm.h"
#include "escape.h"
#include "say.h"
#include "size.h"
#include "table.h"
#include "verbs.h"
#include "walk.h"

enum {
	OPT_BACKING_FORMAT = OPT_LONG,
	OPT_ALLOW,
	OPT_MAP_LIMIT,
	OPT_CACHE_LIMIT,
	OPT_NO_LOCK,
	OPT_NOSPACE,
	OPT_LOW_WATER,
	OPT_PRINT_TABLE,
};

static const struct option_spec options[] = {
	{'n', "name", "NAME", "name of the device; otherwise the file's name without\nsuffix",
	 NULL},
	{'r', "read-only", NULL, "read only", NULL},
	{'f', "format", "FORMAT", "format of IMAGE: qcow2 (default) or raw", "qcow2 raw"},
	{OPT_BACKING_FORMAT, "backing-format", "FORMAT",
	 "format of backing files whose format no image gives", "qcow2 raw"},
	POLICY_OPTION(OPT_ALLOW),
	{OPT_MAP_LIMIT, "map-limit", "SIZE", "memory for the device's flattened map (16M)", NULL},
	{OPT_CACHE_LIMIT, "cache-limit", "SIZE", "memory for an image's metadata cache (2M)", NULL},
	{OPT_NO_LOCK, "no-lock", NULL, "do not take the locks by which QEMU knows images in use",
	 NULL},
	{OPT_NOSPACE, "nospace-timeout", "SECONDS",
	 "how long writes wait when there is no room (60);\n0: fail at once", NULL},
	{OPT_LOW_WATER, "low-water-mark", "SIZE",
	 "tell by an event when less room than this is left\nbelow the image", NULL},
	{OPT_PRINT_TABLE, "print-table", NULL, "print the table line instead of loading it", NULL},
	{},
};

/* A limit as the kernel wants it: "NAME:KIB", added to the table's options. */
static int add_limit(const struct args *args, int key, const char *name, u64 least, u64 most,
		     char **opts, size_t *nr)
{
	const char *value = args_value(args, key);
	uint64_t bytes;

	if (!value)
		return 0;
	if (size_parse(value, &bytes) || bytes < least || bytes > most)
		return usage_error(args->verb, "attach: \"%s\" is no size from %lluK to %lluM",
				   value, least >> 10, most >> 20);
	opts[(*nr)++] = xasprintf("%s:%llu", name, (u64)bytes >> 10);
	return 0;
}

/* How long writes wait for room, as the kernel wants it. */
static int add_seconds(const struct args *args, char **opts, size_t *nr)
{
	const char *value = args_value(args, OPT_NOSPACE);
	unsigned long seconds;
	char *end;

	if (!value)
		return 0;
	errno = 0;
	seconds = strtoul(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || seconds > 86400)
		return usage_error(args->verb, "attach: \"%s\" is no number of seconds up to 86400",
				   value);
	opts[(*nr)++] = xasprintf("nospace_timeout:%lu", seconds);
	return 0;
}

static int load(const struct args *args, const struct walk *walk, const char *table)
{
	const char *name = args_value(args, 'n');
	uint64_t sectors = walk->link[0].size >> Q2_SECTOR_BITS;
	char *wanted, *taken, *path;

	if (args_has(args, OPT_PRINT_TABLE)) {
		printf("0 %ju " DM_TARGET " %s\n", (uintmax_t)sectors, table);
		return STATUS_DONE;
	}
	wanted = name ? xstrdup(name) : escape_name_from(walk->link[0].place);
	taken = dm_attach(wanted, table, sectors, args_has(args, 'r'), !name);
	free(wanted);
	if (!taken)
		return STATUS_FAILED;
	path = dm_path(taken);
	puts(path);
	free(path);
	free(taken);
	return STATUS_DONE;
}

static int attach_chain(const struct args *args, struct policy *policy, char **opts, size_t nr)
{
	struct walk_options how = {
		.format = args_value(args, 'f'),
		.backing_format = args_value(args, OPT_BACKING_FORMAT),
		.policy = policy,
		.force_share = args_has(args, OPT_NO_LOCK),
	};
	struct walk *walk = walk_chain(args->word[0], &how);
	int status = STATUS_FAILED;
	char *table;

	if (!walk)
		return STATUS_FAILED;
	if (walk->link[0].size < Q2_SECTOR_SIZE) {
		say("%s is a disk of 0 bytes, and there is no block device of that size",
		    walk->link[0].path);
	} else {
		table = table_build(walk, args_has(args, 'r'), opts, nr);
		status = load(args, walk, table);
		free(table);
	}
	walk_free(walk);
	return status;
}

static int check_words(const struct args *args)
{
	const char *name = args_value(args, 'n');
	const char *format = args_value(args, OPT_BACKING_FORMAT);

	if (name && !escape_name_ok(name))
		return usage_error(args->verb,
				   "attach: \"%s\" is no device name: 1 to 127 letters, digits and "
				   "+ - . _",
				   name);
	if (format && walk_format_known("attach: --backing-format", format))
		return STATUS_USAGE;
	return 0;
}

static int run(const struct args *args)
{
	struct policy *policy;
	char *opts[5];
	size_t nr = 0;
	int status;

	status = check_words(args);
	if (!status)
		status = add_limit(args, OPT_MAP_LIMIT, "map_limit", Q2_MAP_MIN, Q2_MAP_MAX, opts,
				   &nr);
	if (!status)
		status = add_limit(args, OPT_CACHE_LIMIT, "cache_limit", Q2_CACHE_MIN, Q2_CACHE_MAX,
				   opts, &nr);
	if (!status)
		status = add_seconds(args, opts, &nr);
	if (!status)
		status = add_limit(args, OPT_LOW_WATER, "low_water_mark", 1 << 10, 1ULL << 60, opts,
				   &nr);
	if (!status) {
		if (args_has(args, OPT_NO_LOCK))
			opts[nr++] = xstrdup("no_lock");
		dm_setup();
		policy = policy_new(args, OPT_ALLOW);
		status = policy ? attach_chain(args, policy, opts, nr) : STATUS_FAILED;
		policy_free(policy);
	}
	while (nr)
		free(opts[--nr]);
	return status;
}

const struct verb verb_attach = {
	.name = "attach",
	.arguments = "IMAGE",
	.summary = "Make an image and its chain a block device",
	.description =
		"Prints the path of the device, /dev/mapper/NAME. Formats are never guessed. "
		"Backing\n"
		"files are taken from the directory tree of IMAGE and from those that are allowed.",
	.options = options,
	.complete = "file",
	.least = 1,
	.most = 1,
	.run = run,
};
