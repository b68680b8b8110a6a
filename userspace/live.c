// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "dm-task.h"
#include "exclude.h"
#include "guard.h"
#include "job.h"
#include "kmsg.h"
#include "live.h"
#include "say.h"

/* What the steps may want of memory while devices are suspended. */
#define RESERVE (1U << 20)

static sigset_t signals_before;
static unsigned int signals_blocked;

/* What is held, and its guards; NULL: nothing is. */
static const struct live_hold *held;
static struct guards *guards;

void live_block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	if (!signals_blocked++)
		sigprocmask(SIG_BLOCK, &all, &signals_before);
}

void live_unblock_signals(void)
{
	if (!--signals_blocked)
		sigprocmask(SIG_SETMASK, &signals_before, NULL);
}

int live_open(const char *word, const char *verb, struct live *live)
{
	*live = LIVE_CLOSED;
	if (dm_device_find(word, &live->device))
		return -1;
	live->lock = exclude_others(&live->device, verb, false);
	/* Only now is what is known of it known for good. */
	if (live->lock < 0 || dm_device_again(&live->device))
		return -1;
	if (!live->device.table)
		return say("%s has no table: attaching did not finish", live->device.name);
	if (live->device.suspended)
		return say("%s is suspended; \"dmsetup resume %s\" ends that", live->device.name,
			   live->device.name);
	if (live->device.second_table)
		return say("%s has a second table loaded; \"dmsetup clear %s\" drops it",
			   live->device.name, live->device.name);
	if (table_parse(live->device.table, &live->table))
		return say("%s: the table is not one this version of qcowctl understands",
			   live->device.name);
	live->log = kmsg_listen();
	return 0;
}

/* Wait until udev has seen what happened. */
static void live_settle(struct live *live)
{
	if (live->waits)
		dm_udev_wait(live->cookie);
	live->waits = false;
	live->cookie = 0;
}

void live_close(struct live *live)
{
	if (live->wake) {
		/* It was not needed, so udev will not tell of it. */
		dm_task_destroy(live->wake);
		if (live->cookie)
			dm_udev_complete(live->cookie);
	}
	live_settle(live);
	if (live->log >= 0)
		close(live->log);
	if (live->lock >= 0)
		close(live->lock);
	table_clear(&live->table);
	dm_device_clear(&live->device);
	free(live->step);
	live->step = NULL;
	live->wake = NULL;
	live->log = -1;
	live->lock = -1;
}

int live_writable(const struct live *live)
{
	if (live->device.read_only || strcmp(live->table.mode, "rw"))
		return say("%s is attached for reading only", live->device.name);
	return 0;
}

int live_no_job(const struct live *live)
{
	struct job job;

	if (!job_parse(live->device.status, &job) || !job_is_on(&job))
		return 0;
	return say("%s: a %s job is on; wait for it (qcowctl job --wait %s) or end it (--cancel)",
		   live->device.name, job.kind, live->device.name);
}

/* The resume is made before the suspend, so that it can be run whatever happens. */
static int make_wake(struct live *live)
{
	if (live->wake)
		return 0;
	live->wake = task_try_for(DM_DEVICE_RESUME, live->device.name);
	if (!live->wake)
		return ENOMEM;
	if (live->device.read_only)
		dm_task_set_ro(live->wake);
	task_set_cookie(live->wake, &live->cookie);
	live->waits = true;
	return 0;
}

static struct guards *make_guards(const struct live_hold *hold)
{
	struct guarded *list = xalloc(hold->nr * sizeof(*list));
	struct guards *made;
	size_t i;

	for (i = 0; i < hold->nr; i++)
		list[i] = (struct guarded){
			.device = &hold->live[i]->device,
			.lock = hold->live[i]->lock,
			.cookie = hold->live[i]->cookie,
			.size = hold->size,
			.arg = hold->arg,
			.keep = hold->keep,
		};
	made = guards_start(list, hold->nr, hold->freeze);
	free(list);
	return made;
}

int live_hold(const struct live_hold *hold)
{
	void *reserve;
	size_t i;

	live_block_signals();
	for (i = 0; i < hold->nr; i++) {
		if (make_wake(hold->live[i])) {
			live_unblock_signals();
			return say("%s: %s", hold->live[i]->device.name, strerror(ENOMEM));
		}
	}
	guards = make_guards(hold);
	if (!guards) {
		live_unblock_signals();
		return -1;
	}
	held = hold;
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		say("memory cannot be locked: %s", strerror(errno));
		live_release();
		return -1;
	}
	/* What is freed now stays ours, in memory. */
	mallopt(M_TRIM_THRESHOLD, 2 * RESERVE);
	mallopt(M_MMAP_THRESHOLD, 2 * RESERVE);
	reserve = xalloc(RESERVE);
	free(reserve);
	/* If memory is wanted all the same, the kernel must not write to what is suspended. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	return 0;
}

void live_release(void)
{
	guards_end(guards);
	guards = NULL;
	held = NULL;
	prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	munlockall();
	live_unblock_signals();
}

bool live_interrupted(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) ||
				     sigismember(&set, SIGHUP));
}

/* Note the first failure. */
static int note(struct live *live, const char *step, int err)
{
	if (err && !live->step) {
		live->step = xstrdup(step);
		live->err = err;
	}
	return err;
}

