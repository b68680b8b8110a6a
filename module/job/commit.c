// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commit: layers are merged down into a base.
 *
 * Layers below the top change by nobody's hand, and what is written to the base is
 * hidden by them: they are copied, the overlay above names the base, and they go.
 *
 * The top itself, when it is to be merged, is the last one above the base by then. From
 * now on guests write to the base wherever the top has nothing (ONE-OWNER). The job goes over
 * the disk once, window by window:
 *
 *	1. nobody changes a mapping in the window, or writes in place there
 *	2. what the top has is copied down
 *	3. the base is made durable: data and mapping
 *	4. the top forgets the window
 *
 * BELOW-DURABLE-FIRST: 3 before 4: a power cut in between shows the copy in the top. What
 * the top forgot may come back by one, as long as no flush has succeeded since; and a flush
 * takes the base and the top to the disk (FLUSH-COVERS). So when a guest's write to the
 * base has been flushed, nothing older hides it.
 *
 * The top never gets what it does not have, so one pass is enough.
 */
#include "env.h"
#include "job/job.h"

/* Guest bytes of a window, if no guest is active; a multiple of every cluster size. */
#define WINDOW (4ULL << 20)
/*
 * Windows of a batch: one wait for requests, and one flush of the base. It ends early when a
 * guest wants to write there, or is active and has been without its turn for a while.
 * Beside an active guest it is one: what a guest notices is how long the job works at a time.
 */
#define MAX_WINDOWS 64U
/* Guest bytes from the first to the last: the map forgets as much. */
#define BATCH_SPAN (1ULL << 30)

static_assert(WINDOW % (1ULL << Q2_MAX_CLUSTER_BITS) == 0);

static void describe(struct q2_job *job, struct q2_merge *m, unsigned int top, unsigned int bottom)
{
	m->chain = job->disk->chain;
	m->top = top;
	m->bottom = bottom;
	m->into = job->params.base;
	m->expand = q2_job_expand;
	m->arg = job->disk;
}

/* What is to be merged in which way, and is the name there when it is needed? */
static int plan(struct q2_job *job, struct q2_err *err)
{
	const struct q2_job_params *p = &job->params;
	struct q2_chain *chain = job->disk->chain;
	unsigned int first = p->top;

	if (p->top <= p->base)
		return q2_err_set(err, EINVAL, "the base must lie below the top");
	if (p->top == chain->top) {
		describe(job, &job->down, p->top, p->top);
		first = q2_chain_below(chain, p->top);
	}
	if (first != p->base) {
		describe(job, &job->merge, first, q2_chain_above(chain, p->base));
		/* What goes beyond the end of the top is not to be in the disk either. */
		if (p->top == chain->top)
			job->merge.limit = chain->layers[p->top].size;
		job->overlay = q2_chain_above(chain, first);
	}
	if (!p->name != (job->overlay == Q2_NO_LAYER))
		return q2_err_set(
			err, EINVAL,
			p->name ? "no overlay is to get another backing file"
				: "the name of the overlay's new backing file is missing");
	return 0;
}

static int begin(struct q2_merge *m, bool suspended, bool *begun, struct q2_err *err)
{
	int ret;

	if (!suspended && q2_merge_grows(m))
		return q2_err_set(err, EAGAIN,
				  "the base has to grow, for which the device must be suspended");
	ret = q2_merge_begin(m, err);
	*begun = !ret;
	return ret;
}

int q2_commit_start(struct q2_job *job, bool suspended, struct q2_err *err)
{
	struct q2_disk *disk = job->disk;
	int ret = plan(job, err);

	if (!ret)
		ret = q2_job_no_snapshots(job, job->params.base + 1, job->params.top, err);
	if (!ret)
		ret = q2_layers_make_writable(disk, job->params.base, err);
	if (!ret && job->overlay != Q2_NO_LAYER && job->overlay != disk->chain->top) {
		/* BUSY-FIRST: then it is looked at who has it. */
		WRITE_ONCE(disk->shared[job->overlay]->busy, true);
		ret = q2_layers_make_writable(disk, job->overlay, err);
	}
	/* The base grows while nobody uses it, for both. */
	if (!ret && job->merge.chain)
		ret = begin(&job->merge, suspended, &job->has_merge, err);
	if (!ret && job->down.chain)
		ret = begin(&job->down, suspended, &job->has_down, err);
	if (!ret && job->has_down) {
		job->windows = kvmalloc_array(MAX_WINDOWS, sizeof(*job->windows), GFP_KERNEL);
		if (!job->windows)
			ret = q2_err_set(err, ENOMEM, "there is not enough memory");
	}
	job->total = job->merge.size + job->down.size;
	return ret;
}

/*
 * The windows of the next batch, from *@pos on, and where the one after begins. @nr: how
 * many; none is locked yet: guests can only make what there is to copy less. Beside an
 * active guest they are as small as its pieces, which no cluster is larger than.
 */
