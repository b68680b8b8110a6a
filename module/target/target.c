// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device-mapper face: constructor, map, status, limits.
 *
 * The order of all locks is in Documentation/protocol.md.
 */
#include <linux/device-mapper.h>
#include <linux/module.h>

#include "env.h"
#include "io/bios.h"
#include "io/device.h"
#include "io/request.h"
#include "target/message.h"

/* The largest logical block size that Linux has, 64 KiB. */
#define MAX_BLOCK_SECTORS 128

/* One discard or write-zeroes request: 1 GiB, so that each ends in good time. */
#define MAX_CHANGE_SECTORS (1U << 21)

struct q2_target {
	struct dm_target *ti;
	struct q2_table table;
	struct q2_disk *disk;
	struct q2_control control;
	struct mutex devs_lock;
	/* One a layer, base first; NULL for regular files and layers that are gone; devs_lock. */
	struct dm_dev **devs;
};

/*
 * device-mapper prints ti->error when the constructor has returned, and frees
 * nothing. Sentences therefore live here; a few in turn, should constructors of
 * several devices fail at once.
 */
static struct q2_err *next_error(void)
{
	static struct q2_err errors[8];
	static atomic_t turn = ATOMIC_INIT(0);
	struct q2_err *err = &errors[atomic_inc_return(&turn) & (ARRAY_SIZE(errors) - 1)];

	err->text[0] = '\0';
	return err;
}

static void raise_event(void *arg)
{
	struct q2_target *t = arg;

	dm_table_event(t->ti->table);
}

static void put_layer_device(struct q2_target *t, unsigned int layer)
{
	struct dm_dev *dev;

	mutex_lock(&t->devs_lock);
	dev = t->devs[layer];
	t->devs[layer] = NULL;
	mutex_unlock(&t->devs_lock);
	if (dev)
		dm_put_device(t->ti, dev);
}

static void put_devices(struct q2_target *t)
{
	unsigned int i;

	for (i = 0; i < t->table.nr_layers; i++)
		put_layer_device(t, i);
}

/* A layer has left the chain: whoever wants its block device for something else may have it. */
static void layer_gone(void *arg, unsigned int layer)
{
	put_layer_device(arg, layer);
}

/* Tell device-mapper of the block devices below: for limits, dependencies and holders. */
static int get_devices(struct q2_target *t, struct q2_err *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < t->table.nr_layers; i++) {
		const char *path = t->table.layers[i].path;

		if (!q2_host_is_device(t->disk->shared[i]->host))
			continue;
		ret = dm_get_device(t->ti, path,
				    t->table.write && i == t->table.nr_layers - 1
					    ? dm_table_get_mode(t->ti->table)
					    : Q2_OPEN_READ,
				    &t->devs[i]);
		if (ret) {
			put_devices(t);
			return q2_err_set(err, -ret, "%s: device-mapper cannot use it (error %d)",
					  path, -ret);
		}
	}
	return 0;
}

/*
 * Construct from: ro <#layers> <format> <path> [...] [<#opts> <opt>...]
 */
