// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a job: start, pace, pause, end.
 *
 * A job holds guest ranges only inside a step. Between two steps it holds nothing, and
 * there alone it waits, for whatever it has to wait for: suspending a device, or
 * closing it, therefore takes as long as a step. STEP-IS-BOUNDED: a step looks whether somebody
 * waits for it after LONG_STEP_NS at the latest, not counting what storage takes.
 */
#include "env.h"
#include "image/backing.h"
#include "job/job.h"
#include "serve/io.h"

/* How often a job that waits for room looks again. */
#define ROOM_DELAY (HZ / 2)
/* The same for memory. */
#define MEMORY_DELAY (HZ / 50 + 1)
/*
 * What the guest is given: this much for each request, so that one that is hardly active hardly
 * slows the job down, nine times as long as the step took at most, and never more than this.
 */
#define REQUEST_NS (5 * NSEC_PER_MSEC)
#define GUEST_PARTS 9
#define MAX_YIELD_NS (250 * NSEC_PER_MSEC)
/* Less than this is not worth a timer: it stays owed. */
#define MIN_YIELD_NS (NSEC_PER_MSEC / 5)
/* STEP-IS-BOUNDED: a step that may end early does so after this, if a guest is active. */
#define LONG_STEP_NS (20 * NSEC_PER_MSEC)
/* A guest is active if it has been within this time. Then it waits for this much data at most. */
#define ACTIVE_NS (50 * NSEC_PER_MSEC)
#define SMALL_PIECE (64ULL << 10)

const char *q2_job_state_name(enum q2_job_state state)
{
	static const char *const names[] = {
		[Q2_JOB_RUNNING] = "running",	  [Q2_JOB_PAUSED] = "paused",
		[Q2_JOB_CANCELLED] = "cancelled", [Q2_JOB_FAILED] = "failed",
		[Q2_JOB_DONE] = "done",
	};

	return names[state];
}

/*
 * Jobs may take hours: on a queue of their own, for no queue that memory's way to the disk
 * leads through may have its rescuer kept that long.
 */
static struct workqueue_struct *jobs;

int q2_jobs_init(void)
{
	jobs = alloc_workqueue("dm-qcow2-jobs", WQ_UNBOUND, 0);
	return jobs ? 0 : -ENOMEM;
}

void q2_jobs_exit(void)
{
	destroy_workqueue(jobs);
}

bool q2_job_running(const struct q2_job *job)
{
	/* Pairs with the release in set_phase(): who sees that it has ended sees what it left. */
	return smp_load_acquire(&job->phase) != Q2_JOB_IDLE;
}

/* ONE-PHASE: under the lock. */
static void set_phase(struct q2_job *job, enum q2_job_phase phase)
{
	lockdep_assert_held(&job->lock);
	/* Pairs with the acquire in q2_job_running(). */
	smp_store_release(&job->phase, phase);
}

static void set_state(struct q2_job *job, enum q2_job_state state)
{
	if (READ_ONCE(job->state) == state)
		return;
	WRITE_ONCE(job->state, state);
	q2_disk_event(job->disk);
}

int q2_job_expand(void *arg, unsigned int layer, const struct q2_extent *ext, u32 skip, void *buf,
		  u32 len)
{
	struct q2_disk *disk = arg;

	return q2_io_expand(disk->shared[layer], ext, skip, buf, len);
}

int q2_job_no_snapshots(const struct q2_job *job, unsigned int first, unsigned int last,
			struct q2_err *err)
{
	const struct q2_chain *chain = job->disk->chain;

	for (; first <= last; first++) {
		const struct q2_layer *l = &chain->layers[first];

		if (!l->gone && l->img && q2_image_header(l->img)->nb_snapshots)
			return q2_err_set(
				err, EBUSY,
				"%s: has internal snapshots, which show what is below it, too; delete them first",
				l->file->name);
	}
	return 0;
}

