// SPDX-License-Identifier: GPL-2.0-only
/* One device: its layers opened, its map, its workers, its counters. */
#include "env.h"
#include "serve/io.h"

/* How often to look for room while clusters are allocated. */
#define ROOM_INTERVAL HZ

static DEFINE_MUTEX(disks_lock);
static LIST_HEAD(disks); /* protected by disks_lock */

/* The name of the backing file must agree with what the table lists below. */
static int check_backing(const struct q2_disk *disk, unsigned int i, struct q2_err *err)
{
	const struct q2_shared *s = disk->shared[i];
	bool names = s->img && q2_image_header(s->img)->has_backing;

	if (names && !i)
		return q2_err_set(err, EINVAL,
				  "%s: has a backing file, but the table lists no layer below it",
				  s->file->name);
	if (!names && i)
		return q2_err_set(err, EINVAL,
				  "%s: has no backing file, but the table lists a layer below it",
				  s->file->name);
	return 0;
}

static int cmp_host(const void *a, const void *b)
{
	return q2_host_compare(*(const struct q2_host *const *)a,
			       *(const struct q2_host *const *)b);
}

/* A file that is in the chain twice is a loop, or a mistake. */
static int check_twice(const struct q2_disk *disk, struct q2_err *err)
{
	unsigned int i, n = disk->chain->nr_layers;
	struct q2_host **hosts = kvmalloc_array(n, sizeof(*hosts), GFP_KERNEL);
	int ret = 0;

	if (!hosts)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		hosts[i] = disk->shared[i]->host;
	sort(hosts, n, sizeof(*hosts), cmp_host, NULL);
	for (i = 1; i < n && !ret; i++) {
		if (!q2_host_compare(hosts[i - 1], hosts[i]))
			ret = q2_err_set(err, ELOOP, "%s: is in the chain twice",
					 q2_host_file(hosts[i])->name);
	}
	kvfree(hosts);
	return ret;
}

static void put_layers(struct q2_disk *disk)
{
	unsigned int i;

	for (i = 0; i < disk->chain->nr_layers; i++) {
		if (disk->shared[i])
			q2_shared_put(disk->shared[i]);
	}
}

/* NO-REUSE: clusters freed before may be used again once the requests of that time have ended. */
static void quiesce(void *arg)
{
	struct q2_shared *s = arg;
	struct q2_disk *disk = READ_ONCE(s->disk);

	/* Without a disk there are no requests: the image is being closed. */
	if (disk)
		synchronize_srcu_expedited(&disk->in_flight);
}

/* MAP-FOLLOWS: under the image's lock: see q2_image_hooks. Without a disk nobody has a map. */
static void image_mapped(void *arg, u64 guest, u64 len, u64 host)
{
	struct q2_shared *s = arg;
	struct q2_disk *disk = READ_ONCE(s->disk);
	u64 granule, start, past;

	if (!disk)
		return;
	if (s->layer != READ_ONCE(disk->chain->top)) {
		/* Layers above may have something else there. */
		q2_map_forget(disk->map, guest, len);
		return;
	}
	/*
	 * A border inside a granule has data beside it that were there before, on
	 * the same host cluster: else it would have been filled.
	 */
	granule = 1ULL << disk->chain->granule_bits;
	start = round_down(guest, granule);
	past = min(guest + len, disk->chain->size);
	q2_map_set_data(disk->map, start, past - start, s->layer, host - (guest - start));
}

/* MAP-FOLLOWS: the same. */
static void image_forget(void *arg, u64 guest, u64 len)
{
	struct q2_shared *s = arg;
	struct q2_disk *disk = READ_ONCE(s->disk);

	if (disk)
		q2_map_forget(disk->map, guest, len);
}

static void image_failed(void *arg, const char *what)
{
	struct q2_shared *s = arg;
	struct q2_disk *disk = READ_ONCE(s->disk);

	pr_err("dm-qcow2: %s: %s: %s; it is read-only from now on\n", disk ? disk->name : "closing",
	       s->file->name, what);
	if (disk)
		q2_disk_fail(disk, what);
}

