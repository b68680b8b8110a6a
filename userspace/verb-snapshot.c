// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl snapshot: internal snapshots of an image that is not attached. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "image-info.h"
#include "image/snapshotting.h"
#include "json.h"
#include "offline.h"
#include "say.h"
#include "verbs.h"
#include "walk.h"

enum {
	OPT_INTERNAL = OPT_LONG
};

static const struct option_spec options[] = {
	{OPT_INTERNAL, "internal", NULL, "snapshots inside the image", NULL},
	{'U', "force-share", NULL, "list: even if another program writes the image", NULL},
	{'J', "json", NULL, "list: JSON", NULL},
	{},
};

static int list(const struct args *args, const char *path)
{
	struct json_object *info, *snapshots;

	info = image_info(path, path, false, args_has(args, 'U'));
	if (!info)
		return STATUS_FAILED;
	if (args_has(args, 'J')) {
		snapshots = json_object_object_get(info, "snapshots");
		json_print(snapshots ? json_object_get(snapshots) : json_object_new_array());
	} else {
		image_info_print_snapshots(info);
	}
	json_object_put(info);
	return STATUS_DONE;
}

static int create(struct q2_image *img, const char *name, struct q2_err *err)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return q2_image_snapshot_create(img, name, now.tv_sec, now.tv_nsec, err);
}

static const struct action {
	const char *name;
	int (*run)(struct q2_image *img, const char *tag, struct q2_err *err);
} actions[] = {
	{"create", create},
	{"apply", q2_image_snapshot_apply},
	{"delete", q2_image_snapshot_delete},
};

static int change(const struct action *action, const char *path, const char *tag)
{
	struct walk_options how = {.write = true, .top_only = true, .keep = true};
	struct walk *walk = walk_chain(path, &how);
	struct q2_err err = {""};
	int ret;

	if (!walk)
		return STATUS_FAILED;
	ret = action->run(walk->link[0].img, tag, &err);
	if (ret)
		say("%s: %s", path, *err.text ? err.text : strerror(-ret));
	walk_free(walk);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

static int run(const struct args *args)
{
	const char *what = args->word[0];
	size_t i;

	if (!args_has(args, OPT_INTERNAL)) {
		say("snapshots outside of the image are not served yet; --internal takes one inside");
		return STATUS_FAILED;
	}
	if (offline_only(args->word[1]))
		return STATUS_FAILED;
	if (!strcmp(what, "list")) {
		if (args->nr > 2)
			return usage_error(args->verb, "snapshot: list takes no TAG");
		return list(args, args->word[1]);
	}
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(what, actions[i].name))
			continue;
		if (args->nr < 3)
			return usage_error(args->verb, "snapshot: %s needs a TAG", what);
		return change(&actions[i], args->word[1], args->word[2]);
	}
	return usage_error(args->verb, "snapshot: \"%s\" is none of create, apply, delete, list",
			   what);
}

const struct verb verb_snapshot = {
	.name = "snapshot",
	.arguments = "create|apply|delete|list IMAGE [TAG]",
	.summary = "Take snapshots inside an image, go back to them, drop them",
	.description = "TAG is the name of the snapshot; apply and delete take its id, too, and\n"
		       "look for that first. IMAGE must not be in use.",
	.options = options,
	.complete = "file",
	.least = 2,
	.most = 3,
	.run = run,
};