void q2_job_progress(struct q2_job *job, const struct q2_merge *m, u64 pos)
{
	u64 before = m == &job->down && job->params.type == Q2_JOB_COMMIT ? job->merge.size : 0;

	WRITE_ONCE(job->done, before + pos);
	WRITE_ONCE(job->moved, job->merge.moved + job->down.moved);
}

/*
 * Pace
 */

bool q2_job_disturbed(struct q2_job *job)
{
	return READ_ONCE(job->cancel) || READ_ONCE(job->hold) || READ_ONCE(job->leave);
}

static void nap(struct q2_job *job, unsigned long jiffies_to_wait)
{
	wait_event_timeout(job->wait, q2_job_disturbed(job), jiffies_to_wait);
}

/* There is no room: may the step be tried again, after a while? */
static bool wait_for_room(struct q2_job *job)
{
	struct q2_disk *disk = job->disk;
	unsigned int into = job->params.type == Q2_JOB_COMMIT ? job->params.base : job->params.into;

	if (!disk->nospace_ms)
		return false;
	if (!job->deadline) {
		job->deadline = jiffies + msecs_to_jiffies(disk->nospace_ms);
		pr_warn("dm-qcow2: %s: %s: no room; the job waits %u s for more\n", disk->name,
			disk->shared[into]->file->name, disk->nospace_ms / 1000);
		set_state(job, Q2_JOB_PAUSED);
	} else if (time_after(jiffies, job->deadline)) {
		return false;
	}
	nap(job, ROOM_DELAY);
	q2_host_refresh(disk->shared[into]->host);
	return true;
}

/* Until the rate allows more, in jiffies; 0: now. */
static unsigned long rate_delay(struct q2_job *job)
{
	unsigned long due = 0;

	spin_lock(&job->lock);
	if (job->rate_kib)
		due = job->since +
		      (unsigned long)(div_u64((job->moved - job->budget) * HZ, job->rate_kib) >>
				      10);
	spin_unlock(&job->lock);
	return !due || time_after_eq(jiffies, due) ? 0 : due - jiffies;
}

/* No faster than the rate. */
static void keep_rate(struct q2_job *job)
{
	unsigned long delay;

	while (!q2_job_disturbed(job)) {
		delay = rate_delay(job);
		if (!delay)
			break;
		nap(job, min_t(unsigned long, delay, HZ));
	}
}

static u64 guest_requests(const struct q2_disk *disk)
{
	return q2_disk_counter(disk, Q2_COUNT_HITS) + q2_disk_counter(disk, Q2_COUNT_MISSES);
}

bool q2_job_awaited(struct q2_job *job)
{
	return q2_job_disturbed(job) || (ktime_get_ns() - job->step > LONG_STEP_NS &&
					 guest_requests(job->disk) != job->requests);
}

bool q2_job_scan_is_long(void *arg)
{
	struct q2_job *job = arg;

	return q2_job_disturbed(job) || ktime_get_ns() - job->step > LONG_STEP_NS;
}

/* Guests come first: beside a busy one the job takes a tenth of the time, in small pieces. */
static void yield_to_guests(struct q2_job *job)
{
	u64 now = ktime_get_ns(), requests = guest_requests(job->disk);
	u64 asked = job->asked + requests - job->requests;
	u64 due = min(asked * REQUEST_NS, GUEST_PARTS * (now - job->step));
	bool active;

	if (asked)
		job->guest_seen = now;
	active = now - job->guest_seen < ACTIVE_NS;
	job->owed = active ? job->owed + due : 0;
	if (job->owed >= MIN_YIELD_NS) {
		/* Not in jiffies: a guest notices how long the job works between two pauses. */
		wait_event_hrtimeout(job->wait, q2_job_disturbed(job),
				     ns_to_ktime(min_t(u64, job->owed, MAX_YIELD_NS)));
		job->owed = 0;
	}
	/* No smaller than a cluster: a part of one would be filled first. */
	job->merge.piece = active ? max(SMALL_PIECE, job->disk->range_unit) : 0;
	job->down.piece = job->merge.piece;
	/* Requests of the pause count, too, but a step is not cut short for them. */
	job->requests = guest_requests(job->disk);
	job->asked = job->requests - requests;
	job->step = ktime_get_ns();
}

