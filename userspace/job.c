// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dm-task.h"
#include "job.h"
#include "json.h"
#include "kmsg.h"
#include "progress.h"
#include "say.h"
#include "size.h"

/*
 * Between two looks: soon at first, for most jobs of a small disk are short, and then a part of
 * the time that has gone by: what a job seems to take longer than it does.
 */
#define LOOK_FIRST_MS 20
#define LOOK_LAST_MS 500
#define LOOK_PART 16

/* Where the value of "KEY=" begins in a line of words; NULL: it is not there. */
static const char *value_of(const char *status, const char *key)
{
	size_t len = strlen(key);
	const char *p = status;

	while ((p = strstr(p, key))) {
		if ((p == status || p[-1] == ' ') && p[len] == '=')
			return p + len + 1;
		p += len;
	}
	return NULL;
}

static void copy_word(const char *status, const char *key, char *to, size_t size)
{
	const char *value = value_of(status, key);

	snprintf(to, size, "%.*s", value ? (int)strcspn(value, " ") : 0, value ? value : "");
}

static uint64_t number(const char *status, const char *key)
{
	const char *value = value_of(status, key);

	return value ? strtoull(value, NULL, 10) : 0;
}

bool job_parse(const char *status, struct job *job)
{
	memset(job, 0, sizeof(*job));
	if (!status)
		return false;
	copy_word(status, "job", job->kind, sizeof(job->kind));
	if (!*job->kind || !strcmp(job->kind, "none")) {
		*job->kind = '\0';
		return false;
	}
	copy_word(status, "job_state", job->state, sizeof(job->state));
	job->done = number(status, "job_done");
	job->total = number(status, "job_total");
	job->moved = number(status, "job_moved");
	job->rate = number(status, "job_rate") << 10;
	job->error = abs((int)number(status, "job_error"));
	return true;
}

bool job_is_on(const struct job *job)
{
	return !strcmp(job->state, "running") || !strcmp(job->state, "paused");
}

static double percent(const struct job *job)
{
	return job->total ? job->done * 100.0 / job->total : 0;
}

char *job_short(const struct job *job)
{
	if (!strcmp(job->state, "running"))
		return xasprintf("%s %d%%", job->kind, (int)percent(job));
	if (!strcmp(job->state, "paused"))
		return xasprintf("%s paused %d%%", job->kind, (int)percent(job));
	if (!strcmp(job->state, "failed"))
		return xasprintf("%s failed", job->kind);
	return NULL;
}

char *job_sentence(const struct job *job)
{
	char *moved = size_text(job->moved), *total = size_text(job->total);
	char *rate = job->rate ? size_text(job->rate) : NULL, *more, *text;

	if (!strcmp(job->state, "paused"))
		more = xstrdup(", waits for room below");
	else if (!strcmp(job->state, "failed") && job->error)
		more = xasprintf(", %s", strerror(job->error));
	else if (rate && job_is_on(job))
		more = xasprintf(", at most %s/s", rate);
	else
		more = xstrdup("");
	if (!strcmp(job->state, "done"))
		text = xasprintf("%s, done: %s copied", job->kind, moved);
	else
		text = xasprintf("%s, %s: %.1f %% of %s looked at, %s copied%s", job->kind,
				 job->state, percent(job), total, moved, more);
	free(moved);
	free(total);
	free(rate);
	free(more);
	return text;
}

struct json_object *job_json(const struct job *job)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "type", json_text(job->kind));
	json_object_object_add(object, "state", json_text(job->state));
	json_object_object_add(object, "offset", json_number(job->done));
	json_object_object_add(object, "len", json_number(job->total));
	json_object_object_add(object, "moved", json_number(job->moved));
	json_object_object_add(object, "speed", json_number(job->rate));
	if (job->error)
		json_object_object_add(object, "error", json_text(strerror(job->error)));
	return object;
}

/* Return: 0 or a positive errno; *reason is what the kernel said, or NULL. */
static int tell(const struct dm_device *device, const char *what, char **reason)
{
	struct dm_task *task = task_for(DM_DEVICE_TARGET_MSG, device->name);
	char *text = xasprintf("job %s", what), *number;
	int log = kmsg_listen(), err = ENOMEM;

	if (dm_task_set_sector(task, 0) && dm_task_set_message(task, text))
		err = task_run(task);
	dm_task_destroy(task);
	free(text);
	number = xasprintf("%u:%u", device->major, device->minor);
	*reason = kmsg_reason(log, number, DM_TARGET);
	free(number);
	return err;
}

