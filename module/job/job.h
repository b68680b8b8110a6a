/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A job: one change of a disk's chain that takes long, done beside guest I/O.
 *
 *	commit	merges layers down into a base			commit.c
 *	stream	pulls layers up into an overlay			stream.c
 *
 * One at a time for each disk. Whenever a job ends, is cancelled, or is cut off by a
 * power cut, the chain is valid and reads as it did; started again, it goes on.
 *
 * Lifetime: q2_job_init() and q2_job_exit() around the disk's use of it.
 */
#ifndef Q2_JOB_JOB_H
#define Q2_JOB_JOB_H

#include "chain/merge.h"
#include "serve/layers.h"

enum q2_job_type {
	Q2_JOB_NONE, /* there has been none */
	Q2_JOB_COMMIT,
	Q2_JOB_STREAM,
};

enum q2_job_state {
	Q2_JOB_RUNNING,
	Q2_JOB_PAUSED, /* there is no room; goes on when there is some */
	Q2_JOB_CANCELLED,
	Q2_JOB_FAILED,
	Q2_JOB_DONE,
};

/**
 * struct q2_job_params - what to do
 * @type: COMMIT or STREAM
 * @top: COMMIT: number of the layer to begin with, down to the one above @base
 * @base: COMMIT: number of the layer that gets them; STREAM: the first one that stays
 *        below, or Q2_NO_LAYER
 * @into: STREAM: number of the layer that is filled
 * @name: what the header of the overlay above the merged layers shall name, or NULL
 * @format: its format, NULL only if @name is
 * @rate_kib: KiB a second at most; 0: no limit
 * @copy_on_read: STREAM into the top: first where guests are
 */
struct q2_job_params {
	enum q2_job_type type;
	unsigned int top;
	unsigned int base;
	unsigned int into;
	const char *name;
	const char *format;
	unsigned int rate_kib;
	bool copy_on_read;
};

/*
 * ONE-PHASE: what the job's work is doing. Only q2_job_start() leaves IDLE, and only the work
 * itself changes it afterwards, always under the lock and after a look at what others want.
 */
enum q2_job_phase {
	Q2_JOB_IDLE,   /* there is none, or it has ended */
	Q2_JOB_QUEUED, /* it has not begun yet, and looks at @hold first */
	Q2_JOB_WORKING,
	Q2_JOB_STANDING, /* between two steps, as long as @hold is set */
};

/**
 * struct q2_job - the last job of a disk, and what is needed to run it
 * @disk: disk
 * @work: runs it
 * @wait: for all that follows to change
 * @lock: protects @phase, @hold, @cancel, @leave, @rate_kib, @budget and @since
 * @phase: see &enum q2_job_phase
 * @hold: wanted: no step, the disk is being suspended or is suspended
 * @cancel: wanted: an end, as soon as the disk is not suspended
 * @leave: wanted: an end, now: the disk is being closed
 * @params: what to do; name and format are copies
 * @state: see &enum q2_job_state
 * @done: guest bytes behind the job
 * @total: of these
 * @moved: bytes copied
 * @error: of a job that failed, or 0
 * @rate_kib: KiB a second at most; 0: no limit
 * @merge: COMMIT: the layers below the top, if any; STREAM: all
 * @down: COMMIT of the top: from the top to the base
 * @has_merge: @merge is in use
 * @has_down: @down is in use
 * @overlay: number of the layer whose header will name another backing file, or Q2_NO_LAYER
 * @dest: @down is under way: the base is written by guests, too
 * @windows: COMMIT of the top: room for the guest ranges that are being merged
 * @budget: bytes moved at @since, for the rate
 * @since: in jiffies
 * @step: when the step before ended, in nanoseconds
 * @owed: pause that is due to an active guest, in nanoseconds
 * @guest_seen: when a guest was active, in nanoseconds; 0: never
 * @requests: guest requests until @step
 * @asked: those of the pause before @step
 * @deadline: for room, in jiffies; 0: there is some
 */
struct q2_job {
	struct q2_disk *disk;
	struct work_struct work;
	wait_queue_head_t wait;
	spinlock_t lock;
	enum q2_job_phase phase;
	bool hold;
	bool cancel;
	bool leave;
	struct q2_job_params params;
	enum q2_job_state state;
	u64 done;
	u64 total;
	u64 moved;
	int error;
	unsigned int rate_kib;
	/* job/ alone */
	struct q2_merge merge;
	struct q2_merge down;
	bool has_merge;
	bool has_down;
	unsigned int overlay;
	bool dest;
	struct q2_job_window *windows;
	u64 budget;
	unsigned long since;
	u64 step;
	u64 owed;
	u64 guest_seen;
	u64 requests;
	u64 asked;
	unsigned long deadline;
};

