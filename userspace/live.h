/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing a device while it is in use: suspend, say something to the target or load
 * another table, resume.
 *
 * Does: keep other runs of qcowctl away, keep memory and signals from getting in the
 * way while a device is suspended, measure the pause, and keep what the kernel said.
 * Does not: print anything between live_hold() and live_release(), since the terminal
 * may need what is suspended.
 */
#ifndef QCOWCTL_LIVE_H
#define QCOWCTL_LIVE_H

#include <time.h>

#include "dm.h"
#include "table.h"

struct dm_task;

/**
 * struct live - a device that is about to be changed
 * @device: as it was when it was opened
 * @table: its table, taken apart
 * @lock: what keeps others away
 * @log: the kernel's log from then on
 * @step: what has failed, NULL: nothing
 * @err: its errno
 * @loaded: there is a second table of ours
 * @suspended: suspended by us
 * @wake: the resume to come, made beforehand: it must not fail for want of memory
 * @cookie: what udev does then
 * @waits: udev is to be waited for
 * @since: when the pause began
 * @pause_us: how long it was, microseconds
 */
struct live {
	struct dm_device device;
	struct table table;
	int lock;
	int log;
	const char *step;
	int err;
	bool loaded;
	bool suspended;
	struct dm_task *wake;
	uint32_t cookie;
	bool waits;
	struct timespec since;
	uint64_t pause_us;
};

/* One that was never opened, fit for live_close(). */
#define LIVE_CLOSED ((struct live){.lock = -1, .log = -1})

/**
 * live_open() - take a device in hand
 * @word: as for dm_device_find()
 * @verb: what is going to be done
 * @live: result, to be given to live_close() in any case
 *
 * Refused: a device without a table, one that is suspended, one with a second table
 * loaded, one that another qcowctl works on.
 *
 * Return: 0, or -1 after having said why not.
 */
int live_open(const char *word, const char *verb, struct live *live);
void live_close(struct live *live);

/* Is it written, and is there no job on it? Return: 0, or -1 after having said what is in the way.
 */
int live_writable(const struct live *live);
int live_no_job(const struct live *live);

/**
 * live_hold() - from here on nothing may be in the way
 *
 * Signals wait, memory is there for good. Return: 0, or -1 after having said why not.
 */
int live_hold(void);
void live_release(void);

/* Signals wait, in live_hold() and around it; may be nested. */
void live_block_signals(void);
void live_unblock_signals(void);

/* Has a signal come that would end the program? While signals wait. */
bool live_interrupted(void);

/*
 * Steps, each silent. Return: 0, or a positive errno that is noted in @live, too, for
 * live_explain(); the first failure stays noted.
 */

/* A table that is loaded goes live with the next resume. */
int live_load(struct live *live, const char *params, uint64_t sectors);

/* Forget a table that is loaded. */
int live_clear(struct live *live);

/* @freeze: freeze a file system that is mounted. */
int live_suspend(struct live *live, bool freeze);

/* Say something to the target. */
int live_message(struct live *live, const char *text);

/* Open count of the device as it is now; -1: unknown. */
int live_open_count(const struct live *live);

/* Also of one that is not suspended, which does nothing then. */
int live_resume(struct live *live);

/*
 * After a resume that failed: once more, and if there was a new table, with the one that
 * it had, @sectors long. What the new one leads to has to stay if this fails, too.
 */
int live_recover(struct live *live, uint64_t sectors);

/* Say what failed, with the kernel's reason if it gave one. Return: -1. */
int live_explain(struct live *live);

/* "3.2 ms": the pause. To be freed. */
char *live_pause(const struct live *live);

/**
 * live_tell() - suspend, say something to the target, resume
 * @live: device
 * @text: message
 * @freeze: as for live_suspend()
 *
 * Return: 0, or -1 after having said why not.
 */
int live_tell(struct live *live, const char *text, bool freeze);

#endif
