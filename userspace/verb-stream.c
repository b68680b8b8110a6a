// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl stream: pull what lies below a layer up into it. */
#include <stdlib.h>

#include "escape.h"
#include "job-start.h"
#include "layers.h"
#include "merge-files.h"
#include "offline.h"
#include "say.h"
#include "verbs.h"

enum {
	OPT_INTO = OPT_JOB_OWN,
	OPT_BASE,
	OPT_COPY_ON_READ,
};

static const struct option_spec options[] = {
	{OPT_INTO, "into", "LAYER", "layer that is filled; else the one written to", "file"},
	{OPT_BASE, "base", "LAYER", "layer that stays below it; else none does", "file"},
	{OPT_COPY_ON_READ, "copy-on-read", NULL, "device: first what is being read", NULL},
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

/* Is there anything between the two? @base: NULL: all that is below counts. */
static int check_layers(const char *name, char *const *path, size_t into, const size_t *base)
{
	if (base && *base >= into)
		return say("%s, layer %zu of %s, does not lie below layer %zu", path[*base], *base,
			   name, into);
	if (into == (base ? *base + 1 : 0))
		return say("there is nothing to pull up: %s lies right above %s", path[into],
			   base ? path[*base] : "nothing");
	return 0;
}

static int stream(const struct args *args, struct live *live)
{
	const char *into_word = args_value(args, OPT_INTO), *base_word = args_value(args, OPT_BASE);
	size_t into = live->table.nr_layers - 1, base, first;
	const size_t *below = base_word ? &base : NULL;
	char *message;
	int status;

	if (live_no_job(live) || live_writable(live) ||
	    (into_word && layers_find(live, into_word, &into)) ||
	    (base_word && layers_find(live, base_word, &base)) ||
	    check_layers(live->device.name, (char *const *)live->table.path, into, below))
		return STATUS_FAILED;
	message = build_message(&live->table, into, below);
	if (!message)
		return STATUS_FAILED;
	if (args_has(args, OPT_COPY_ON_READ)) {
		char *with = xasprintf("%s copy_on_read", message);

		free(message);
		message = with;
	}
	first = below ? base + 1 : 0;
	status = job_start(args, live, message, first, into - first);
	free(message);
	return status;
}

static int stream_files(const struct args *args, struct merge_files *files)
{
	const char *into_word = args_value(args, OPT_INTO), *base_word = args_value(args, OPT_BASE);
	size_t into = files->nr - 1, base, first;
	const size_t *below = base_word ? &base : NULL;

	if ((into_word && merge_files_find(files, into_word, &into)) ||
	    (base_word && merge_files_find(files, base_word, &base)) ||
	    check_layers(args->word[0], files->path, into, below))
		return -1;
	if (merge_files_hold(files, into, into) || merge_files_no_snapshots(files, into, into) ||
	    merge_files_stream(files, into, below))
		return -1;
	first = below ? base + 1 : 0;
	return merge_files_done(files, first, into - first);
}

static int run(const struct args *args)
{
	if (args_has(args, OPT_COPY_ON_READ) && !is_device_meant(args->word[0]))
		return usage_error(args->verb,
				   "stream: --copy-on-read is for devices, and %s is an image",
				   args->word[0]);
	return job_run(args, stream, stream_files);
}

const struct verb verb_stream = {
	.name = "stream",
	.arguments = "NAME|IMAGE",
	.summary = "Pull what lies below a layer of a chain up into it",
	.description =
		"LAYER is a file of the chain or its number, from 0, the base, as \"qcowctl status\"\n"
		"shows it. A device stays in use; an image must not be in use. A signal ends it;\n"
		"what was copied by then stays copied.",
	.options = options,
	.complete = "either",
	.least = 1,
	.most = 1,
	.run = run,
};