/*
 * The disk is suspended: nothing may be under way. ONE-PHASE: who holds waits for STANDING, which
 * is taken back only here, under the lock that a new hold takes: it finds either the job
 * standing, or working and about to come by again.
 */
static void stand_still(struct q2_job *job)
{
	unsigned long since = jiffies;

	spin_lock(&job->lock);
	while (job->hold && !job->leave) {
		set_phase(job, Q2_JOB_STANDING);
		spin_unlock(&job->lock);
		wake_up_all(&job->wait);
		wait_event(job->wait, !READ_ONCE(job->hold) || READ_ONCE(job->leave));
		spin_lock(&job->lock);
	}
	set_phase(job, Q2_JOB_WORKING);
	spin_unlock(&job->lock);
	/* A job that waits for room waits while it may look for some. */
	if (job->deadline)
		job->deadline += jiffies - since;
}

static bool is_over(struct q2_job *job)
{
	return READ_ONCE(job->cancel) || READ_ONCE(job->leave);
}

int q2_job_checkpoint(struct q2_job *job, int ret)
{
	if (ret == -ENOMEM)
		nap(job, MEMORY_DELAY);
	else if (ret == -ENOSPC && !wait_for_room(job))
		return ret;
	else if (ret && ret != -ENOSPC)
		return ret;
	if (!ret) {
		job->deadline = 0;
		set_state(job, Q2_JOB_RUNNING);
		if (job->disk->low_water)
			q2_disk_look_for_room(job->disk);
		keep_rate(job);
		yield_to_guests(job);
	}
	stand_still(job);
	cond_resched();
	if (is_over(job))
		return -ECANCELED;
	/* ERROR-STAYS: nothing is written any more, by jobs neither. */
	return q2_disk_failed(job->disk) ? -EIO : 0;
}

int q2_job_copy(struct q2_job *job, struct q2_merge *m)
{
	u64 pos = 0, len;
	int ret = 0;

	while (pos < m->size && !ret) {
		ret = q2_merge_idle(m, pos, &len);
		pos += ret ? 0 : len;
		if (!ret && pos < m->size && !(len && q2_job_scan_is_long(job))) {
			ret = q2_merge_step(m, pos, m->size - pos, &len);
			pos += ret ? 0 : len;
		}
		q2_job_progress(job, m, pos);
		ret = q2_job_checkpoint(job, ret);
	}
	return ret;
}

int q2_job_switch(struct q2_job *job, struct q2_merge *m)
{
	struct q2_disk *disk = job->disk;
	struct q2_shared *into = disk->shared[m->into];
	struct q2_err err = {};
	struct q2_range all;
	int ret;

	/* BELOW-DURABLE-FIRST: what has been merged is, before the header that relies on it. */
	ret = q2_shared_flush(into);
	if (ret)
		return ret;
	/* ONE-CHANGER: the header is written while nobody changes a mapping. */
	q2_range_lock(&disk->ranges, &all, 0, U64_MAX);
	ret = q2_image_set_backing(disk->shared[job->overlay]->img, job->params.name,
				   job->params.format, &err);
	q2_range_unlock(&disk->ranges, &all);
	if (ret)
		pr_err("dm-qcow2: %s: %s: %s (error %d)\n", disk->name,
		       disk->shared[job->overlay]->file->name, err.text, -ret);
	else
		q2_layers_drop(disk, min(m->bottom, m->top), m->top);
	return ret;
}

/*
 * Life
 */

/*
 * Give back what the job wrote, but for the top. Return: 0; -errno: what was written cannot be
 * made durable.
 */
