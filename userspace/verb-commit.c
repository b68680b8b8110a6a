// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl commit: merge layers down into one below them. */
#include <stdio.h>
#include <stdlib.h>

#include "escape.h"
#include "job-start.h"
#include "layers.h"
#include "merge-files.h"
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

/* Does the base lie below the top, and is there one? */
static int check_layers(const char *name, char *const *path, size_t top, size_t base)
{
	if (!top)
		return say("%s has nothing below it to merge it into", path[top]);
	if (base >= top)
		return say("%s, layer %zu of %s, does not lie below layer %zu", path[base], base,
			   name, top);
	return 0;
}

static int commit(const struct args *args, struct live *live)
{
	const char *top_word = args_value(args, OPT_TOP), *base_word = args_value(args, OPT_BASE);
	size_t top = live->table.nr_layers - 1, base = 0;
	char *message;
	int status;

	if (live_no_job(live) || live_writable(live) ||
	    (top_word && layers_find(live, top_word, &top)) ||
	    (base_word && layers_find(live, base_word, &base)) ||
	    check_layers(live->device.name, (char *const *)live->table.path, top, base))
		return STATUS_FAILED;
	message = build_message(&live->table, top, base);
	if (!message)
		return STATUS_FAILED;
	status = job_start(args, live, message, base + 1, top - base);
	free(message);
	return status;
}

static int commit_files(const struct args *args, struct merge_files *files)
{
	const char *top_word = args_value(args, OPT_TOP), *base_word = args_value(args, OPT_BASE);
	size_t last = files->nr - 1, top = last, base = 0;
	int ret;

	if ((top_word && merge_files_find(files, top_word, &top)) ||
	    (base_word && merge_files_find(files, base_word, &base)) ||
	    check_layers(args->word[0], files->path, top, base))
		return -1;
	if (merge_files_hold(files, base, min(top + 1, last)) ||
	    merge_files_no_snapshots(files, base + 1, top) || merge_files_commit(files, top, base))
		return -1;
	ret = merge_files_done(files, base + 1, top - base);
	if (top == last) {
		fputs("from now on the disk is: ", stdout);
		escape_put(stdout, files->path[base]);
		putchar('\n');
	}
	return ret;
}

static int run(const struct args *args)
{
	return job_run(args, commit, commit_files);
}

const struct verb verb_commit = {
	.name = "commit",
	.arguments = "NAME|IMAGE",
	.summary = "Merge layers of a chain down into one below",
	.description =
		"LAYER is a file of the chain or its number, from 0, the base, as \"qcowctl status\"\n"
		"shows it. A device stays in use; an image must not be in use. A signal ends it;\n"
		"what was merged by then stays merged.",
	.options = options,
	.complete = "either",
	.least = 1,
	.most = 1,
	.run = run,
};
