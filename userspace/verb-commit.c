// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl commit: merge layers down into one below them. */
#include <stdlib.h>

#include "escape.h"
#include "job-start.h"
#include "layers.h"
#include "offline.h"
#include "say.h"
#include "verbs.h"

enum {
	OPT_TOP = OPT_JOB_OWN,
	OPT_BASE,
};

static const struct option_spec options[] = {
	{OPT_TOP, "top", "LAYER", "highest layer that is merged; else the one written to", "file"},
	{OPT_BASE, "base", "LAYER", "layer that it is merged into; else the lowest", "file"},
	JOB_OPTIONS,
	{},
};

/* "commit TOP BASE [NEWNAME NEWFORMAT]"; NULL after having said why there is none. */
static char *build_message(const struct table *table, size_t top, size_t base)
{
	char *top_word = escape_table(table->path[top]);
	char *base_word = escape_table(table->path[base]), *name = NULL, *word, *text = NULL;
	/* Of the active layer the layers between are merged first, so it has a new one below. */
	size_t over = top + 1 < table->nr_layers ? top + 1 : top;

	if (over == base + 1) {
		text = xasprintf("commit %s %s", top_word, base_word);
	} else {
		name = layers_name(table->path[over], table->path[base]);
		if (name) {
			word = escape_table(name);
			text = xasprintf("commit %s %s %s %s", top_word, base_word, word,
					 table->format[base]);
			free(word);
		}
	}
	free(name);
	free(top_word);
	free(base_word);
	return text;
}

static int commit(const struct args *args, struct live *live)
{
	const char *top_word = args_value(args, OPT_TOP), *base_word = args_value(args, OPT_BASE);
	size_t top = live->table.nr_layers - 1, base = 0;
	char *message;
	int status;

	if (live_no_job(live) || live_writable(live) ||
	    (top_word && layers_find(live, top_word, &top)) ||
	    (base_word && layers_find(live, base_word, &base)))
		return STATUS_FAILED;
	if (!top) {
		say("%s has nothing below it to merge it into", live->table.path[top]);
		return STATUS_FAILED;
	}
	if (base >= top) {
		say("%s, layer %zu of %s, does not lie below layer %zu", live->table.path[base],
		    base, live->device.name, top);
		return STATUS_FAILED;
	}
	message = build_message(&live->table, top, base);
	if (!message)
		return STATUS_FAILED;
	status = job_start(args, live, message, base + 1, top - base);
	free(message);
	return status;
}

static int run(const struct args *args)
{
	struct live live;
	int status = job_check_options(args);

	if (status)
		return status;
	dm_setup();
	if (attached_only(args->word[0]))
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (!live_open(args->word[0], args->verb->name, &live))
		status = commit(args, &live);
	live_close(&live);
	return status;
}

const struct verb verb_commit = {
	.name = "commit",
	.arguments = "NAME",
	.summary = "Merge layers of a device's chain down into one below",
	.description =
		"LAYER is a file of the chain or its number in \"qcowctl status\". The device\n"
		"stays in use. A signal ends the job; what was merged by then stays merged.",
	.options = options,
	.complete = "device",
	.least = 1,
	.most = 1,
	.run = run,
};
