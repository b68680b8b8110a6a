/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing a device while it is in use: suspend, say something to the target or load
 * another table, resume.
 *
 * Does: keep other runs of qcowctl away, keep memory and signals from getting in the
 * way while a device is suspended, see to it that it goes on even if the program is killed
 * (guard.h), measure the pause, and keep what the kernel said.
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
 * @step: what has failed, NULL: nothing; to be freed
 * @err: its errno
 * @limit: seconds, what ETIMEDOUT means
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
	char *step;
	int err;
	unsigned int limit;
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

/* How long freezing and suspending may take if nobody says otherwise, seconds. */
#define LIVE_SECONDS 20

/**
 * struct live_hold - what is going to be held
 * @live: devices
 * @nr: how many
 * @freeze: file systems on them are frozen, so that they are clean in what is taken
 * @seconds: how long that and suspending may take; 0: as long as it does
 * @size: see &struct guarded; for a single device
 * @arg: its argument
 * @keep: a file that it reads
 */
struct live_hold {
	struct live **live;
	size_t nr;
	bool freeze;
	unsigned int seconds;
	uint64_t (*size)(void *arg);
	void *arg;
	int keep;
};

/* A single device, which is not frozen, suspended for as long as that takes. */
#define LIVE_HOLD_ONE(one)                          \
	{                                           \
		.live = &(one), .nr = 1, .keep = -1 \
	}

/**
 * live_hold() - from here on nothing may be in the way
 * @hold: what is going to be held; stays there until live_release()
 *
 * Signals wait, memory is there for good, and guards stand by. Return: 0, or -1 after having
 * said why not.
 */
int live_hold(const struct live_hold *hold);

/* File systems that were frozen go on, too. */
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

/**
 * live_suspend() - suspend all devices that are held
 *
 * What there is to be written is written before the pause. Then all file systems are frozen, at
 * once, and then all devices suspended, at once. If one cannot be, or if a signal comes that
 * would end the program, those that were suspended are to be resumed by the caller.
 *
 * Return: as of all steps; EINTR is noted nowhere.
 */
int live_suspend(void);

/* Of all that are held: tables that are loaded go live from now on, even if we die; or none does.
 */
void live_forward(bool on);

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
 * @hold: a single device
 * @text: message
 *
 * Return: 0, or -1 after having said why not.
 */
int live_tell(const struct live_hold *hold, const char *text);

#endif