static int q2_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct q2_disk_params params;
	struct q2_err *err = next_error();
	struct q2_target *t;
	int ret;

	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t) {
		ti->error = "there is not enough memory for the target";
		return -ENOMEM;
	}
	t->ti = ti;
	mutex_init(&t->devs_lock);
	ret = q2_table_parse(&t->table, argc, argv, err);
	if (ret)
		goto free_target;
	if (!t->table.write && (dm_table_get_mode(ti->table) & ~Q2_OPEN_READ)) {
		ret = q2_err_set(err, EINVAL,
				 "the device must be read-only: dmsetup create --readonly");
		goto free_table;
	}
	if (t->table.write && !(dm_table_get_mode(ti->table) & ~Q2_OPEN_READ)) {
		ret = q2_err_set(err, EINVAL, "the device is read-only: use ro in the table");
		goto free_table;
	}
	t->devs = kvcalloc(t->table.nr_layers, sizeof(*t->devs), GFP_KERNEL);
	if (!t->devs) {
		ret = -ENOMEM;
		goto free_table;
	}
	params.name = dm_table_device_name(ti->table);
	params.nr_layers = t->table.nr_layers;
	params.layers = t->table.layers;
	params.map_bytes = t->table.map_kib ? (u64)t->table.map_kib << 10 : Q2_MAP_DEFAULT;
	params.cache_bytes =
		t->table.cache_kib ? (size_t)t->table.cache_kib << 10 : Q2_CACHE_DEFAULT;
	params.lock = !t->table.no_lock;
	params.write = t->table.write;
	params.nospace_ms = t->table.nospace * MSEC_PER_SEC;
	params.low_water = t->table.low_water_kib << 10;
	params.owner = dm_table_get_md(ti->table);
	params.table = ti->table;
	params.event = raise_event;
	params.gone = layer_gone;
	params.event_arg = t;
	t->disk = q2_disk_open(&params, err);
	if (IS_ERR(t->disk)) {
		ret = PTR_ERR(t->disk);
		goto free_devs;
	}
	if (ti->len > t->disk->chain->size >> SECTOR_SHIFT) {
		ret = q2_err_set(err, EINVAL, "%s: has %llu sectors, but the table asks for %llu",
				 t->table.layers[t->table.nr_layers - 1].path,
				 t->disk->chain->size >> SECTOR_SHIFT, (u64)ti->len);
		goto close_disk;
	}
	ret = get_devices(t, err);
	if (ret)
		goto close_disk;
	ti->per_io_data_size = sizeof(struct q2_request);
	if (t->table.write) {
		ti->num_flush_bios = 1;
		ti->flush_supported = true;
		if (t->disk->top->img) {
			ti->num_discard_bios = 1;
			ti->discards_supported = true;
			ti->num_write_zeroes_bios = 1;
		}
	}
	q2_control_init(&t->control, t->disk);
	ti->private = t;
	return 0;

close_disk:
	q2_disk_close(t->disk);
free_devs:
	kvfree(t->devs);
free_table:
	q2_table_free(&t->table);
free_target:
	kfree(t);
	ti->error = err->text[0] ? err->text : "there is not enough memory for the target";
	return ret;
}

static void q2_dtr(struct dm_target *ti)
{
	struct q2_target *t = ti->private;

	q2_control_exit(&t->control);
	put_devices(t);
	q2_disk_close(t->disk);
	kvfree(t->devs);
	q2_table_free(&t->table);
	kfree(t);
}

static int result_of(enum q2_start start)
{
	return start == Q2_START_REMAPPED ? DM_MAPIO_REMAPPED : DM_MAPIO_SUBMITTED;
}

static int map_read(struct q2_request *req, struct bio *bio)
{
	struct q2_run run;

	q2_disk_lookup(req->op.disk, req->op.guest, bio->bi_iter.bi_size, &run);
	/* Only up to the end of what is one run; device-mapper sends the rest again. */
	if (run.len < bio->bi_iter.bi_size)
		dm_accept_partial_bio(bio, run.len >> SECTOR_SHIFT);
	return result_of(q2_request_start(req, &run));
}

static int map_write(struct q2_request *req, struct bio *bio)
{
	struct q2_run run;

	if (!bio->bi_iter.bi_size) {
		q2_request_change(req, Q2_CHANGE_FLUSH);
		return DM_MAPIO_SUBMITTED;
	}
	q2_disk_lookup(req->op.disk, req->op.guest, bio->bi_iter.bi_size, &run);
	if (run.kind == Q2_MAP_DATA && run.in_place && run.len < bio->bi_iter.bi_size)
		dm_accept_partial_bio(bio, run.len >> SECTOR_SHIFT);
	return result_of(q2_request_write(req, &run));
}

