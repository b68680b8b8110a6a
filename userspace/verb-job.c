// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl job: look at the job on a device, wait for it, slow it down, end it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "job.h"
#include "json.h"
#include "say.h"
#include "verbs.h"

enum {
	OPT_WAIT = OPT_LONG,
	OPT_CANCEL,
	OPT_RATE,
};

static const struct option_spec options[] = {
	{OPT_WAIT, "wait", NULL, "wait for its end", NULL},
	{OPT_CANCEL, "cancel", NULL, "end it before its time", NULL},
	{OPT_RATE, "rate", "SIZE", "most bytes copied a second from now on; 0: no limit", NULL},
	{'J', "json", NULL, "JSON", NULL},
	{},
};

static int show(const struct args *args, const struct dm_device *device)
{
	struct job job;
	bool any = job_parse(device->status, &job);
	struct json_object *object;
	char *text;

	if (args_has(args, 'J')) {
		object = any ? job_json(&job) : json_object_new_object();
		json_object_object_add(object, "device", json_text(device->name));
		json_print(object);
		return STATUS_DONE;
	}
	text = any ? job_sentence(&job) : xstrdup("no job");
	printf("%s: %s\n", device->name, text);
	free(text);
	return STATUS_DONE;
}

/* Nothing is on that could be told anything. */
static int say_idle(const struct dm_device *device)
{
	say("%s: no job is on", device->name);
	return STATUS_FAILED;
}

static int cancel(struct dm_device *device, struct job *job)
{
	static const struct timespec moment = {.tv_nsec = 10000000};

	if (!job_is_on(job))
		return say_idle(device);
	if (job_cancel(device, job))
		return STATUS_FAILED;
	/* Its end is close; nothing goes on when this returns. */
	while (job_is_on(job)) {
		nanosleep(&moment, NULL);
		if (dm_device_again(device))
			return STATUS_FAILED;
		if (!job_parse(device->status, job))
			break;
	}
	if (!strcmp(job->state, "cancelled"))
		return STATUS_DONE;
	say("%s: the %s job had ended before: %s", device->name, job->kind, job->state);
	return STATUS_FAILED;
}

static int set_rate(const struct dm_device *device, const struct job *job, uint64_t kib)
{
	char *text;
	int ret;

	if (!job_is_on(job))
		return say_idle(device);
	text = xasprintf("rate %llu", (unsigned long long)kib);
	ret = job_tell(device, text);
	free(text);
	return ret ? STATUS_FAILED : STATUS_DONE;
}

static int act(const struct args *args, struct dm_device *device, uint64_t kib)
{
	struct job job;
	int status = STATUS_DONE;

	if (!args->nr_given || (args->nr_given == 1 && args_has(args, 'J')))
		return show(args, device);
	job_parse(device->status, &job);
	if (args_has(args, OPT_RATE))
		status = set_rate(device, &job, kib);
	if (!status && args_has(args, OPT_CANCEL))
		status = cancel(device, &job);
	if (!status && args_has(args, OPT_WAIT))
		/* One that has failed before is told of, too; that there was none is well. */
		status = *job.kind && job_wait(device, false, &job) ? STATUS_FAILED : STATUS_DONE;
	return status;
}

static int run(const struct args *args)
{
	const char *rate = args_value(args, OPT_RATE);
	struct dm_device device;
	uint64_t kib = 0;
	int status;

	if (rate && job_parse_rate(rate, &kib))
		return usage_error(args->verb, "job: \"%s\" is no size", rate);
	if (args_has(args, OPT_CANCEL) && args->nr_given > 1)
		return usage_error(args->verb, "job: --cancel goes with no other option");
	if (args_has(args, 'J') && args->nr_given > 1)
		return usage_error(args->verb, "job: -J is for showing the job");
	dm_setup();
	if (dm_device_find(args->word[0], &device))
		return STATUS_FAILED;
	status = act(args, &device, kib);
	dm_device_clear(&device);
	return status;
}

const struct verb verb_job = {
	.name = "job",
	.arguments = "NAME",
	.summary = "Look at the job on a device, wait for it, or end it",
	.description = "A job is a commit or a stream. Without an option its state is printed.",
	.options = options,
	.complete = "device",
	.least = 1,
	.most = 1,
	.run = run,
};