static int judge_tell(const struct dm_device *device, int err, char *reason)
{
	if (err && reason)
		say("%s: the kernel refused it: %s", device->name, reason);
	else if (err)
		say("%s: the message failed: %s", device->name, strerror(err));
	free(reason);
	return err ? -1 : 0;
}

int job_tell(const struct dm_device *device, const char *what)
{
	char *reason;
	int err = tell(device, what, &reason);

	return judge_tell(device, err, reason);
}

int job_cancel(struct dm_device *device, struct job *job)
{
	char *reason;
	int err = tell(device, "cancel", &reason);

	/* Since it was looked at it may have ended by itself. */
	if (err && !dm_device_again(device) && job_parse(device->status, job) && !job_is_on(job))
		err = 0;
	return judge_tell(device, err, reason);
}

/* Sleep, unless a signal of @set comes. Return: whether one did. */
static bool sleep_or_signal(const sigset_t *set, unsigned int ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	return sigtimedwait(set, NULL, &time) > 0;
}

static void catch_signals(sigset_t *set, bool cancels, sigset_t *before)
{
	sigemptyset(set);
	if (cancels) {
		sigaddset(set, SIGINT);
		sigaddset(set, SIGTERM);
		sigaddset(set, SIGHUP);
	}
	sigprocmask(SIG_BLOCK, set, before);
}

static int judge(const struct dm_device *device, const struct job *job)
{
	if (!strcmp(job->state, "done"))
		return 0;
	if (!strcmp(job->state, "cancelled"))
		return say(
			"%s: the %s job was cancelled; the chain is sound as it is, and starting "
			"again goes on from there",
			device->name, job->kind);
	return say(
		"%s: the %s job failed: %s; the chain is sound as it is, and starting again goes "
		"on from there",
		device->name, job->kind, strerror(job->error ? job->error : EIO));
}

/* In milliseconds, both. */
static unsigned int next_look(unsigned int waited)
{
	unsigned int ms = waited / LOOK_PART;

	if (ms < LOOK_FIRST_MS)
		return LOOK_FIRST_MS;
	return ms < LOOK_LAST_MS ? ms : LOOK_LAST_MS;
}

/* Look again and again until the job is off. @set: signals that cancel it. */
static int watch(struct dm_device *device, const sigset_t *set, struct job *job)
{
	bool cancelled = false, waits = false;
	unsigned int ms = LOOK_FIRST_MS, waited = 0;

	for (;;) {
		if (dm_device_again(device))
			return -1;
		if (!job_parse(device->status, job))
			return say("%s: there has been no job", device->name);
		if (!job_is_on(job))
			return 0;
		progress_update(job->done, job->total);
		if (!strcmp(job->state, "paused") != waits) {
			waits = !waits;
			progress_hide();
			if (waits)
				say("%s: there is no room below; the job waits for some",
				    device->name);
		}
		if (sleep_or_signal(set, ms)) {
			progress_hide();
			/* The second time: let it go its way. */
			if (cancelled || job_cancel(device, job))
				return say("%s: the %s job goes on in the kernel", device->name,
					   job->kind);
			cancelled = true;
			waited = 0;
			ms = LOOK_FIRST_MS;
		} else {
			waited += ms;
			ms = next_look(waited);
		}
	}
}

int job_wait(struct dm_device *device, bool cancels, struct job *job)
{
	sigset_t set, before;
	char *what;
	int ret;

	memset(job, 0, sizeof(*job));
	job_parse(device->status, job);
	what = xasprintf("%s: %s", device->name, *job->kind ? job->kind : "job");
	catch_signals(&set, cancels, &before);
	progress_start(what);
	ret = watch(device, &set, job);
	progress_hide();
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(what);
	return ret ? ret : judge(device, job);
}

int job_parse_rate(const char *text, uint64_t *kib)
{
	uint64_t bytes;

	if (size_parse(text, &bytes))
		return -1;
	*kib = (bytes + 1023) >> 10;
	return 0;
}