static int plan_batch(struct q2_job *job, u64 *pos, unsigned int *nr)
{
	struct q2_merge *m = &job->down;
	struct q2_job_window *w = job->windows;
	u64 window = m->piece ? m->piece : WINDOW, len, end;
	unsigned int most = m->piece ? 1 : MAX_WINDOWS;

	for (*nr = 0; *nr < most && !q2_job_disturbed(job); *pos = end) {
		int ret = q2_merge_idle(m, *pos, &len);

		if (ret)
			return ret;
		*pos += len;
		/* A scan that was ended does not know what comes next. */
		if (*pos >= m->size || (len && q2_job_scan_is_long(job)))
			break;
		end = min(round_down(*pos, window) + window, m->size);
		if (*nr && (end - w[0].start > BATCH_SPAN || READ_ONCE(job->rate_kib)))
			break;
		w[*nr].start = round_down(*pos, window);
		w[*nr].end = end;
		++*nr;
	}
	return 0;
}

/*
 * Copy a window that is locked and frozen. STEP-IS-BOUNDED: if somebody waits for the job, only as
 * far as the end of a cluster of the top: what is left of it is the next batch's. (ONE-OWNER: of
 * no cluster a part.)
 */
static int copy_window(struct q2_job *job, struct q2_job_window *w)
{
	u64 cluster = q2_image_geometry(job->disk->top->img)->cluster_size;
	u64 pos, done;
	int ret = 0;

	for (pos = w->start; pos < w->end && !ret; pos += done) {
		if (pos > w->start && IS_ALIGNED(pos, cluster) && q2_job_disturbed(job)) {
			w->end = pos;
			break;
		}
		ret = q2_merge_step(&job->down, pos, w->end - pos, &done);
		if (ret)
			break;
		cond_resched();
	}
	return ret;
}

/*
 * 2 to 4 of the head of this file, for windows that are locked and frozen. @moved: result:
 * the first guest byte that is not merged yet; up to it, all is.
 */
static int move_batch(struct q2_job *job, const struct q2_range *range, unsigned int nr, u64 *moved)
{
	struct q2_disk *disk = job->disk;
	struct q2_job_window *w = job->windows;
	unsigned int i, copied;
	u64 planned;
	int ret = 0;

	*moved = w[0].start;
	for (i = 0; i < nr && !ret; i += !ret) {
		if (i && (q2_range_wanted(range) || q2_job_awaited(job)))
			break;
		planned = w[i].end;
		ret = copy_window(job, &w[i]);
		if (!ret && w[i].end < planned)
			nr = i + 1;
	}
	/* What has been copied needs no second time; the error comes back in the next batch. */
	copied = i;
	if (ret && !copied)
		return ret;
	/* BELOW-DURABLE-FIRST: and only then is it gone above. */
	ret = q2_shared_flush(disk->dest);
	if (ret)
		q2_disk_fail(disk, "a flush of the base failed");
	for (i = 0; i < copied && !ret; i++)
		ret = q2_image_unallocate(disk->top->img, w[i].start, w[i].end - w[i].start);
	if (!ret)
		*moved = w[copied - 1].end;
	return ret;
}

/*
 * FAIR-RANGES: the windows, and what lies between them, are one range: whoever holds one and
 * asked for the next could wait for somebody who waits for the first. ONE-OWNER: frozen from before
 * the copy until the top has forgotten it.
 */
static int merge_batch(struct q2_job *job, u64 *pos)
{
	struct q2_disk *disk = job->disk;
	struct q2_job_window *w = job->windows;
	u64 next = *pos, last, moved;
	struct q2_range range;
	unsigned int nr;
	int ret;

	ret = plan_batch(job, &next, &nr);
	if (!ret && nr) {
		last = w[nr - 1].end;
		q2_range_lock(&disk->ranges, &range, w[0].start, last);
		q2_layers_freeze(disk, w[0].start, last);
		ret = move_batch(job, &range, nr, &moved);
		q2_layers_thaw(disk);
		q2_range_unlock(&disk->ranges, &range);
		if (moved < last)
			next = moved;
	}
	if (!ret)
		*pos = next;
	return ret;
}

static int merge_top(struct q2_job *job)
{
	struct q2_err err = {};
	u64 pos = 0;
	int ret;

	ret = q2_layers_begin_dest(job->disk, job->params.base, &err);
	if (ret)
		return ret;
	job->dest = true;
	while (pos < job->down.size && !ret) {
		ret = merge_batch(job, &pos);
		q2_job_progress(job, &job->down, pos);
		ret = q2_job_checkpoint(job, ret);
	}
	/* The top is empty for good before nobody looks at it any more (BELOW-DURABLE-FIRST). */
	if (!ret)
		ret = q2_disk_flush(job->disk);
	if (ret)
		return ret;
	q2_layers_pivot(job->disk);
	job->dest = false;
	return 0;
}

int q2_commit_run(struct q2_job *job)
{
	int ret = 0;

	if (job->has_merge) {
		ret = q2_job_copy(job, &job->merge);
		if (!ret)
			ret = q2_job_switch(job, &job->merge);
	}
	if (!ret && job->has_down)
		ret = merge_top(job);
	return ret;
}
