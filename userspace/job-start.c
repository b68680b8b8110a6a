// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "escape.h"
#include "job-start.h"
#include "job.h"
#include "layers.h"
#include "merge-files.h"
#include "offline.h"
#include "say.h"
#include "size.h"

/* @device: the first argument names a device, otherwise an image. Return: 0 or STATUS_USAGE. */
static int check_options(const struct args *args, bool device)
{
	const char *rate = args_value(args, OPT_JOB_RATE);
	uint64_t kib;

	if (rate && job_parse_rate(rate, &kib))
		return usage_error(args->verb, "%s: \"%s\" is no size", args->verb->name, rate);
	if (args_has(args, 'b') && args_has(args, OPT_JOB_DELETE))
		return usage_error(args->verb, "%s: --delete waits for the end, and -b does not",
				   args->verb->name);
	if (!device && (rate || args_has(args, 'b')))
		return usage_error(args->verb,
				   "%s: %s is for the jobs of devices, and %s is an image",
				   args->verb->name, rate ? "--rate" : "-b", args->word[0]);
	return 0;
}

static void say_background(const struct live *live, size_t first, size_t nr)
{
	size_t i;

	printf("%s: the job goes on in the background; qcowctl job --wait %s waits for it\n",
	       live->device.name, live->device.name);
	for (i = 0; i < nr; i++) {
		fputs("no longer needed then: ", stdout);
		escape_put(stdout, live->table.path[first + i]);
		putchar('\n');
	}
}

/* Wait for the end, and say what it brought. */
static int see_through(const struct args *args, struct live *live, size_t first, size_t nr)
{
	struct job job;
	char *moved;
	int ret = job_wait(&live->device, true, &job);

	if (ret)
		return STATUS_FAILED;
	moved = size_text(job.moved);
	printf("%s: %s done, %s copied\n", live->device.name, args->verb->name, moved);
	free(moved);
	ret = layers_unneeded(&live->device, (char *const *)live->table.path + first, nr,
			      args_has(args, OPT_JOB_DELETE));
	return ret ? STATUS_FAILED : STATUS_DONE;
}

int job_start(const struct args *args, struct live *live, const char *message, size_t first,
	      size_t nr)
{
	const char *rate = args_value(args, OPT_JOB_RATE);
	struct live_hold hold = LIVE_HOLD_ONE(live);
	uint64_t kib = 0;
	int status = STATUS_FAILED;
	sigset_t set, before;
	char *text;

	if (rate)
		job_parse_rate(rate, &kib);
	text = kib ? xasprintf("%s rate:%llu", message, (unsigned long long)kib) : xstrdup(message);
	/* A signal that comes while the job starts is for job_wait() to find. */
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &before);
	if (!live_tell(&hold, text)) {
		close(live->lock);
		live->lock = -1;
		if (args_has(args, 'b')) {
			say_background(live, first, nr);
			status = STATUS_DONE;
		} else {
			status = see_through(args, live, first, nr);
		}
	}
	fflush(stdout);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(text);
	return status;
}

static int run_device(const struct args *args,
		      int (*on_device)(const struct args *args, struct live *live))
{
	struct live live;
	int status = STATUS_FAILED;

	dm_setup();
	if (!live_open(args->word[0], args->verb->name, &live))
		status = on_device(args, &live);
	live_close(&live);
	return status;
}

static int run_files(const struct args *args,
		     int (*on_files)(const struct args *args, struct merge_files *files))
{
	struct merge_files files;
	int ret = merge_files_look(args, &files);

	if (!ret)
		ret = on_files(args, &files);
	merge_files_end(&files);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

int job_run(const struct args *args, int (*on_device)(const struct args *args, struct live *live),
	    int (*on_files)(const struct args *args, struct merge_files *files))
{
	bool device = is_device_meant(args->word[0]);
	int status = check_options(args, device);

	if (status)
		return status;
	return device ? run_device(args, on_device) : run_files(args, on_files);
}