static int run_and_destroy(struct dm_task *task)
{
	int err;

	if (!task)
		return ENOMEM;
	err = task_run(task);
	dm_task_destroy(task);
	return err;
}

int live_load(struct live *live, const char *params, uint64_t sectors)
{
	int err = task_load(live->device.name, params, sectors, live->device.read_only);

	if (!err)
		live->loaded = true;
	return note(live, "the new table", err);
}

int live_clear(struct live *live)
{
	int err = 0;

	if (live->loaded)
		err = run_and_destroy(task_try_for(DM_DEVICE_CLEAR, live->device.name));
	if (!err)
		live->loaded = false;
	return note(live, "forgetting the new table", err);
}

int live_suspend(void)
{
	struct guard_trouble trouble;
	unsigned int ms = held->seconds * 1000;
	struct timespec since;
	size_t i;
	int err;

	for (i = 0; i < held->nr; i++) {
		err = note(held->live[i], "suspending", make_wake(held->live[i]));
		if (err)
			return err;
	}
	err = held->freeze ? guards_sync(guards, &trouble) : 0;
	clock_gettime(CLOCK_MONOTONIC, &since);
	if (!err && held->freeze)
		err = guards_freeze(guards, ms, &trouble);
	if (!err) {
		err = guards_suspend(guards, ms, &trouble);
		for (i = 0; i < held->nr; i++)
			held->live[i]->suspended = guards_suspended(guards, i);
	}
	for (i = 0; i < held->nr; i++)
		held->live[i]->since = since;
	if (!err || err == EINTR)
		return err;
	held->live[trouble.device]->limit = held->seconds;
	return note(held->live[trouble.device], trouble.step, err);
}

void live_forward(bool on)
{
	guards_forward(guards, on);
}

int live_message(struct live *live, const char *text)
{
	struct dm_task *task = task_try_for(DM_DEVICE_TARGET_MSG, live->device.name);

	if (task && (!dm_task_set_sector(task, 0) || !dm_task_set_message(task, text))) {
		dm_task_destroy(task);
		task = NULL;
	}
	return note(live, "the message", run_and_destroy(task));
}

int live_open_count(const struct live *live)
{
	struct dm_task *task = task_try_for(DM_DEVICE_INFO, live->device.name);
	struct dm_info info;
	int count = -1;

	if (task && !task_run(task) && dm_task_get_info(task, &info) && info.exists)
		count = info.open_count;
	if (task)
		dm_task_destroy(task);
	return count;
}

int live_resume(struct live *live)
{
	struct timespec now;
	int err;

	if (!live->suspended)
		return 0;
	err = make_wake(live);
	if (!err)
		err = task_run(live->wake);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!err) {
		live->suspended = false;
		live->loaded = false;
		live->pause_us += (now.tv_sec - live->since.tv_sec) * 1000000ULL +
				  (now.tv_nsec - live->since.tv_nsec) / 1000;
	}
	/* There is none if a second try found no memory for it. */
	if (live->wake)
		dm_task_destroy(live->wake);
	live->wake = NULL;
	return note(live, "resuming", err);
}

int live_recover(struct live *live, uint64_t sectors)
{
	int err = 0;

	if (!live->suspended)
		return 0;
	/* Whether it was swapped in before something failed is not known. */
	if (live->loaded)
		err = live_load(live, live->device.table, sectors);
	return err ? err : live_resume(live);
}

int live_explain(struct live *live)
{
	char *device = xasprintf("%u:%u", live->device.major, live->device.minor);
	char *reason = kmsg_reason(live->log, device, DM_TARGET);

	live->log = -1;
	if (live->step && live->err == ETIMEDOUT)
		say("%s: %s took longer than %u s; nothing has changed", live->device.name,
		    live->step, live->limit);
	else if (reason)
		say("%s: the kernel refused it: %s", live->device.name, reason);
	else if (live->step)
		say("%s: %s failed: %s", live->device.name, live->step, strerror(live->err));
	free(reason);
	free(device);
	if (live->suspended)
		say("%s is left suspended; \"dmsetup resume %s\" may wake it", live->device.name,
		    live->device.name);
	return -1;
}

char *live_pause(const struct live *live)
{
	return xasprintf("%llu.%llu ms", (unsigned long long)live->pause_us / 1000,
			 (unsigned long long)live->pause_us % 1000 / 100);
}

int live_tell(const struct live_hold *hold, const char *text)
{
	struct live *live = hold->live[0];
	int err;

	if (live_hold(hold))
		return -1;
	err = live_suspend();
	if (!err)
		err = live_message(live, text);
	/* Whatever came of it, the device goes on. */
	if (live_resume(live)) {
		live_recover(live, live->device.sectors);
		err = live->err;
	}
	live_release();
	live_settle(live);
	if (err == EINTR && !live->step)
		return say("%s: interrupted; nothing has changed", live->device.name);
	return err ? live_explain(live) : 0;
}