static int let_go(struct q2_job *job)
{
	struct q2_disk *disk = job->disk;
	unsigned int i;
	int ret = 0, one;

	q2_hints_switch(&disk->hints, false);
	if (job->dest)
		ret = q2_layers_end_dest(disk);
	job->dest = false;
	for (i = 0; i < disk->chain->nr_layers; i++) {
		struct q2_shared *s = disk->shared[i];

		if (!s)
			continue;
		if (s != disk->top && s->owner == disk->owner) {
			one = q2_layers_make_readonly(disk, i);
			ret = ret ? ret : one;
		}
		WRITE_ONCE(s->busy, false);
	}
	if (job->has_merge)
		q2_merge_end(&job->merge);
	if (job->has_down)
		q2_merge_end(&job->down);
	job->has_merge = false;
	job->has_down = false;
	kvfree(job->windows);
	job->windows = NULL;
	kfree(job->params.name);
	kfree(job->params.format);
	job->params.name = NULL;
	job->params.format = NULL;
	return ret;
}

static void run(struct work_struct *work)
{
	struct q2_job *job = container_of(work, struct q2_job, work);
	unsigned int noio = memalloc_noio_save();
	int ret, last;

	stand_still(job);
	job->step = ktime_get_ns();
	spin_lock(&job->lock);
	job->since = jiffies;
	spin_unlock(&job->lock);
	ret = q2_job_checkpoint(job, 0);
	if (!ret)
		ret = job->params.type == Q2_JOB_COMMIT ? q2_commit_run(job) : q2_stream_run(job);
	last = let_go(job);
	/* Also of a job that was cancelled: what guests wrote below meanwhile may be lost. */
	if (!ret || ret == -ECANCELED)
		ret = last ? last : ret;
	if (ret && ret != -ECANCELED)
		pr_err("dm-qcow2: %s: the %s job failed: error %d; the chain is valid, and it may be started again\n",
		       job->disk->name, job->params.type == Q2_JOB_COMMIT ? "commit" : "stream",
		       -ret);
	memalloc_noio_restore(noio);
	WRITE_ONCE(job->error, ret && ret != -ECANCELED ? ret : 0);
	if (!ret)
		WRITE_ONCE(job->done, job->total);
	/* ONE-PHASE: who sees that it is done may start the next one: see q2_job_ready(). */
	spin_lock(&job->lock);
	set_phase(job, Q2_JOB_IDLE);
	spin_unlock(&job->lock);
	set_state(job, !ret ? Q2_JOB_DONE : ret == -ECANCELED ? Q2_JOB_CANCELLED : Q2_JOB_FAILED);
	wake_up_all(&job->wait);
}

void q2_job_init(struct q2_job *job, struct q2_disk *disk)
{
	memset(job, 0, sizeof(*job));
	job->disk = disk;
	INIT_WORK(&job->work, run);
	init_waitqueue_head(&job->wait);
	spin_lock_init(&job->lock);
	/* Until the disk is resumed for the first time. */
	job->hold = true;
}

void q2_job_exit(struct q2_job *job)
{
	spin_lock(&job->lock);
	job->leave = true;
	spin_unlock(&job->lock);
	wake_up_all(&job->wait);
	/* ONE-PHASE: for IDLE, then for the rest of the work, which tells of it. */
	wait_event(job->wait, !q2_job_running(job));
	flush_work(&job->work);
}

static int copy_params(struct q2_job *job, const struct q2_job_params *params)
{
	job->params = *params;
	job->params.name = NULL;
	job->params.format = NULL;
	if (!params->name)
		return 0;
	job->params.name = kstrdup(params->name, GFP_KERNEL);
	job->params.format = kstrdup(params->format, GFP_KERNEL);
	return job->params.name && job->params.format ? 0 : -ENOMEM;
}

int q2_job_ready(struct q2_job *job, struct q2_err *err)
{
	if (q2_job_running(job))
		return q2_err_set(err, EBUSY, "a job is running; cancel it, or wait");
	/* It may be about to say that it is done. */
	flush_work(&job->work);
	return 0;
}

static void set_busy(struct q2_disk *disk, unsigned int layer)
{
	if (layer != Q2_NO_LAYER)
		WRITE_ONCE(disk->shared[layer]->busy, true);
}

