/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guards: processes that have devices and file systems in their care while those are
 * held, each one of them one. Whatever becomes of this process, SIGKILL included, the
 * devices are resumed and the file systems thawed.
 *
 * A guard is made before anything is held, and what it needs is in its memory, which is
 * locked. It sits on a socket. When that ends without a word that all is done, its owner
 * is gone or has given up, and it puts right what it has in its care: a file system is
 * thawed, a device forgets a table that is not live and is resumed.
 *
 * Guards are also who does what may hang beyond any signal: they sync, freeze and suspend,
 * all of them at once, so that whoever waits for them may stop waiting. What a guard
 * has frozen or suspended too late it puts right at once by itself.
 *
 * Does not: resume devices or thaw file systems for an owner that lives; the one is done by
 * live.c, for udev has to know of it, the other is done by ending the guard.
 */
#ifndef QCOWCTL_GUARD_H
#define QCOWCTL_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dm.h"
#include "mounts.h"

/**
 * struct guarded - a device that is going to be suspended
 * @device: the device
 * @lock: what keeps other runs of qcowctl away; stays held as long as its guard lives
 * @cookie: of the resume to come, which goes with the guard's own; 0: none
 * @size: says how long its table has to be after what was done to it, sectors; NULL: as
 *	long as it is. Called in the guard
 * @arg: its argument
 * @keep: an open file that @size reads, -1: none
 */
struct guarded {
	const struct dm_device *device;
	int lock;
	uint32_t cookie;
	uint64_t (*size)(void *arg);
	void *arg;
	int keep;
};

/**
 * struct guard_trouble - what has failed
 * @step: what it was, valid as long as the guards
 * @device: which of the devices
 * @err: a positive errno; ETIMEDOUT: it did not end in time
 */
struct guard_trouble {
	const char *step;
	size_t device;
	int err;
};

struct guards;

/**
 * guards_start() - make them
 * @devices: devices, each of which gets one
 * @nr: how many
 * @freeze: so does each file system that is mounted on them
 *
 * Signals that end a program must be blocked, and stay so in the guards.
 *
 * Return: the guards, or NULL after having said why there are none.
 */
struct guards *guards_start(const struct guarded *devices, size_t nr, bool freeze);

/*
 * Steps. Each ends early if a signal comes that would end the program. Return: 0, or
 * a positive errno, then *trouble tells more: EINTR for a signal.
 */

/* What is to be written is written, so that freezing and suspending take little time. */
int guards_sync(struct guards *guards, struct guard_trouble *trouble);

/* Freeze every file system, in @ms milliseconds. */
int guards_freeze(struct guards *guards, unsigned int ms, struct guard_trouble *trouble);

/*
 * Suspend every device, in @ms milliseconds; 0: as long as it takes. If guards were made to
 * freeze, device-mapper freezes what may be on devices on which none has frozen anything.
 */
int guards_suspend(struct guards *guards, unsigned int ms, struct guard_trouble *trouble);

/* Did the guard of a device suspend it, and is it there to say so? */
bool guards_suspended(const struct guards *guards, size_t device);

/*
 * @on: from now on new tables go live: an owner that dies meant all of them to. Off, as at the
 * start: none of those that are not live.
 */
void guards_forward(struct guards *guards, bool on);

/* All devices go on: thaw, and let the guards go. One that hangs is left to itself. */
void guards_end(struct guards *guards);

#endif