/* Guest bytes [start, end) that are merged at a time. */
struct q2_job_window {
	u64 start;
	u64 end;
};

/* Make and free what all jobs share. Return: 0 or -ENOMEM. */
int q2_jobs_init(void);
void q2_jobs_exit(void);

void q2_job_init(struct q2_job *job, struct q2_disk *disk);

/* End it, wherever it is, and free what it holds. Requests may still come. Blocks. */
void q2_job_exit(struct q2_job *job);

/**
 * q2_job_ready() - is there no job, so that layers keep their numbers?
 * @job: job
 * @err: reason
 *
 * ONE-MESSAGE: to be asked before layers are looked up for what changes the chain; only messages
 * start jobs, and the caller keeps other messages away. Blocks for the moment that a job that is
 * over takes to say so. Return: 0; -EBUSY.
 */
int q2_job_ready(struct q2_job *job, struct q2_err *err);

/**
 * q2_job_start() - begin
 * @job: job of a writable disk
 * @params: what to do; not used after the call
 * @suspended: no request is in flight, nor will be until the disk is resumed
 * @err: reason of a refusal
 *
 * q2_job_ready() has said 0, and the caller keeps other messages away. Runs when the disk
 * does. The layers it writes become writable here, and a base that is too short grows, for
 * which the disk must be suspended. Blocks.
 *
 * Return: 0; -EBUSY others use what it would write; -EINVAL no such
 * range, or a name too many or too few; -EAGAIN it must be suspended; as
 * q2_shared_make_writable() and q2_merge_begin().
 */
int q2_job_start(struct q2_job *job, const struct q2_job_params *params, bool suspended,
		 struct q2_err *err);

/* Is one running, or about to? Any context. */
bool q2_job_running(const struct q2_job *job);

/* Ask it to end; if the disk is suspended, when it is resumed. Return: 0; -ENOENT none runs. */
int q2_job_cancel(struct q2_job *job);

/* KiB a second at most; 0: no limit. Return: 0; -ENOENT none runs. */
int q2_job_rate(struct q2_job *job, unsigned int kib);

/* The disk is being suspended: returns when the job does nothing more. Blocks. */
void q2_job_hold(struct q2_job *job);

/* It may go on. */
void q2_job_release(struct q2_job *job);

/* Name of a state, for status. */
const char *q2_job_state_name(enum q2_job_state state);

/*
 * For commit.c and stream.c
 */

/**
 * q2_job_checkpoint() - between two steps, nothing being held
 * @job: job
 * @ret: what the step before returned
 *
 * STEP-IS-BOUNDED: here a job waits while the disk is suspended, for room, for memory, for its
 * rate, and for guests. Return: 0: (try again and) go on; -ECANCELED; -errno: fail.
 */
int q2_job_checkpoint(struct q2_job *job, int ret);

/* Inside a step: does somebody wait for the job to stop or to end? */
bool q2_job_disturbed(struct q2_job *job);

/* STEP-IS-BOUNDED: in a long step: is it time to end it, for the job's sake or for guests'? */
bool q2_job_awaited(struct q2_job *job);

/* The same for a scan, which ends after a while in any case; @job: &struct q2_job. */
bool q2_job_scan_is_long(void *job);

/* Guest bytes up to @pos of @m are behind the job. */
void q2_job_progress(struct q2_job *job, const struct q2_merge *m, u64 pos);

/* Copy all that @m is about, layers nobody changes into one that nobody else writes. */
int q2_job_copy(struct q2_job *job, struct q2_merge *m);

/*
 * All that merge is about has been copied: make it durable, let the overlay name its new
 * backing file, and take the layers out. Blocks. Return: 0 or -errno.
 */
int q2_job_switch(struct q2_job *job, struct q2_merge *m);

/*
 * Has none of the layers snapshots inside? Those show what lies below, too, and would show
 * something else after a merge. Return: 0 or -EBUSY.
 */
int q2_job_no_snapshots(const struct q2_job *job, unsigned int first, unsigned int last,
			struct q2_err *err);

/* Compressed clusters, for merges. */
int q2_job_expand(void *disk, unsigned int layer, const struct q2_extent *ext, u32 skip, void *buf,
		  u32 len);

/* commit.c */
int q2_commit_start(struct q2_job *job, bool suspended, struct q2_err *err);
int q2_commit_run(struct q2_job *job);

/* stream.c */
int q2_stream_start(struct q2_job *job, bool suspended, struct q2_err *err);
int q2_stream_run(struct q2_job *job);

#endif
