/* SPDX-License-Identifier: GPL-2.0-only */
/* What commit and stream have in common: start a job, see it through, tidy up. */
#ifndef QCOWCTL_JOB_START_H
#define QCOWCTL_JOB_START_H

#include "live.h"
#include "options.h"
#include "policy.h"

enum {
	OPT_JOB_RATE = OPT_LONG,
	OPT_JOB_DELETE,
	OPT_JOB_BACKING_FORMAT,
	OPT_JOB_ALLOW,
	OPT_JOB_OWN /* keys of a verb's own start here */
};

/* Their options, for a verb's list. */
#define JOB_OPTIONS                                                                                \
	{OPT_JOB_RATE, "rate", "SIZE", "device: most bytes copied a second; 0: no limit", NULL},   \
		{'b', "background", NULL, "device: return at once; the job goes on in the kernel", \
		 NULL},                                                                            \
		{OPT_JOB_DELETE, "delete", NULL, "remove the files that are no longer needed",     \
		 NULL},                                                                            \
		{OPT_JOB_BACKING_FORMAT, "backing-format", "FORMAT",                               \
		 "image: format of backing files whose format no image gives", "qcow2 raw"},       \
		POLICY_OPTION(OPT_JOB_ALLOW)

struct merge_files;

/**
 * job_run() - do the work of a verb that takes the name of a device or an image
 * @args: options, judged here
 * @on_device: starts a job. Return: exit status
 * @on_files: does the same to files. Return: 0, or -1 after having said why not
 *
 * Return: exit status.
 */
int job_run(const struct args *args, int (*on_device)(const struct args *args, struct live *live),
	    int (*on_files)(const struct args *args, struct merge_files *files));

/**
 * job_start() - start a job and, in the foreground, wait for its end
 * @args: options
 * @live: device; its lock is dropped once the job is on
 * @message: what starts it, without the rate
 * @first: lowest layer that is not needed when it is done
 * @nr: how many, from there up
 *
 * Return: the exit status.
 */
int job_start(const struct args *args, struct live *live, const char *message, size_t first,
	      size_t nr);

#endif
