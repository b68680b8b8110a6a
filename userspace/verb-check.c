// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl check: is the image whole? Words and exit status of qemu-img check. */
#include <stdio.h>

#include "check.h"
#include "json.h"
#include "repair.h"
#include "say.h"
#include "size.h"
#include "verbs.h"

enum {
	CHECK_CLEAN = 0,
	CHECK_FAILED = 1,
	CHECK_CORRUPT = 2,
	CHECK_LEAKS = 3,
	CHECK_FOREIGN = 63
};

enum {
	OPT_MEMORY = OPT_LONG
};

static const struct option_spec options[] = {
	{OPT_MEMORY, "memory", "SIZE",
	 "memory for counting references (128M); with less, an image\nwith many clusters is walked "
	 "more often",
	 NULL},
	{'U', "force-share", NULL, "check it even if another program writes it", NULL},
	{'J', "json", NULL, "JSON", NULL},
	{'r', "repair", "leaks|all", "mend what can be mended: leaks alone, or all", "leaks all"},
	{},
};

static void add(struct json_object *object, const char *key, u64 number)
{
	if (number)
		json_object_object_add(object, key, json_number(number));
}

static void print_json(const char *path, const struct check_result *res)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "filename", json_text(path));
	json_object_object_add(object, "format", json_text("qcow2"));
	json_object_object_add(object, "check-errors", json_number(res->errors));
	add(object, "image-end-offset", res->end_offset);
	add(object, "corruptions", res->corruptions);
	add(object, "leaks", res->leaks);
	add(object, "corruptions-fixed", res->corruptions_fixed);
	add(object, "leaks-fixed", res->leaks_fixed);
	add(object, "total-clusters", res->total_clusters);
	add(object, "allocated-clusters", res->allocated_clusters);
	add(object, "fragmented-clusters", res->fragmented_clusters);
	add(object, "compressed-clusters", res->compressed_clusters);
	json_print(object);
}

static void print_text(const struct check_result *res)
{
	if (res->corruptions_fixed || res->leaks_fixed)
		printf("The following inconsistencies were found and repaired:\n\n"
		       "    %llu leaked clusters\n"
		       "    %llu corruptions\n\n"
		       "Double checking the fixed image now...\n",
		       res->leaks_fixed, res->corruptions_fixed);
	if (!res->corruptions && !res->leaks && !res->errors)
		puts("No errors were found on the image.");
	if (res->corruptions)
		printf("\n%llu errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image may corrupt it.\n",
		       res->corruptions);
	if (res->leaks)
		printf("\n%llu leaked clusters were found on the image.\n"
		       "This means waste of disk space, but no harm to data.\n",
		       res->leaks);
	if (res->errors)
		printf("\n%llu internal errors have occurred during the check.\n", res->errors);
	if (res->total_clusters && res->allocated_clusters)
		printf("%llu/%llu = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed "
		       "clusters\n",
		       res->allocated_clusters, res->total_clusters,
		       res->allocated_clusters * 100.0 / res->total_clusters,
		       res->fragmented_clusters * 100.0 / res->allocated_clusters,
		       res->compressed_clusters * 100.0 / res->allocated_clusters);
	if (res->end_offset)
		printf("Image end offset: %llu\n", res->end_offset);
}

/* Check, and repair if that is wanted. Return: the exit status if it came to no end, or 0. */
static int check(const struct args *args, uint64_t memory, enum repair fix,
		 struct check_result *res)
{
	struct bare bare;
	int ret = fix ? bare_open_write(args->word[0], &bare)
		      : bare_open(args->word[0], args_has(args, 'U'), &bare);

	if (ret)
		return ret == BARE_FOREIGN ? CHECK_FOREIGN : CHECK_FAILED;
	ret = fix ? repair_image(&bare, memory, fix, res) : check_image(&bare, memory, res);
	bare_close(&bare);
	return ret ? CHECK_FAILED : 0;
}

static int run(const struct args *args)
{
	const char *memory = args_value(args, OPT_MEMORY), *what = args_value(args, 'r');
	enum repair fix = REPAIR_NOTHING;
	uint64_t bytes = CHECK_MEMORY;
	struct check_result res;
	int ret;

	if (memory && (size_parse(memory, &bytes) || bytes < CHECK_MEMORY_LEAST))
		return usage_error(args->verb, "check: \"%s\" is no size of 4K or more", memory);
	if (what)
		fix = strcmp(what, "all") ? REPAIR_LEAKS : REPAIR_ALL;
	if (fix == REPAIR_LEAKS && strcmp(what, "leaks"))
		return usage_error(args->verb, "check: -r takes leaks or all, not \"%s\"", what);
	if (fix && args_has(args, 'U'))
		return usage_error(args->verb, "check: -r is not for an image that another program "
					       "uses: no -U with it");
	ret = check(args, bytes, fix, &res);
	if (ret)
		return ret;
	fflush(stderr);
	if (args_has(args, 'J'))
		print_json(args->word[0], &res);
	else
		print_text(&res);
	return res.errors	 ? CHECK_FAILED
	       : res.corruptions ? CHECK_CORRUPT
	       : res.leaks	 ? CHECK_LEAKS
				 : CHECK_CLEAN;
}

const struct verb verb_check = {
	.name = "check",
	.arguments = "IMAGE",
	.summary = "Check the refcounts and tables of an image",
	.description = "Exit status as of qemu-img check: 0 clean, 1 the check failed, 2 "
		       "corruptions, 3 leaked\n"
		       "clusters and nothing worse, 63 not a qcow2 image.",
	.options = options,
	.complete = "file",
	.least = 1,
	.most = 1,
	.usage_status = CHECK_FAILED,
	.run = run,
};
