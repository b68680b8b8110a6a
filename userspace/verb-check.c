// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl check: is the image whole? Words and exit status of qemu-img check. */
#include <stdio.h>

#include "check.h"
#include "json.h"
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
	{'r', "repair", "leaks|all", NULL, NULL},
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
	add(object, "total-clusters", res->total_clusters);
	add(object, "allocated-clusters", res->allocated_clusters);
	add(object, "fragmented-clusters", res->fragmented_clusters);
	add(object, "compressed-clusters", res->compressed_clusters);
	json_print(object);
}

static void print_text(const struct check_result *res)
{
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

static int run(const struct args *args)
{
	struct check_result res;
	const char *memory = args_value(args, OPT_MEMORY);
	uint64_t bytes = CHECK_MEMORY;
	struct bare bare;
	int ret;

	if (memory && (size_parse(memory, &bytes) || bytes < CHECK_MEMORY_LEAST))
		return usage_error(args->verb, "check: \"%s\" is no size of 4K or more", memory);
	if (args_has(args, 'r')) {
		say("repairing comes with writing and is not served yet; qemu-img check -r does it "
		    "while the image is not attached");
		return CHECK_FAILED;
	}
	ret = bare_open(args->word[0], args_has(args, 'U'), &bare);
	if (ret)
		return ret == BARE_FOREIGN ? CHECK_FOREIGN : CHECK_FAILED;
	ret = check_image(&bare, bytes, &res);
	bare_close(&bare);
	if (ret)
		return CHECK_FAILED;
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
