// SPDX-License-Identifier: GPL-2.0-only
/* Changing the chain of a disk in use. */
#include "env.h"
#include "serve/io.h"
#include "serve/layers.h"

/* ONE-CHANGER: nobody changes a mapping, from here until the range is given back. */
static void lock_all(struct q2_disk *disk, struct q2_range *range)
{
	q2_range_lock(&disk->ranges, range, 0, U64_MAX);
}

/*
 * TOKEN-FIRST: lookups have stopped finding the old state, but for the map; when it has, too,
 * requests that may have found it end.
 */
static void wait_for_requests(struct q2_disk *disk)
{
	q2_map_forget_all(disk->map);
	synchronize_srcu_expedited(&disk->in_flight);
}

int q2_layers_make_writable(struct q2_disk *disk, unsigned int layer, struct q2_err *err)
{
	struct q2_shared *s = disk->shared[layer];
	int ret;

	ret = q2_disk_fit_unit(disk, s);
	if (!ret)
		ret = q2_io_prepare(disk, s);
	if (ret)
		return q2_err_set(err, -ret, "there is not enough memory");
	ret = q2_shared_make_writable(s, disk->owner, &q2_disk_hooks, err);
	if (ret)
		return ret;
	s->layer = layer;
	WRITE_ONCE(s->disk, disk);
	return 0;
}

int q2_layers_make_readonly(struct q2_disk *disk, unsigned int layer)
{
	return q2_shared_make_readonly(disk->shared[layer]);
}

int q2_layers_begin_dest(struct q2_disk *disk, unsigned int layer, struct q2_err *err)
{
	struct q2_range all;
	int ret;

	ret = q2_layers_make_writable(disk, layer, err);
	if (ret)
		return ret;
	/* ONE-OWNER: writes on their way go to the top yet, where it has nothing. */
	lock_all(disk, &all);
	down_write(&disk->layers_lock);
	mutex_lock(&disk->look_lock);
	disk->dest = disk->shared[layer];
	WRITE_ONCE(disk->chain->dest, layer);
	mutex_unlock(&disk->look_lock);
	up_write(&disk->layers_lock);
	/* MAP-FOLLOWS: what the map knows of that layer is that it may not be written. */
	q2_map_forget_all(disk->map);
	q2_range_unlock(&disk->ranges, &all);
	return 0;
}

int q2_layers_end_dest(struct q2_disk *disk)
{
	unsigned int layer = disk->chain->dest;
	struct q2_shared *dest = disk->shared[layer];
	struct q2_range all;
	int ret, last;

	lock_all(disk, &all);
	WRITE_ONCE(disk->chain->dest, Q2_NO_LAYER);
	/* Writes in place under way must be in the file when it is complete (TOKEN-FIRST). */
	wait_for_requests(disk);
	q2_range_unlock(&disk->ranges, &all);
	/*
	 * FLUSH-COVERS: guests write to the top again. What they wrote below is not durable yet,
	 * so a flush covers both until it is (disk->dest): else it would be acknowledged too early.
	 * ERROR-STAYS: if it never will be, no flush may find the top alone before all fail.
	 */
	ret = q2_shared_flush(dest);
	if (ret)
		q2_disk_fail(disk, "a flush of the base failed");
	down_write(&disk->layers_lock);
	mutex_lock(&disk->look_lock);
	disk->dest = NULL;
	mutex_unlock(&disk->look_lock);
	up_write(&disk->layers_lock);
	last = q2_layers_make_readonly(disk, layer);
	if (last)
		q2_disk_fail(disk, "a flush of the base failed");
	return ret ? ret : last;
}

/*
 * Close layers that are gone, and that no request uses any more. Hooks of an image that is
 * being closed find no disk, and who looks at the layers finds none of these. Without
 * layers_lock: closing may take long, and a flush shall not wait for it. STATUS-NEVER-WAITS:
 * look_lock is given back before each is closed.
 */
static void put_layers(struct q2_disk *disk, unsigned int first, unsigned int last)
{
	struct q2_shared *s;
	unsigned int i;

	for (i = first; i <= last; i++) {
		s = disk->shared[i];
		if (!s)
			continue;
		if (s->disk == disk)
			WRITE_ONCE(s->disk, NULL);
		mutex_lock(&disk->look_lock);
		disk->shared[i] = NULL;
		disk->chain->layers[i].img = NULL;
		disk->chain->layers[i].file = NULL;
		mutex_unlock(&disk->look_lock);
		q2_shared_put(s);
		disk->gone(disk->event_arg, i);
	}
}

static void mark_gone(struct q2_disk *disk, unsigned int first, unsigned int last)
{
	for (; first <= last; first++)
		WRITE_ONCE(disk->chain->layers[first].gone, true);
}

void q2_layers_drop(struct q2_disk *disk, unsigned int first, unsigned int last)
{
	/* TOKEN-FIRST: not found any more, then waited for, then closed. */
	mark_gone(disk, first, last);
	wait_for_requests(disk);
	put_layers(disk, first, last);
}

void q2_layers_pivot(struct q2_disk *disk)
{
	unsigned int last = disk->chain->top;
	struct q2_range all;

	lock_all(disk, &all);
	down_write(&disk->layers_lock);
	mutex_lock(&disk->look_lock);
	/* FLUSH-COVERS: at once, for who flushes. ONE-OWNER: under the range, for who writes. */
	disk->top = disk->dest;
	disk->dest = NULL;
	WRITE_ONCE(disk->chain->top, disk->chain->dest);
	WRITE_ONCE(disk->chain->dest, Q2_NO_LAYER);
	mark_gone(disk, disk->chain->top + 1, last);
	mutex_unlock(&disk->look_lock);
	up_write(&disk->layers_lock);
	wait_for_requests(disk);
	q2_range_unlock(&disk->ranges, &all);
	put_layers(disk, disk->chain->top + 1, last);
}

void q2_layers_freeze(struct q2_disk *disk, u64 start, u64 end)
{
	struct q2_chain *chain = disk->chain;

	/* TOKEN-FIRST: no lookup says "in place" any more; then those that did have ended. */
	WRITE_ONCE(chain->frozen, start);
	WRITE_ONCE(chain->frozen_end, end);
	q2_map_forget(disk->map, start, end - start);
	synchronize_srcu_expedited(&disk->in_flight);
}

void q2_layers_thaw(struct q2_disk *disk)
{
	struct q2_chain *chain = disk->chain;
	u64 start = chain->frozen, end = chain->frozen_end;

	WRITE_ONCE(chain->frozen_end, 0);
	q2_map_forget(disk->map, start, end - start);
}
