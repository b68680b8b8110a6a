// SPDX-License-Identifier: GPL-2.0-only
/* What device-mapper does with a device. */
#include "dm.h"

#define MOST_LAYERS 4

void dm_init(struct dm *dm, struct q2_control *table)
{
	dm->live = table;
	dm->blocked = true;
	dm->noflush = false;
	dm->still = false;
	mutex_init(&dm->suspend_lock);
	atomic_set(&dm->in_flight, 0);
	init_waitqueue_head(&dm->wait);
}

void dm_enter(struct dm *dm)
{
	for (;;) {
		wait_event(dm->wait, !READ_ONCE(dm->blocked));
		/* dm.c has an SRCU read section for this: who blocks waits for those inside. */
		atomic_inc(&dm->in_flight);
		if (!READ_ONCE(dm->blocked))
			return;
		dm_leave(dm);
	}
}

void dm_leave(struct dm *dm)
{
	if (atomic_dec_and_test(&dm->in_flight))
		wake_up_all(&dm->wait);
}

void dm_suspend(struct dm *dm, bool noflush)
{
	mutex_lock(&dm->suspend_lock);
	if (!dm->blocked) {
		dm->noflush = noflush;
		q2_control_presuspend(dm->live, noflush);
		WRITE_ONCE(dm->blocked, true);
		wait_event(dm->wait, !atomic_read(&dm->in_flight));
		q2_control_postsuspend(dm->live);
		dm->noflush = false;
		dm->still = true;
	}
	mutex_unlock(&dm->suspend_lock);
}

struct q2_control *dm_resume(struct dm *dm, struct q2_control *table)
{
	struct q2_control *old = NULL;

	mutex_lock(&dm->suspend_lock);
	if (dm->blocked) {
		if (table) {
			old = dm->live;
			dm->live = table;
		}
		dm->still = false;
		q2_control_preresume(dm->live);
		WRITE_ONCE(dm->blocked, false);
		wake_up_all(&dm->wait);
	}
	mutex_unlock(&dm->suspend_lock);
	return old;
}

static void event(void *arg)
{
}

static void gone(void *arg, unsigned int layer)
{
}

struct q2_control *dm_table(struct dm *dm, const char *const *paths, unsigned int nr, bool write,
			    unsigned int nospace_ms, struct q2_err *err)
{
	struct q2_disk_layer layers[MOST_LAYERS];
	struct q2_control *table;
	struct q2_disk_params params = {
		.name = "disk",
		.nr_layers = nr,
		.layers = layers,
		.map_bytes = Q2_MAP_MIN,
		.cache_bytes = Q2_CACHE_MIN,
		.lock = true,
		.write = write,
		.nospace_ms = nospace_ms,
		.owner = dm,
		.event = event,
		.gone = gone,
	};
	struct q2_disk *disk;
	unsigned int i;

	for (i = 0; i < nr; i++)
		layers[i] = (struct q2_disk_layer){
			paths[i], strcmp(paths[i], "raw") ? Q2_FORMAT_QCOW2 : Q2_FORMAT_RAW};
	table = kzalloc(sizeof(*table), GFP_KERNEL);
	if (!table)
		return ERR_PTR(-ENOMEM);
	params.table = table;
	disk = q2_disk_open(&params, err);
	if (IS_ERR(disk)) {
		kfree(table);
		return ERR_CAST(disk);
	}
	q2_control_init(table, disk);
	return table;
}

void dm_table_destroy(struct q2_control *table)
{
	q2_control_exit(table);
	q2_disk_close(table->disk);
	kfree(table);
}
