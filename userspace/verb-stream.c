// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl stream: pull what lies below a layer up into it. */
#include <stdlib.h>

#include "escape.h"
#include "job-start.h"
#include "layers.h"
#include "offline.h"
#include "say.h"
#include "verbs.h"

enum {
	OPT_INTO = OPT_JOB_OWN,
	OPT_BASE,
};

static const struct option_spec options[] = {
	{OPT_INTO, "into", "LAYER", "layer that is filled; else the one written to", "file"},
	{OPT_BASE, "base", "LAYER", "layer that stays below it; else none does", "file"},
	JOB_OPTIONS,
	{},
};

/* "stream INTO [BASE NEWNAME NEWFORMAT]"; NULL after having said why there is none. */
static char *build_message(const struct table *table, size_t into, const size_t *base)
{
	char *into_word = escape_table(table->path[into]), *base_word, *name, *word, *text = NULL;

	if (!base) {
		text = xasprintf("stream %s", into_word);
		free(into_word);
		return text;
	}
	name = layers_name(table->path[into], table->path[*base]);
	if (name) {
		base_word = escape_table(table->path[*base]);
		word = escape_table(name);
		text = xasprintf("stream %s %s %s %s", into_word, base_word, word,
				 table->format[*base]);
		free(base_word);
		free(word);
	}
	free(name);
	free(into_word);
	return text;
}

static int stream(const struct args *args, struct live *live)
{
	const char *into_word = args_value(args, OPT_INTO), *base_word = args_value(args, OPT_BASE);
	size_t into = live->table.nr_layers - 1, base, first = 0;
	char *message;
	int status;

	if (live_no_job(live) || live_writable(live) ||
	    (into_word && layers_find(live, into_word, &into)) ||
	    (base_word && layers_find(live, base_word, &base)))
		return STATUS_FAILED;
	if (base_word) {
		if (base >= into) {
			say("%s, layer %zu of %s, does not lie below layer %zu",
			    live->table.path[base], base, live->device.name, into);
			return STATUS_FAILED;
		}
		first = base + 1;
	}
	if (first >= into) {
		say("there is nothing to pull up: %s lies right above %s", live->table.path[into],
		    base_word ? live->table.path[base] : "nothing");
		return STATUS_FAILED;
	}
	message = build_message(&live->table, into, base_word ? &base : NULL);
	if (!message)
		return STATUS_FAILED;
	status = job_start(args, live, message, first, into - first);
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
		status = stream(args, &live);
	live_close(&live);
	return status;
}

const struct verb verb_stream = {
	.name = "stream",
	.arguments = "NAME",
	.summary = "Pull what lies below a layer of a device's chain up into it",
	.description =
		"LAYER is a file of the chain or its number in \"qcowctl status\". The device\n"
		"stays in use. A signal ends the job; what was copied by then stays copied.",
	.options = options,
	.complete = "device",
	.least = 1,
	.most = 1,
	.run = run,
};
