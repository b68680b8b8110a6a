// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl: the verb table, and nothing a verb does. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "say.h"
#include "verbs.h"

static const struct verb *const verbs[] = {
	&verb_create, &verb_info, &verb_check,	&verb_map,	&verb_attach,
	&verb_detach, &verb_list, &verb_status, &verb_snapshot, &verb_commit,
	&verb_stream, &verb_job,  &verb_resize, &verb_rebase,
};

#define NR_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void help(FILE *out)
{
	size_t i;

	fputs("Usage: qcowctl VERB [OPTION]... [ARGUMENT]...\n"
	      "qcow2 images as block devices, and what goes with them.\n\nVerbs:\n",
	      out);
	for (i = 0; i < NR_VERBS; i++)
		fprintf(out, "  %-10s%s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\nOptions:\n"
	      "  -h, --help                show this; \"qcowctl VERB --help\" shows a verb's\n"
	      "  -V, --version             show the version\n"
	      "      --complete            print the verbs and options for a shell's completion\n"
	      "\nExit status: 0 done, 1 failed, 2 wrong usage; check has its own.\n"
	      "qcowctl(8) is the manual.\n",
	      out);
}

/* What was printed has to have arrived, or a script believes half an answer. */
static int finish(int status)
{
	if ((fflush(stdout) || ferror(stdout)) && status == STATUS_DONE) {
		say("could not write the output: %s", strerror(errno));
		status = STATUS_FAILED;
	}
	return status;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	struct args args;
	int status;

	if (options_parse(verb, argc, argv, &args))
		return verb->usage_status ? verb->usage_status : STATUS_USAGE;
	if (args_has(&args, OPT_HELP)) {
		options_help(stdout, verb);
		status = STATUS_DONE;
	} else {
		status = verb->run(&args);
	}
	options_free(&args);
	return status;
}

int main(int argc, char **argv)
{
	size_t i;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_DFL);
	if (argc < 2)
		return usage_error(NULL, "a verb is missing");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return finish(STATUS_DONE);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("qcowctl " Q2_VERSION);
		return finish(STATUS_DONE);
	}
	if (!strcmp(argv[1], "--complete")) {
		for (i = 0; i < NR_VERBS; i++)
			options_complete(stdout, verbs[i]);
		return finish(STATUS_DONE);
	}
	for (i = 0; i < NR_VERBS; i++)
		if (!strcmp(argv[1], verbs[i]->name))
			return finish(run(verbs[i], argc - 1, argv + 1));
	return usage_error(NULL, "there is no verb \"%s\"", argv[1]);
}