const struct q2_image_hooks q2_disk_hooks = {
	.quiesce = quiesce,
	.mapped = image_mapped,
	.forget = image_forget,
	.failed = image_failed,
};

void q2_disk_event(struct q2_disk *disk)
{
	disk->event(disk->event_arg);
}

void q2_disk_fail(struct q2_disk *disk, const char *what)
{
	if (cmpxchg(&disk->failed, NULL, what))
		return;
	pr_err("dm-qcow2: %s: %s; nothing is written from now on, and flushes fail\n", disk->name,
	       what);
	q2_disk_event(disk);
}

int q2_disk_flush(struct q2_disk *disk)
{
	int ret = 0, top;

	down_read(&disk->layers_lock);
	/* FLUSH-COVERS: a write that has ended may lie in either. */
	if (disk->dest)
		ret = q2_shared_flush(disk->dest);
	top = q2_shared_flush(disk->top);
	up_read(&disk->layers_lock);
	/* ERROR-STAYS: also for who did not make the one that failed. */
	ret = ret ? ret : top;
	if (ret)
		q2_disk_fail(disk, "a flush failed");
	else if (q2_disk_failed(disk))
		ret = -EIO;
	return ret;
}

static u64 room_of(struct q2_shared *s)
{
	q2_host_refresh(s->host);
	return q2_host_room(s->host, s->img ? q2_image_end(s->img) : 0);
}

/* With layers_lock held. */
static void look_for_room(struct q2_disk *disk)
{
	u64 room = room_of(disk->top);

	/* A merge fills the file system of the base. */
	if (disk->dest)
		room = min(room, room_of(disk->dest));
	WRITE_ONCE(disk->room_left, room);
	/* Two that look at the same time may both tell: an event more does no harm. */
	if (room >= disk->low_water) {
		WRITE_ONCE(disk->is_low, false);
	} else if (!READ_ONCE(disk->is_low)) {
		WRITE_ONCE(disk->is_low, true);
		pr_warn("dm-qcow2: %s: %s: %llu KiB of room are left, which is below the low water mark\n",
			disk->name, disk->top->file->name, room >> 10);
		q2_disk_event(disk);
	}
}

void q2_disk_look_for_room(struct q2_disk *disk)
{
	if (time_before(jiffies, READ_ONCE(disk->room_looked) + ROOM_INTERVAL))
		return;
	WRITE_ONCE(disk->room_looked, jiffies);
	down_read(&disk->layers_lock);
	look_for_room(disk);
	up_read(&disk->layers_lock);
}

static void commit_work(struct work_struct *work)
{
	struct q2_disk *disk = container_of(to_delayed_work(work), struct q2_disk, commit_work);
	unsigned int noio = memalloc_noio_save();

	q2_disk_flush(disk); /* an error has made the image read-only, and was told of */
	q2_disk_look_for_room(disk);
	memalloc_noio_restore(noio);
}

/* Are the layers of @old the first ones of @disk, and may its map serve here? */
static bool continues(const struct q2_disk *disk, const struct q2_disk *old)
{
	unsigned int i;

	if (old->chain->nr_layers > disk->chain->nr_layers ||
	    old->chain->top != old->chain->nr_layers - 1)
		return false;
	for (i = 0; i < old->chain->nr_layers; i++) {
		if (old->shared[i] != disk->shared[i] || old->chain->layers[i].gone)
			return false;
	}
	return true;
}

/* The disk that served this device before, still there and idle, if any; else NULL. */
static struct q2_disk *find_old(const struct q2_disk *disk)
{
	unsigned int i;

	for (i = disk->chain->nr_layers; i--;) {
		const struct q2_shared *s = disk->shared[i];

		if (s && s->owner == disk->owner && s->disk)
			return s->disk == disk ? NULL : s->disk;
	}
	return NULL;
}

/*
 * Take the map of the disk before, so that nothing starts cold. No request is in flight
 * on either; disks_lock keeps the shrinker away.
 */
static void take_map(struct q2_disk *disk, struct q2_disk *old)
{
	struct q2_map *map = old->map;

	mutex_lock(&disks_lock);
	if (continues(disk, old) && q2_map_rebind(map, disk->chain)) {
		/* The old disk gets the new one's, which is empty. */
		q2_map_rebind(disk->map, old->chain);
		old->map = disk->map;
		disk->map = map;
	}
	mutex_unlock(&disks_lock);
}

