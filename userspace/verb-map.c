// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl map: where the bytes of a disk lie. */
#include <stdio.h>

#include "block-map.h"
#include "escape.h"
#include "json.h"
#include "say.h"
#include "verbs.h"

enum {
	OPT_BACKING_FORMAT = OPT_LONG,
	OPT_ALLOW
};

static const struct option_spec options[] = {
	{'f', "format", "FORMAT", "format of IMAGE: qcow2 (default) or raw", "qcow2 raw"},
	{OPT_BACKING_FORMAT, "backing-format", "FORMAT",
	 "format of backing files whose format no image gives", "qcow2 raw"},
	POLICY_OPTION(OPT_ALLOW),
	{'U', "force-share", NULL, "read it even if another program writes it", NULL},
	{'J', "json", NULL, "JSON", NULL},
	{},
};

/* One line a run: the array is never whole in memory. */
static void tell_json(const struct block_run *run, void *context)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "start", json_number(run->start));
	json_object_object_add(object, "length", json_number(run->length));
	json_object_object_add(object, "depth", json_number(run->depth));
	json_object_object_add(object, "present", json_object_new_boolean(run->present));
	json_object_object_add(object, "zero", json_object_new_boolean(run->zero));
	json_object_object_add(object, "data", json_object_new_boolean(run->data));
	json_object_object_add(object, "compressed", json_object_new_boolean(run->compressed));
	if (run->has_offset) {
		json_object_object_add(object, "offset", json_number(run->offset));
		json_object_object_add(object, "filename", json_text(run->file));
	}
	if (run->start)
		puts(",");
	json_print_line(object);
}

static void tell_text(const struct block_run *run, void *context)
{
	if (!run->data || run->zero)
		return;
	printf("%#-16llx%#-16llx", run->start, run->length);
	if (run->has_offset) {
		printf("%#-16llx", run->offset);
		escape_put(stdout, run->file);
		putchar('\n');
	} else {
		puts("compressed");
	}
}

static int map(const struct args *args, const struct walk *walk)
{
	int ret;

	if (args_has(args, 'J')) {
		putchar('[');
		ret = block_map(walk, tell_json, NULL);
		puts("]");
	} else {
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
		ret = block_map(walk, tell_text, NULL);
	}
	return ret ? STATUS_FAILED : STATUS_DONE;
}

static int run(const struct args *args)
{
	struct walk_options how = {
		.format = args_value(args, 'f'),
		.backing_format = args_value(args, OPT_BACKING_FORMAT),
		.force_share = args_has(args, 'U'),
		.keep = true,
	};
	int status = STATUS_FAILED;
	struct walk *walk;

	how.policy = policy_new(args, OPT_ALLOW);
	if (!how.policy)
		return STATUS_FAILED;
	walk = walk_chain(args->word[0], &how);
	if (walk)
		status = map(args, walk);
	walk_free(walk);
	policy_free(how.policy);
	return status;
}

const struct verb verb_map = {
	.name = "map",
	.arguments = "IMAGE",
	.summary = "Show where the bytes of a disk lie, layer by layer",
	.description =
		"Columns and JSON keys are those of qemu-img map; \"depth\" counts from the top.",
	.options = options,
	.complete = "file",
	.least = 1,
	.most = 1,
	.run = run,
};
