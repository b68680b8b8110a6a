// SPDX-License-Identifier: GPL-2.0-only
/* What moving the bytes of a device needs; and memory that is given back. */
#include "env.h"
#include "io/bios.h"
#include "io/device.h"
#include "io/inflate.h"
#include "io/request.h"
#include "io/task.h"
#include "serve/io.h"

/* Pieces of split requests that can always be had. */
#define MIN_SPLITS 16

int q2_io_open(struct q2_disk *disk)
{
	struct q2_disk_io *io = kzalloc(sizeof(*io), GFP_KERNEL);
	int ret;

	if (!io)
		return -ENOMEM;
	ret = bioset_init(&io->bios, MIN_SPLITS, Q2_REQUEST_FRONT_PAD, 0);
	if (ret) {
		kfree(io);
		return ret;
	}
	disk->io = io;
	return 0;
}

int q2_io_prepare(struct q2_disk *disk, const struct q2_shared *s)
{
	struct q2_disk_io *io = disk->io;
	int ret;

	/*
	 * No high priority: it would run before who asks has gone to sleep, and then that one
	 * never seems to (asker_sleeps()).
	 */
	if (!io->near_wq)
		io->near_wq = alloc_workqueue("dm-qcow2-n/%s", Q2_WQ_PERCPU | WQ_MEM_RECLAIM,
					      Q2_MAX_CHANGES, disk->name);
	if (!io->near_wq)
		return -ENOMEM;
	if (q2_host_is_device(s->host) || io->has_bios)
		return 0;
	ret = q2_bios_get();
	io->has_bios = !ret;
	return ret;
}

void q2_io_close(struct q2_disk *disk)
{
	struct q2_disk_io *io = disk->io;

	if (io->near_wq)
		destroy_workqueue(io->near_wq);
	if (io->has_bios)
		q2_bios_put();
	bioset_exit(&io->bios);
	kfree(io);
}

/*
 * Memory given back: leaves of maps, slices of metadata, places to inflate in.
 * One object is about a page. Locks are tried, never waited for.
 */

static struct shrinker *shrinker;

static unsigned long count_objects(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = q2_shared_shrinkable() + q2_disks_shrinkable() + q2_inflate_shrinkable();

	return n ? n : SHRINK_EMPTY;
}

/* Slices first: the map above them answers without them. */
static unsigned long scan_objects(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long done = q2_shared_shrink(sc->nr_to_scan);

	if (done < sc->nr_to_scan)
		done += q2_inflate_shrink();
	if (done < sc->nr_to_scan)
		done += q2_disks_shrink(sc->nr_to_scan - done);
	return done ? done : SHRINK_STOP;
}

int q2_io_init(void)
{
	int ret = q2_task_init();

	if (ret)
		return ret;
	ret = q2_inflate_init();
	if (ret)
		goto exit_task;
	ret = -ENOMEM;
	shrinker = q2_shrinker_alloc();
	if (!shrinker)
		goto exit_inflate;
	shrinker->count_objects = count_objects;
	shrinker->scan_objects = scan_objects;
	ret = q2_shrinker_register(shrinker);
	if (ret)
		goto free_shrinker;
	return 0;

free_shrinker:
	q2_shrinker_free(shrinker);
exit_inflate:
	q2_inflate_exit();
exit_task:
	q2_task_exit();
	return ret;
}

void q2_io_exit(void)
{
	q2_shrinker_free(shrinker);
	q2_inflate_exit();
	q2_task_exit();
}