/*
 * What a table before this one wrote, and this one does not, may be read by others now.
 * Not what a job of this disk is about to write.
 */
static void give_up_old(struct q2_disk *disk)
{
	unsigned int i;

	for (i = 0; i < disk->chain->nr_layers; i++) {
		struct q2_shared *s = disk->shared[i];

		if (!s || (disk->writable && s == disk->top) || s->owner != disk->owner ||
		    s->disk == disk)
			continue;
		/* ERROR-STAYS: guests wrote there, and have not been told that it may be lost. */
		if (q2_shared_make_readonly(s))
			q2_disk_fail(disk, "a flush of the old top failed");
	}
}

static bool uses(const struct q2_disk *disk, const struct q2_shared *s)
{
	unsigned int i;

	for (i = 0; i < disk->chain->nr_layers; i++) {
		if (disk->shared[i] == s)
			return true;
	}
	return false;
}

/*
 * ERROR-STAYS: what the table before could not make durable is lost for this one, too, if it
 * shows the layer that guests wrote to. A base that a merge had begun to write remembers by
 * itself: q2_shared_failed(). One that only reads keeps the failure for the next one to come.
 */
static void inherit_failure(struct q2_disk *disk)
{
	const char *what = NULL;
	struct q2_disk *old;

	mutex_lock(&disks_lock);
	list_for_each_entry(old, &disks, list) {
		if (old != disk && old->owner == disk->owner && READ_ONCE(old->failed) &&
		    uses(disk, old->top))
			what = READ_ONCE(old->failed);
	}
	mutex_unlock(&disks_lock);
	if (what && disk->writable)
		q2_disk_fail(disk, what);
	else if (what)
		WRITE_ONCE(disk->failed, what);
}

void q2_disk_resume(struct q2_disk *disk)
{
	struct q2_disk *old;

	q2_room_return(disk);
	old = disk->writable ? find_old(disk) : NULL;
	if (old)
		take_map(disk, old);
	inherit_failure(disk);
	give_up_old(disk);
	if (!disk->writable)
		return;
	disk->top->layer = disk->chain->top;
	WRITE_ONCE(disk->top->disk, disk);
	/* ERROR-STAYS: while nobody used it, or under another table. */
	if (q2_shared_failed(disk->top))
		q2_disk_fail(disk, "the image could not be written");
	q2_disk_look_for_room(disk);
}

void q2_disk_postsuspend(struct q2_disk *disk)
{
	if (!disk->writable)
		return;
	cancel_delayed_work_sync(&disk->commit_work);
	/* ERROR-STAYS: a failure is kept for the flushes to come: see q2_disk_fail(). */
	q2_disk_flush(disk);
}

static int open_layers(struct q2_disk *disk, const struct q2_disk_params *params,
		       struct q2_err *err)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < params->nr_layers; i++) {
		struct q2_layer *layer = &disk->chain->layers[i];
		bool write = params->write && i == params->nr_layers - 1;
		const struct q2_share_params how = {
			.path = params->layers[i].path,
			.format = params->layers[i].format,
			.cache_bytes = params->cache_bytes,
			.lock = params->lock,
			.write = write,
			.owner = params->owner,
			.hooks = write ? &q2_disk_hooks : NULL,
		};
		struct q2_shared *s = q2_shared_get(&how, err);

		if (IS_ERR(s)) {
			ret = PTR_ERR(s);
			break;
		}
		disk->shared[i] = s;
		layer->img = s->img;
		layer->file = s->file;
		/* A raw file of an odd size has a last sector filled with zeroes, as in QEMU. */
		layer->size = s->img ? q2_image_size(s->img)
				     : round_up(s->file->size, (u64)Q2_SECTOR_SIZE);
		if (!q2_host_is_device(s->host)) {
			disk->align = max(disk->align, q2_host_align(s->host));
			disk->mem_align = max(disk->mem_align, q2_host_mem_align(s->host));
		}
		ret = check_backing(disk, i, err);
		/* BUSY-FIRST: it is open by now, and who marks it looks afterwards. */
		if (!ret && s->owner == params->owner && READ_ONCE(s->busy))
			ret = q2_err_set(err, EBUSY,
					 "%s: a job is changing the chain; cancel it, or wait",
					 params->layers[i].path);
		if (ret)
			break;
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
	}
	if (!ret)
		ret = check_twice(disk, err);
	if (ret)
		put_layers(disk);
	return ret;
}

