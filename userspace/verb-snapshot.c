// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl snapshot: external snapshots of devices, internal ones of devices and images. */
#include <stdlib.h>
#include <string.h>

#include "external.h"
#include "internal.h"
#include "live.h"
#include "verbs.h"

/* An hour: more is a mistake. */
#define SECONDS_MOST 3600

enum {
	OPT_INTERNAL = OPT_LONG,
	OPT_TIMEOUT,
};

static const struct option_spec options[] = {
	{OPT_INTERNAL, "internal", NULL, "a snapshot inside the image", NULL},
	{'o', "option", "NAME=VALUE,...", "what the overlays shall be like, as for create", NULL},
	{OPT_TIMEOUT, "timeout", "SECONDS", "how long freezing and suspending may take; else 20",
	 NULL},
	{'U', "force-share", NULL, "list: even if another program writes the image", NULL},
	{'J', "json", NULL, "list: JSON", NULL},
	{},
};

static int parse_seconds(const char *text, unsigned int *seconds)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return -1;
	value = strtoul(text, &end, 10);
	if (*end || !value || value > SECONDS_MOST)
		return -1;
	*seconds = value;
	return 0;
}

static int run(const struct args *args)
{
	const char *timeout = args_value(args, OPT_TIMEOUT);
	unsigned int seconds = LIVE_SECONDS;

	if (timeout && parse_seconds(timeout, &seconds))
		return usage_error(args->verb,
				   "snapshot: --timeout takes 1 to %u seconds, not \"%s\"",
				   SECONDS_MOST, timeout);
	if (args_has(args, OPT_INTERNAL)) {
		if (args_has(args, 'o'))
			return usage_error(args->verb, "snapshot: -o is for new overlays");
		if (timeout && strcmp(args->word[0], "create"))
			return usage_error(args->verb, "snapshot: --timeout is for taking one");
		return internal_run(args, seconds);
	}
	if (args_has(args, 'J') || args_has(args, 'U'))
		return usage_error(args->verb, "snapshot: -J and -U go with --internal list");
	if (args->nr % 2)
		return usage_error(args->verb,
				   "snapshot: \"%s\" lacks the FILE of its overlay; "
				   "snapshots inside an image want --internal",
				   args->word[args->nr - 1]);
	return external_take(args, seconds);
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