/* What the request holds while it is under way. TOKEN-FIRST: its I/O has ended. */
static void give_back(struct q2_request *req)
{
	q2_op_leave(&req->op);
	if (req->swap)
		q2_bios_swap_end(req->swap);
	req->swap = 0;
}

/* device-mapper ends it by itself, without telling. */
static int refuse(struct q2_request *req)
{
	give_back(req);
	return DM_MAPIO_KILL;
}

static int q2_map(struct dm_target *ti, struct bio *bio)
{
	struct q2_target *t = ti->private;
	struct q2_request *req = dm_per_bio_data(bio, sizeof(*req));

	req->op.disk = t->disk;
	req->bio = bio;
	req->op.guest = dm_target_offset(ti, bio->bi_iter.bi_sector) << SECTOR_SHIFT;
	req->swap = 0;
	req->op.token = -1;
	req->op.send_back = false;
	/* TOKEN-WAITS-FOR-NOTHING: it may wait for its turn, and has no token yet. */
	if ((bio->bi_opf & REQ_SWAP) && t->disk->io->has_bios) {
		req->swap = q2_bios_swap_begin(bio->bi_iter.bi_size);
		if (!req->swap) {
			q2_request_finish(req, BLK_STS_AGAIN);
			return DM_MAPIO_SUBMITTED;
		}
	}
	/* TOKEN-FIRST: before anything is looked up: see q2_op_enter(). */
	q2_op_enter(&req->op);
	if (bio_op(bio) == REQ_OP_READ)
		return map_read(req, bio);
	if (!t->disk->writable)
		return refuse(req);
	switch (bio_op(bio)) {
	case REQ_OP_WRITE:
		return map_write(req, bio);
	case REQ_OP_DISCARD:
		q2_request_change(req, Q2_CHANGE_DISCARD);
		return DM_MAPIO_SUBMITTED;
	case REQ_OP_WRITE_ZEROES:
		q2_request_change(req, Q2_CHANGE_ZERO);
		return DM_MAPIO_SUBMITTED;
	default:
		return refuse(req);
	}
}

static int q2_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct q2_request *req = dm_per_bio_data(bio, sizeof(*req));

	give_back(req);
	/* The last two are tried again by whoever gets them. */
	if (*error && *error != BLK_STS_AGAIN && *error != BLK_STS_DM_REQUEUE)
		q2_disk_count(req->op.disk, Q2_COUNT_ERRORS);
	return DM_ENDIO_DONE;
}

static int q2_preresume(struct dm_target *ti)
{
	struct q2_target *t = ti->private;

	q2_control_preresume(&t->control);
	return 0;
}

static void q2_presuspend(struct dm_target *ti)
{
	struct q2_target *t = ti->private;

	q2_control_presuspend(&t->control, dm_noflush_suspending(ti));
}

static void q2_presuspend_undo(struct dm_target *ti)
{
	struct q2_target *t = ti->private;

	q2_control_presuspend_undo(&t->control);
}

static void q2_postsuspend(struct dm_target *ti)
{
	struct q2_target *t = ti->private;

	q2_control_postsuspend(&t->control);
}

/* STATUS-NEVER-WAITS: what may be done with the device now. Under look_lock. */
static const char *mode_of(const struct q2_disk *disk)
{
	if (!disk->writable)
		return "ro";
	if (q2_disk_failed(disk) || q2_shared_failed(disk->top) ||
	    (disk->dest && q2_shared_failed(disk->dest)))
		return "failed_ro";
	return atomic_read(&disk->nospace) ? "out_of_space" : "rw";
}

