// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl snapshot: external snapshots of devices, internal ones of devices and images. */
#include "external.h"
#include "internal.h"
#include "verbs.h"

enum {
	OPT_INTERNAL = OPT_LONG
};

static const struct option_spec options[] = {
	{OPT_INTERNAL, "internal", NULL, "a snapshot inside the image", NULL},
	{'o', "option", "NAME=VALUE,...", "what the overlays shall be like, as for create", NULL},
	{'U', "force-share", NULL, "list: even if another program writes the image", NULL},
	{'J', "json", NULL, "list: JSON", NULL},
	{},
};

static int run(const struct args *args)
{
	if (args_has(args, OPT_INTERNAL)) {
		if (args_has(args, 'o'))
			return usage_error(args->verb, "snapshot: -o is for new overlays");
		return internal_run(args);
	}
	if (args_has(args, 'J') || args_has(args, 'U'))
		return usage_error(args->verb, "snapshot: -J and -U go with --internal list");
	if (args->nr % 2)
		return usage_error(args->verb,
				   "snapshot: \"%s\" lacks the FILE of its overlay; "
				   "snapshots inside an image want --internal",
				   args->word[args->nr - 1]);
	return external_take(args);
}

const struct verb verb_snapshot = {
	.name = "snapshot",
	.arguments = "NAME FILE [NAME FILE]...",
	.summary = "Take snapshots, outside or inside of images",
	.description =
		"Puts a new overlay FILE on top of each device, at one instant for all: all of\n"
		"them or none.\n"
		"\n"
		"       qcowctl snapshot --internal create|apply|delete NAME|IMAGE TAG\n"
		"       qcowctl snapshot --internal list [-J] [-U] NAME|IMAGE\n"
		"\n"
		"Snapshots inside the image of a device, or inside an image. TAG is the name; apply\n"
		"and delete take the id, too, and look for that first.",
	.options = options,
	.complete = "either",
	.least = 2,
	.most = -1,
	.run = run,
};
