// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream: an overlay gets what shows through it.
 *
 * A range is copied while no guest changes its mapping, and only where the overlay has
 * nothing: what a guest has written, discarded or zeroed stays. BELOW-DURABLE-FIRST: when all of
 * it has been copied and is durable, the header names the new backing file, or none.
 */
#include "env.h"
#include "job/job.h"

int q2_stream_start(struct q2_job *job, bool suspended, struct q2_err *err)
{
	const struct q2_job_params *p = &job->params;
	struct q2_disk *disk = job->disk;
	struct q2_chain *chain = disk->chain;
	struct q2_merge *m = &job->merge;
	int ret;

	m->chain = chain;
	m->into = p->into;
	m->top = q2_chain_below(chain, p->into);
	m->bottom = p->base == Q2_NO_LAYER ? 0 : q2_chain_above(chain, p->base);
	while (m->bottom < p->into && chain->layers[m->bottom].gone)
		m->bottom++;
	if (m->top == Q2_NO_LAYER || m->bottom >= p->into)
		return q2_err_set(err, EINVAL, "there is no layer to be pulled up");
	if (!p->name != (p->base == Q2_NO_LAYER))
		return q2_err_set(err, EINVAL, "the name of the new backing file goes with a base");
	if (p->copy_on_read && p->into != chain->top)
		return q2_err_set(err, EINVAL, "guests read what is copied only in the top layer");
	ret = q2_job_no_snapshots(job, p->into, p->into, err);
	if (ret)
		return ret;
	m->expand = q2_job_expand;
	m->arg = disk;
	if (p->into != chain->top) {
		ret = q2_layers_make_writable(disk, p->into, err);
		if (ret)
			return ret;
	}
	ret = q2_merge_begin(m, err);
	if (ret)
		return ret;
	job->has_merge = true;
	job->overlay = p->into;
	job->total = m->size;
	q2_hints_switch(&disk->hints, p->copy_on_read);
	return 0;
}

/* One step into the top, where guests write: ONE-CHANGER: they wait for it. */
static int step(struct q2_job *job, struct q2_merge *m, u64 pos, u64 *done)
{
	struct q2_disk *disk = job->disk;
	u64 most = m->piece ? m->piece : Q2_MERGE_BYTES;
	struct q2_range range;
	int ret;

	q2_range_lock(&disk->ranges, &range, pos, pos + most);
	ret = q2_merge_step(m, pos, most, done);
	q2_range_unlock(&disk->ranges, &range);
	return ret;
}

static int follow_hint(struct q2_job *job, struct q2_merge *m, const struct q2_hint *hint)
{
	u64 unit = job->disk->range_unit, pos, end, len;
	int ret = 0;

	end = min(round_up(hint->guest + hint->len, unit), m->size);
	for (pos = round_down(hint->guest, unit); pos < end && !ret; pos += len) {
		ret = q2_merge_idle(m, pos, &len);
		if (!ret && !len)
			ret = step(job, m, pos, &len);
	}
	return ret;
}

/*
 * The clusters where guests have been, now rather than later; no longer than a step may take
 * (STEP-IS-BOUNDED).
 */
static int follow_guests(struct q2_job *job, struct q2_merge *m)
{
	struct q2_hint hint;
	unsigned int n;
	int ret = 0;

	for (n = 0; n < Q2_HINTS && !ret && !q2_job_awaited(job); n++) {
		if (!q2_hints_take(&job->disk->hints, &hint))
			break;
		ret = follow_hint(job, m, &hint);
	}
	return ret;
}

static int fill_top(struct q2_job *job, struct q2_merge *m)
{
	u64 pos = 0, len;
	int ret = 0;

	while (pos < m->size && !ret) {
		ret = follow_guests(job, m);
		if (!ret)
			ret = q2_merge_idle(m, pos, &len);
		pos += ret ? 0 : len;
		if (!ret && pos < m->size && !(len && q2_job_scan_is_long(job))) {
			ret = step(job, m, pos, &len);
			pos += ret ? 0 : len;
		}
		q2_job_progress(job, m, pos);
		ret = q2_job_checkpoint(job, ret);
	}
	return ret;
}

int q2_stream_run(struct q2_job *job)
{
	struct q2_merge *m = &job->merge;
	int ret = m->into == job->disk->chain->top ? fill_top(job, m) : q2_job_copy(job, m);

	return ret ? ret : q2_job_switch(job, m);
}