int q2_disk_fit_unit(struct q2_disk *disk, const struct q2_shared *s)
{
	u64 unit = s->img ? q2_image_geometry(s->img)->cluster_size : Q2_SECTOR_SIZE;
	void *room, *old;

	if (unit <= disk->range_unit)
		return 0;
	/* One cluster can always be filled: writing memory back must not need memory. */
	room = kvmalloc(unit, GFP_KERNEL);
	if (!room)
		return -ENOMEM;
	mutex_lock(&disk->fill_lock);
	old = disk->fill_reserve;
	disk->fill_reserve = room;
	WRITE_ONCE(disk->range_unit, unit);
	mutex_unlock(&disk->fill_lock);
	q2_ranges_grow_unit(&disk->ranges, unit);
	kvfree(old);
	return 0;
}

static int prepare_writing(struct q2_disk *disk, const struct q2_disk_params *params)
{
	int ret;

	disk->top = disk->shared[disk->chain->nr_layers - 1];
	disk->writable = params->write;
	disk->chain->writable = params->write;
	disk->nospace_ms = params->nospace_ms;
	disk->low_water = params->low_water;
	disk->room_looked = jiffies - ROOM_INTERVAL;
	if (!params->write)
		return 0;
	disk->change_wq = alloc_workqueue("dm-qcow2-w/%s", WQ_UNBOUND | WQ_MEM_RECLAIM,
					  Q2_MAX_CHANGES, disk->name);
	if (!disk->change_wq)
		return -ENOMEM;
	ret = q2_io_prepare(disk, disk->top);
	if (ret)
		return ret;
	return q2_disk_fit_unit(disk, disk->top);
}

/*
 * To the list, unless another target of the same table is in the way: both belong to one
 * mapped device, so that the owner of an image cannot tell them apart, and each would have
 * its own map and its own guest ranges over one image.
 */
static int enter(struct q2_disk *disk, struct q2_err *err)
{
	struct q2_disk *other;
	int ret = 0;

	mutex_lock(&disks_lock);
	list_for_each_entry(other, &disks, list) {
		/* The table is being made: no layer of it can go. */
		if (other->table != disk->table || !((disk->writable && uses(other, disk->top)) ||
						     (other->writable && uses(disk, other->top))))
			continue;
		ret = q2_err_set(
			err, EBUSY, "%s: is written, and used by another target of this table, too",
			(disk->writable && uses(other, disk->top) ? disk : other)->top->file->name);
		break;
	}
	if (!ret)
		list_add(&disk->list, &disks);
	mutex_unlock(&disks_lock);
	return ret;
}