static unsigned int print_job(const struct q2_job *job, char *result, unsigned int maxlen)
{
	static const char *const types[] = {
		[Q2_JOB_NONE] = "none", [Q2_JOB_COMMIT] = "commit", [Q2_JOB_STREAM] = "stream"};
	enum q2_job_type type = READ_ONCE(job->params.type);
	int error = READ_ONCE(job->error);
	unsigned int sz = 0;

	sz += scnprintf(result + sz, maxlen - sz, " job=%s", types[type]);
	if (type == Q2_JOB_NONE)
		return sz;
	sz += scnprintf(result + sz, maxlen - sz,
			" job_state=%s job_done=%llu job_total=%llu job_moved=%llu job_rate=%u",
			q2_job_state_name(READ_ONCE(job->state)), READ_ONCE(job->done),
			READ_ONCE(job->total), READ_ONCE(job->moved), READ_ONCE(job->rate_kib));
	if (error)
		sz += scnprintf(result + sz, maxlen - sz, " job_error=%d", -error);
	return sz;
}

static unsigned int print_info(struct q2_target *t, char *result, unsigned int maxlen)
{
	static const char *const names[Q2_NR_COUNTS] = {
		[Q2_COUNT_HITS] = "hits",
		[Q2_COUNT_MISSES] = "misses",
		[Q2_COUNT_REMAPPED] = "remapped",
		[Q2_COUNT_DIRECT] = "direct",
		[Q2_COUNT_DEFERRED] = "deferred",
		[Q2_COUNT_ZERO] = "zero",
		[Q2_COUNT_COMPRESSED] = "compressed",
		[Q2_COUNT_MIXED] = "mixed",
		[Q2_COUNT_WRITTEN] = "written",
		[Q2_COUNT_ALLOCATING] = "allocating",
		[Q2_COUNT_ERRORS] = "errors",
	};
	struct q2_disk *disk = t->disk;
	struct q2_cache_stats meta = {}, one;
	struct q2_map_stats map;
	unsigned int i, nr = 0, sz = 0;
	const char *failed;

	q2_map_stats(disk->map, &map);
	/* STATUS-NEVER-WAITS: no other lock, and what follows takes leaf locks at most. */
	mutex_lock(&disk->look_lock);
	for (i = 0; i < disk->chain->nr_layers; i++) {
		nr += !disk->chain->layers[i].gone;
		if (!disk->chain->layers[i].img)
			continue;
		q2_image_cache_stats(disk->chain->layers[i].img, &one);
		meta.bytes += one.bytes;
		meta.limit += one.limit;
		meta.hits += one.hits;
		meta.misses += one.misses;
	}
	sz += scnprintf(result + sz, maxlen - sz, "mode=%s layers=%u size=%llu granule=%u",
			mode_of(disk), nr, disk->chain->size >> SECTOR_SHIFT,
			1U << (disk->chain->granule_bits - SECTOR_SHIFT));
	mutex_unlock(&disk->look_lock);
	sz += scnprintf(
		result + sz, maxlen - sz,
		" map_bytes=%llu map_limit=%llu map_leaves=%llu map_fills=%llu map_evictions=%llu",
		map.bytes, map.limit, map.leaves, map.fills, map.evictions);
	for (i = 0; i < Q2_NR_COUNTS; i++)
		sz += scnprintf(result + sz, maxlen - sz, " %s=%llu", names[i],
				q2_disk_counter(disk, i));
	sz += scnprintf(
		result + sz, maxlen - sz,
		" meta_bytes=%llu meta_limit=%llu meta_hits=%llu meta_misses=%llu corrupt=%u",
		meta.bytes, meta.limit, meta.hits, meta.misses, atomic_read(&disk->corruptions));
	if (disk->writable)
		sz += scnprintf(result + sz, maxlen - sz, " room=%llu low=%u",
				READ_ONCE(disk->room_left), READ_ONCE(disk->is_low));
	failed = READ_ONCE(disk->failed);
	if (failed)
		sz += scnprintf(result + sz, maxlen - sz, " why=");
	for (; failed && *failed; failed++)
		sz += scnprintf(result + sz, maxlen - sz, "%c", *failed == ' ' ? '_' : *failed);
	if (disk->writable)
		sz += print_job(&t->control.job, result + sz, maxlen - sz);
	return sz;
}

static void q2_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
		      char *result, unsigned int maxlen)
{
	struct q2_target *t = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		print_info(t, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		q2_table_print(&t->table, t->disk->chain, result, maxlen);
		break;
	case STATUSTYPE_IMA:
		*result = '\0';
		break;
	}
}

