/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ONE-MESSAGE: suspend, resume, and what changes the chain or all tables of a device: one at a
 * time.
 *
 * device-mapper serializes suspend and resume among themselves, but neither with messages nor
 * messages with each other.
 */
#ifndef Q2_JOB_CONTROL_H
#define Q2_JOB_CONTROL_H

#include "job/job.h"

/**
 * struct q2_control - the device's own state
 * @disk: disk
 * @job: its job
 * @changing: held by one message at a time, and when @suspended changes. Outermost of all
 *            locks of the module
 * @suspended: no request is served; protected by @changing
 */
struct q2_control {
	struct q2_disk *disk;
	struct q2_job job;
	struct mutex changing;
	bool suspended;
};

/* The device is suspended until the first q2_control_preresume(). */
void q2_control_init(struct q2_control *control, struct q2_disk *disk);

/* End the job. No suspend, resume or message runs. Blocks. */
void q2_control_exit(struct q2_control *control);

/*
 * The device is going to be suspended. Requests may still come: the file system on it has not
 * been frozen yet, and what it writes back then may have to wait for room, and is waited for.
 * Not so if @noflush: device-mapper is to send requests back (SUSPEND-LOSES-NOTHING). Returns
 * when the job stands.
 * Blocks for the rest of a step.
 */
void q2_control_presuspend(struct q2_control *control, bool noflush);

/* It is not, after all. */
void q2_control_presuspend_undo(struct q2_control *control);

/* No request is in flight any more: make the image complete. Waits for a message. Blocks. */
void q2_control_postsuspend(struct q2_control *control);

/* Requests are about to come. Waits for a message. Blocks. */
void q2_control_preresume(struct q2_control *control);

/* Everything below is called in between: one message at a time. Blocks. */
void q2_control_begin(struct q2_control *control);
void q2_control_end(struct q2_control *control);

enum q2_snapshot_verb {
	Q2_SNAPSHOT_CREATE,
	Q2_SNAPSHOT_APPLY,
	Q2_SNAPSHOT_DELETE,
};

/**
 * q2_control_snapshot() - change the internal snapshots of the top
 * @control: a device that is suspended, and has no job
 * @verb: what to do
 * @tag: of the snapshot
 * @sec: CREATE: seconds of its date
 * @nsec: CREATE: nanoseconds of its date
 * @err: reason of a refusal
 *
 * Blocks. Return: 0; -EAGAIN not suspended; -EBUSY a job runs; -EOPNOTSUPP a raw image; as
 * q2_image_snapshot_create() and its like.
 */
int q2_control_snapshot(struct q2_control *control, enum q2_snapshot_verb verb, const char *tag,
			u32 sec, u32 nsec, struct q2_err *err);

/**
 * q2_control_resize() - make the top longer
 * @control: a device that is suspended, and has no job
 * @size: bytes, a multiple of 512, not less than it has
 * @err: reason of a refusal
 *
 * The device goes on with its old length until a new table is loaded. Blocks.
 * Return: 0; as q2_control_snapshot(); as q2_image_resize().
 */
int q2_control_resize(struct q2_control *control, u64 size, struct q2_err *err);

#endif