/*
 * No table may take what the job writes, or layers above it. BUSY-FIRST: first say so, then
 * look: who opens images does it the other way round. (Of the layers that are not written yet
 * q2_shared_make_writable() looks.)
 */
static int take_layers(struct q2_job *job, struct q2_err *err)
{
	struct q2_disk *disk = job->disk;

	set_busy(disk, disk->chain->top);
	set_busy(disk, job->params.type == Q2_JOB_COMMIT ? job->params.base : job->params.into);
	if (q2_shared_is_sole(disk->top))
		return 0;
	return q2_err_set(err, EBUSY, "a table is loaded and not live yet");
}

static int start(struct q2_job *job, const struct q2_job_params *params, bool suspended,
		 struct q2_err *err)
{
	struct q2_disk *disk = job->disk;
	int ret;

	job->overlay = Q2_NO_LAYER;
	job->total = 0;
	memset(&job->merge, 0, sizeof(job->merge));
	memset(&job->down, 0, sizeof(job->down));
	ret = copy_params(job, params);
	if (ret)
		q2_err_set(err, ENOMEM, "there is not enough memory");
	if (!ret)
		ret = take_layers(job, err);
	if (!ret)
		ret = params->type == Q2_JOB_COMMIT ? q2_commit_start(job, suspended, err)
						    : q2_stream_start(job, suspended, err);
	if (ret) {
		let_go(job);
		job->params.type = Q2_JOB_NONE;
		return ret;
	}
	job->merge.stop = q2_job_scan_is_long;
	job->merge.stop_arg = job;
	job->down.stop = q2_job_scan_is_long;
	job->down.stop_arg = job;
	job->done = 0;
	job->moved = 0;
	job->owed = 0;
	job->asked = 0;
	job->requests = guest_requests(disk);
	job->guest_seen = 0;
	job->error = 0;
	job->deadline = 0;
	WRITE_ONCE(job->state, Q2_JOB_RUNNING);
	spin_lock(&job->lock);
	job->budget = 0;
	job->rate_kib = params->rate_kib;
	job->cancel = false;
	set_phase(job, Q2_JOB_QUEUED);
	spin_unlock(&job->lock);
	queue_work(jobs, &job->work);
	q2_disk_event(disk);
	return 0;
}

int q2_job_start(struct q2_job *job, const struct q2_job_params *params, bool suspended,
		 struct q2_err *err)
{
	/* Memory must not be had by writing to a disk that is suspended. */
	unsigned int noio = memalloc_noio_save();
	int ret = start(job, params, suspended, err);

	memalloc_noio_restore(noio);
	return ret;
}

int q2_job_cancel(struct q2_job *job)
{
	bool running;

	spin_lock(&job->lock);
	running = job->phase != Q2_JOB_IDLE;
	WRITE_ONCE(job->cancel, running);
	spin_unlock(&job->lock);
	wake_up_all(&job->wait);
	return running ? 0 : -ENOENT;
}

int q2_job_rate(struct q2_job *job, unsigned int kib)
{
	bool running;

	spin_lock(&job->lock);
	running = job->phase != Q2_JOB_IDLE;
	if (running) {
		job->budget = READ_ONCE(job->moved);
		job->since = jiffies;
		WRITE_ONCE(job->rate_kib, kib);
	}
	spin_unlock(&job->lock);
	wake_up_all(&job->wait);
	return running ? 0 : -ENOENT;
}

void q2_job_hold(struct q2_job *job)
{
	spin_lock(&job->lock);
	WRITE_ONCE(job->hold, true);
	spin_unlock(&job->lock);
	wake_up_all(&job->wait);
	/* ONE-PHASE: it stands, or has not begun, or is over. */
	wait_event(job->wait, READ_ONCE(job->phase) != Q2_JOB_WORKING);
}

void q2_job_release(struct q2_job *job)
{
	spin_lock(&job->lock);
	WRITE_ONCE(job->hold, false);
	spin_unlock(&job->lock);
	wake_up_all(&job->wait);
}