static int q2_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
		      unsigned int maxlen)
{
	struct q2_target *t = ti->private;
	struct q2_message msg = {
		.control = &t->control,
		.table = &t->table,
	};
	struct q2_err err = {};
	int ret;

	/* ONE-MESSAGE: whatever it is. */
	q2_control_begin(&t->control);
	ret = q2_message_do(&msg, argc, argv, &err);
	q2_control_end(&t->control);
	if (ret)
		pr_err("dm-qcow2: %s: %s\n", t->disk->name,
		       err.text[0] ? err.text : "the message could not be served");
	return ret;
}

static int q2_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn, void *data)
{
	struct q2_target *t = ti->private;
	unsigned int i;
	sector_t len;
	int ret = 0;

	mutex_lock(&t->devs_lock);
	for (i = 0; i < t->table.nr_layers && !ret; i++) {
		if (!t->devs[i])
			continue;
		/*
		 * The length is only checked against the largest block size among
		 * all devices, which need not divide this one's odd size.
		 */
		len = round_down(bdev_nr_sectors(t->devs[i]->bdev), MAX_BLOCK_SECTORS);
		ret = fn(ti, t->devs[i], 0, len, data);
	}
	mutex_unlock(&t->devs_lock);
	return ret;
}

static void q2_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct q2_target *t = ti->private;
	const struct q2_image *top = t->disk->chain->layers[t->disk->chain->nr_layers - 1].img;

	/*
	 * Files want their direct I/O aligned as the device below their file
	 * system does. Where clusters are smaller than that, a bounce helps.
	 */
	limits->logical_block_size =
		max_t(unsigned int, limits->logical_block_size, t->disk->align);
	limits->physical_block_size =
		max_t(unsigned int, limits->physical_block_size, limits->logical_block_size);
	limits->dma_alignment = max_t(unsigned int, limits->dma_alignment, t->disk->mem_align - 1);
	limits->io_min = max_t(unsigned int, limits->io_min, limits->physical_block_size);
	if (t->table.write && top) {
		limits->discard_granularity = q2_image_geometry(top)->cluster_size;
		limits->max_hw_discard_sectors = MAX_CHANGE_SECTORS;
		limits->max_discard_sectors = MAX_CHANGE_SECTORS;
		q2_limit_write_zeroes(limits, MAX_CHANGE_SECTORS);
	}
	if (top)
		limits->io_opt =
			max_t(unsigned int, q2_image_geometry(top)->cluster_size, limits->io_min);
}

static struct target_type qcow2_target = {
	.name = "qcow2",
	.version = {0, 1, 0},
	.features = DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = q2_ctr,
	.dtr = q2_dtr,
	.map = q2_map,
	.end_io = q2_end_io,
	.preresume = q2_preresume,
	.presuspend = q2_presuspend,
	.presuspend_undo = q2_presuspend_undo,
	.postsuspend = q2_postsuspend,
	.status = q2_status,
	.message = q2_message,
	.iterate_devices = q2_iterate_devices,
	.io_hints = q2_io_hints,
};

static int __init q2_init(void)
{
	int ret = q2_io_init();

	if (ret)
		return ret;
	ret = q2_jobs_init();
	if (ret)
		goto exit_io;
	ret = dm_register_target(&qcow2_target);
	if (ret)
		goto exit_jobs;
	return 0;

exit_jobs:
	q2_jobs_exit();
exit_io:
	q2_io_exit();
	return ret;
}

static void __exit q2_exit(void)
{
	dm_unregister_target(&qcow2_target);
	q2_jobs_exit();
	q2_io_exit();
}

module_init(q2_init);
module_exit(q2_exit);

MODULE_AUTHOR("the dm-qcow2 developers");
MODULE_DESCRIPTION("device-mapper target for qcow2 images");
MODULE_LICENSE("GPL");