struct q2_disk *q2_disk_open(const struct q2_disk_params *params, struct q2_err *err)
{
	struct q2_disk *disk;
	int ret = -ENOMEM;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		goto no_memory;
	INIT_DELAYED_WORK(&disk->commit_work, commit_work);
	q2_ranges_init(&disk->ranges, Q2_SECTOR_SIZE);
	q2_room_init(disk);
	q2_hints_init(&disk->hints);
	mutex_init(&disk->fill_lock);
	init_rwsem(&disk->layers_lock);
	mutex_init(&disk->look_lock);
	disk->owner = params->owner;
	disk->table = params->table;
	disk->event = params->event;
	disk->gone = params->gone;
	disk->event_arg = params->event_arg;
	disk->align = Q2_SECTOR_SIZE;
	disk->mem_align = Q2_SECTOR_SIZE;
	strscpy(disk->name, params->name, sizeof(disk->name));
	disk->chain = q2_chain_alloc(params->nr_layers);
	if (!disk->chain)
		goto free_disk;
	disk->shared = kvcalloc(params->nr_layers, sizeof(*disk->shared), GFP_KERNEL);
	if (!disk->shared)
		goto free_chain;
	disk->counters = alloc_percpu(struct q2_counters);
	if (!disk->counters)
		goto free_shared;
	ret = init_srcu_struct(&disk->in_flight);
	if (ret)
		goto free_counters;
	ret = q2_io_open(disk);
	if (ret)
		goto free_srcu;
	disk->wq = alloc_workqueue("dm-qcow2/%s", WQ_UNBOUND | WQ_MEM_RECLAIM, 0, disk->name);
	if (!disk->wq) {
		ret = -ENOMEM;
		goto close_io;
	}
	ret = open_layers(disk, params, err);
	if (ret)
		goto destroy_wq;
	q2_chain_init(disk->chain);
	ret = prepare_writing(disk, params);
	if (ret)
		goto close_layers;
	disk->map = q2_map_create(disk->chain, params->map_bytes);
	if (IS_ERR(disk->map)) {
		ret = PTR_ERR(disk->map);
		goto close_layers;
	}
	ret = enter(disk, err);
	if (ret)
		goto destroy_map;
	return disk;

destroy_map:
	q2_map_destroy(disk->map);
close_layers:
	if (disk->change_wq)
		destroy_workqueue(disk->change_wq);
	kvfree(disk->fill_reserve);
	put_layers(disk);
destroy_wq:
	destroy_workqueue(disk->wq);
close_io:
	q2_io_close(disk);
free_srcu:
	cleanup_srcu_struct(&disk->in_flight);
free_counters:
	free_percpu(disk->counters);
free_shared:
	kvfree(disk->shared);
free_chain:
	q2_chain_free(disk->chain);
free_disk:
	kfree(disk);
no_memory:
	if (ret == -ENOMEM)
		q2_err_set(err, ENOMEM, "there is not enough memory for the device");
	return ERR_PTR(ret);
}

void q2_disk_close(struct q2_disk *disk)
{
	mutex_lock(&disks_lock);
	list_del(&disk->list);
	mutex_unlock(&disks_lock);
	cancel_delayed_work_sync(&disk->commit_work);
	q2_room_exit(disk);
	if (disk->change_wq)
		destroy_workqueue(disk->change_wq);
	destroy_workqueue(disk->wq);
	q2_map_destroy(disk->map);
	/* The last one to put a written image commits it; requests there are none. */
	if (disk->writable && disk->top->disk == disk)
		WRITE_ONCE(disk->top->disk, NULL);
	put_layers(disk);
	kvfree(disk->fill_reserve);
	q2_io_close(disk);
	cleanup_srcu_struct(&disk->in_flight);
	free_percpu(disk->counters);
	kvfree(disk->shared);
	q2_chain_free(disk->chain);
	kfree(disk);
}

u64 q2_disk_counter(const struct q2_disk *disk, enum q2_count what)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) sum += per_cpu_ptr(disk->counters, cpu)->n[what];
	return sum;
}

void q2_disk_corrupt(struct q2_disk *disk, unsigned int layer, u64 guest, const char *what)
{
	pr_err_ratelimited(
		"dm-qcow2: %s: %s: broken %s for guest offset %llu; qcowctl check says more\n",
		disk->name, disk->shared[layer]->file->name, what, guest);
	if (atomic_inc_return(&disk->corruptions) == 1)
		q2_disk_event(disk);
}

unsigned long q2_disks_shrink(unsigned long nr)
{
	unsigned long done = 0;
	struct q2_disk *disk;

	if (!mutex_trylock(&disks_lock))
		return 0;
	list_for_each_entry(disk, &disks, list) {
		done += q2_map_shrink(disk->map, nr - done);
		if (done >= nr)
			break;
	}
	mutex_unlock(&disks_lock);
	return done;
}

unsigned long q2_disks_shrinkable(void)
{
	unsigned long n = 0;
	struct q2_disk *disk;

	if (!mutex_trylock(&disks_lock))
		return 0;
	list_for_each_entry(disk, &disks, list)
		n += q2_map_shrinkable(disk->map);
	mutex_unlock(&disks_lock);
	return n;
}
