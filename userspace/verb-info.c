// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl info: what an image says of itself, or all images of its chain. */
#include <limits.h>

#include "image-info.h"
#include "json.h"
#include "say.h"
#include "verbs.h"
#include "walk.h"

enum {
	OPT_CHAIN = OPT_LONG,
	OPT_BACKING_FORMAT,
	OPT_ALLOW
};

static const struct option_spec options[] = {
	{OPT_CHAIN, "chain", NULL, "the whole chain, the top first", NULL},
	{'f', "format", "FORMAT", "format of IMAGE: qcow2 (default) or raw", "qcow2 raw"},
	{OPT_BACKING_FORMAT, "backing-format", "FORMAT",
	 "format of backing files whose format no image gives", "qcow2 raw"},
	POLICY_OPTION(OPT_ALLOW),
	{'U', "force-share", NULL, "read it even if another program writes it", NULL},
	{'J', "json", NULL, "JSON", NULL},
	{},
};

/* What QEMU calls the image below: the name above it, told from where that one is. */
static char *name_below(struct json_object *info, const struct link *link)
{
	struct json_object *name;

	if (json_object_object_get_ex(info, "full-backing-filename", &name) &&
	    json_object_get_string_len(name) < PATH_MAX)
		return xstrdup(json_object_get_string(name));
	return xstrdup(link->path);
}

static int collect(const struct walk *walk, bool force_share, struct json_object *list)
{
	char *name = xstrdup(walk->link[0].named);
	struct json_object *info = NULL;
	unsigned int i;

	for (i = 0; i < walk->nr; i++) {
		const struct link *link = &walk->link[i];

		if (i) {
			free(name);
			name = name_below(info, link);
		}
		info = image_info(name, link->path, link->raw, force_share);
		if (!info)
			break;
		json_object_array_add(list, info);
	}
	free(name);
	return info ? 0 : -1;
}

static int show_chain(const struct args *args, const struct walk *walk)
{
	struct json_object *list = json_object_new_array();
	unsigned int i;

	if (collect(walk, args_has(args, 'U'), list)) {
		json_object_put(list);
		return STATUS_FAILED;
	}
	if (args_has(args, 'J')) {
		json_print(list);
		return STATUS_DONE;
	}
	for (i = 0; i < walk->nr; i++) {
		if (i)
			putchar('\n');
		image_info_print(json_object_array_get_idx(list, i));
	}
	json_object_put(list);
	return STATUS_DONE;
}

static int run_chain(const struct args *args)
{
	struct walk_options how = {
		.format = args_value(args, 'f'),
		.backing_format = args_value(args, OPT_BACKING_FORMAT),
		.force_share = args_has(args, 'U'),
		.header_only = true,
	};
	int status = STATUS_FAILED;
	struct walk *walk;

	how.policy = policy_new(args, OPT_ALLOW);
	if (!how.policy)
		return STATUS_FAILED;
	walk = walk_chain(args->word[0], &how);
	if (walk)
		status = show_chain(args, walk);
	walk_free(walk);
	policy_free(how.policy);
	return status;
}

static int run(const struct args *args)
{
	const char *format = args_value(args, 'f');
	struct json_object *info;

	if (format && walk_format_known("info", format))
		return STATUS_USAGE;
	if (args_has(args, OPT_CHAIN))
		return run_chain(args);
	info = image_info(args->word[0], args->word[0], format && !strcmp(format, "raw"),
			  args_has(args, 'U'));
	if (!info)
		return STATUS_FAILED;
	if (args_has(args, 'J')) {
		json_print(info);
	} else {
		image_info_print(info);
		json_object_put(info);
	}
	return STATUS_DONE;
}

const struct verb verb_info = {
	.name = "info",
	.arguments = "IMAGE",
	.summary = "Show what an image says of itself",
	.description = "The words and JSON keys are those of qemu-img info.",
	.options = options,
	.complete = "file",
	.least = 1,
	.most = 1,
	.run = run,
};
