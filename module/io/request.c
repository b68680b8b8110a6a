// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serving one read request.
 *
 * A piece of a request is one run: one answer of the chain. The fast path is a
 * piece that is the whole bio. A worker cuts a bio into pieces with bio_split()
 * and bio_chain(), so that the bio ends when its last piece does.
 *
 * Nothing here waits in the caller's context: while device-mapper calls us,
 * bios submitted below are only queued (current->bio_list), and waiting for one
 * would never end. What file systems below do wait for is seen to in host.c.
 */
#include <linux/bvec.h>
#include <linux/sched/mm.h>

#include "env.h"
#include "io/change.h"
#include "io/inflate.h"
#include "io/request.h"
#include "io/task.h"

void q2_request_finish(struct q2_request *req, blk_status_t status)
{
	struct bio *bio = req->bio;

	if (status) {
		if (bio_op(bio) == REQ_OP_READ && status != BLK_STS_AGAIN)
			zero_fill_bio(bio);
		/* Never the other way round: a part may have left its error here before. */
		bio->bi_status = status;
	}
	bio_endio(bio);
}

void q2_request_end_change(struct q2_request *req, blk_status_t status)
{
	/* Before the bio ends: who waits for it and asks again is alone by then. */
	atomic_dec(&req->disk->changing);
	q2_request_finish(req, status);
}

/* How long a worker waits for memory before it tries again. */
#define MEMORY_DELAY (HZ / 50 + 1)

static void serve_work(struct work_struct *work);
static void read_on_work(struct work_struct *work);

/*
 * Who polls for a bio waits for it by polling: it may be deferred. And has to be: io_uring
 * does not try again what ends with BLK_STS_AGAIN after it has begun to poll.
 */
static bool must_not_wait(const struct bio *bio)
{
	return (bio->bi_opf & (REQ_NOWAIT | REQ_POLLED)) == REQ_NOWAIT;
}

/* From here on the bio may wait, and nobody polls the device that it or a part of it goes to. */
static void unpoll(struct bio *bio)
{
	if (!(bio->bi_opf & REQ_POLLED))
		return;
	bio_clear_polled(bio);
	bio->bi_opf &= ~REQ_NOWAIT;
}

static void defer(struct q2_request *req, work_func_t func)
{
	unpoll(req->bio);
	INIT_WORK(&req->work, func);
	queue_work(req->disk->wq, &req->work);
}

/* May the read of @len bytes at @host go to the host as it is? */
static bool aligned(const struct q2_host *h, u64 host, u32 len)
{
	return IS_ALIGNED(host | len, h->align);
}

/*
 * Direct reads on files
 */

void q2_request_iter(const struct q2_request *req, struct iov_iter *iter)
{
	struct bio *bio = req->bio;
	unsigned int vecs = 0;
	struct bvec_iter i;
	struct bio_vec bv;

	bio_for_each_bvec(bv, bio, i)
		vecs++;
	iov_iter_bvec(iter, op_is_write(bio_op(bio)) ? ITER_SOURCE : ITER_DEST,
		      __bvec_iter_bvec(bio->bi_io_vec, bio->bi_iter), vecs, bio->bi_iter.bi_size);
	iter->iov_offset = bio->bi_iter.bi_bvec_done;
	iov_iter_advance(iter, req->done);
}

static void finish_read(struct q2_request *req, int error)
{
	if (!error) {
		q2_request_finish(req, BLK_STS_OK);
		return;
	}
	pr_err_ratelimited("dm-qcow2: %s: reading %s at %llu failed: error %d\n", req->disk->name,
			   req->disk->shared[req->layer]->host->file.name, req->host, -error);
	q2_request_finish(req, q2_room_status(req->disk, error));
}

/* A read without waiting has ended; any context. */
static void read_done(struct q2_request *req, long ret)
{
	if (ret == -EAGAIN && must_not_wait(req->bio)) {
		q2_request_finish(req, BLK_STS_AGAIN);
		return;
	}
	/* Refused without waiting, or by direct I/O at all: a worker reads it another way. */
	if (ret == -EAGAIN || ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ENOMEM)
		ret = 0;
	if (ret < 0) {
		finish_read(req, ret);
		return;
	}
	/* Short: the end of the file, or the rest would have waited. */
	req->done += ret;
	if (req->done < req->bio->bi_iter.bi_size)
		defer(req, read_on_work);
	else
		finish_read(req, 0);
}

/*
 * The file system may look at the kiocb until its read_iter or write_iter has
 * returned, however early the I/O ends (ext4 does, for the access time): the
 * request goes on when both have happened.
 */
static void set_kiocb(struct q2_request *req, struct q2_host *h, int flags,
		      void (*complete)(struct kiocb *kiocb, long ret))
{
	req->kiocb = (struct kiocb){
		.ki_filp = h->filp,
		.ki_pos = req->host,
		.ki_flags = flags,
		.ki_ioprio = req->bio->bi_ioprio,
		.ki_complete = complete,
	};
	atomic_set(&req->pending, 2);
}

static bool kiocb_done(struct q2_request *req)
{
	return atomic_dec_and_test(&req->pending);
}

static void read_complete(struct kiocb *kiocb, long ret)
{
	struct q2_request *req = container_of(kiocb, struct q2_request, kiocb);

	req->result = ret;
	if (kiocb_done(req))
		read_done(req, ret);
}

/* Try to read the whole bio without waiting. The request may be gone on return. */
static void read_nowait(struct q2_request *req, struct q2_host *h)
{
	struct iov_iter iter;
	ssize_t ret;

	req->done = 0;
	q2_request_iter(req, &iter);
	set_kiocb(req, h, IOCB_DIRECT | IOCB_NOWAIT, read_complete);
	ret = q2_host_read_iter(h, &req->kiocb, &iter);
	/* What fails at once may fail because of this task: a worker has the last word. */
	if (ret != -EIOCBQUEUED)
		read_done(req, ret < 0 ? -EAGAIN : ret);
	else if (kiocb_done(req))
		read_done(req, req->result);
}

/*
 * A worker finds no memory: wait a while for some, as a read that fails might be
 * one of swapped memory. False when the device is being suspended without flush: the request
 * is sent back (q2_room_status()).
 */
static bool wait_for_memory(const struct q2_disk *disk)
{
	schedule_timeout_uninterruptible(MEMORY_DELAY);
	return !READ_ONCE(disk->room.leaving);
}

/* Read what is left of the bio, waiting; bytes the file does not have are zeroes. */
static int read_waiting(struct q2_request *req, struct q2_host *h)
{
	u32 size = req->bio->bi_iter.bi_size;
	bool direct = h->direct;
	struct iov_iter iter;
	ssize_t ret;

	while (req->done < size) {
		q2_request_iter(req, &iter);
		init_sync_kiocb(&req->kiocb, h->filp);
		req->kiocb.ki_pos = req->host + req->done;
		req->kiocb.ki_flags =
			direct && aligned(h, req->kiocb.ki_pos, size - req->done) ? IOCB_DIRECT : 0;
		ret = q2_host_read_iter(h, &req->kiocb, &iter);
		if (ret == -EINVAL && direct) {
			direct = false; /* through the page cache, then */
			continue;
		}
		if (ret == -ENOMEM && wait_for_memory(req->disk))
			continue;
		if (ret < 0)
			return ret;
		if (!ret) {
			q2_request_iter(req, &iter);
			iov_iter_zero(size - req->done, &iter);
			return 0;
		}
		req->done += ret;
	}
	return 0;
}

static void read_on_work(struct work_struct *work)
{
	struct q2_request *req = container_of(work, struct q2_request, work);
	struct q2_shared *shared = req->disk->shared[req->layer];

	finish_read(req, read_waiting(req, shared->host));
}

/*
 * Pieces, in a worker
 */

/* Smaller than a block of the host: whole blocks into a bounce, and out of it. */
static int read_bounced(struct q2_request *req, struct q2_host *h)
{
	u32 len = req->bio->bi_iter.bi_size;
	void *buf = kvmalloc(len, GFP_NOIO);
	struct iov_iter iter;
	int ret;

	if (!buf)
		return -ENOMEM;
	ret = q2_file_read(&h->file, req->host, buf, len);
	if (!ret) {
		q2_request_iter(req, &iter);
		ret = copy_to_iter(buf, len, &iter) == len ? 0 : -EFAULT;
	}
	kvfree(buf);
	return ret;
}

static void start_data(struct q2_request *req, struct q2_shared *shared)
{
	struct q2_host *h = shared->host;

	if (h->bdev && aligned(h, req->host, req->bio->bi_iter.bi_size) &&
	    req->host + req->bio->bi_iter.bi_size <= h->file.size) {
		q2_disk_count(req->disk, Q2_COUNT_REMAPPED);
		bio_set_dev(req->bio, h->bdev);
		req->bio->bi_iter.bi_sector = req->host >> SECTOR_SHIFT;
		submit_bio_noacct(req->bio);
		return;
	}
	q2_disk_count(req->disk, Q2_COUNT_DEFERRED);
	if (h->nowait && aligned(h, req->host, req->bio->bi_iter.bi_size)) {
		/*
		 * Without waiting here too: the other pieces can be on their way
		 * meanwhile. What would wait comes back as a work item.
		 */
		read_nowait(req, h);
		return;
	}
	req->done = 0;
	/* Without direct I/O the page cache takes any alignment. */
	if (h->bdev || (h->direct && !aligned(h, req->host, req->bio->bi_iter.bi_size)))
		finish_read(req, read_bounced(req, h));
	else
		finish_read(req, read_waiting(req, h));
}

static void start_compressed(struct q2_request *req, struct q2_shared *shared,
			     const struct q2_extent *ext)
{
	u32 skip = q2_offset_into_cluster(q2_image_geometry(shared->img), req->guest);
	struct iov_iter iter;
	int ret;

	req->done = 0;
	q2_request_iter(req, &iter);
	ret = q2_inflate_read(shared, ext->host, ext->compressed_size, skip, &iter);
	q2_disk_count(req->disk, Q2_COUNT_COMPRESSED);
	if (ret == -EIO)
		q2_disk_corrupt(req->disk, req->layer, req->guest, "compressed data");
	q2_request_finish(req, errno_to_blk_status(ret));
}

static void start_zero(struct q2_request *req)
{
	q2_disk_count(req->disk, Q2_COUNT_ZERO);
	zero_fill_bio(req->bio);
	q2_request_finish(req, BLK_STS_OK);
}

/* One answer for the first bytes of a request, whoever gave it. */
struct piece {
	int error;
	unsigned int layer;
	struct q2_extent ext; /* kind, host and len count */
};

/* Ask the chain itself: exact, but its cost grows with the depth. */
static void ask_chain(struct q2_disk *disk, u64 guest, u32 len, struct piece *piece)
{
	q2_disk_count(disk, Q2_COUNT_MIXED);
	piece->error = q2_chain_lookup(disk->chain, guest, len, &piece->layer, &piece->ext);
	if (piece->error == -ENOMEM)
		piece->ext.len = len;
	if (piece->error == -EUCLEAN)
		q2_disk_corrupt(disk, piece->layer, guest, "table entry");
}

/* The answer for the first of @len bytes at @guest. */
static void find_piece(struct q2_disk *disk, u64 guest, u32 len, struct piece *piece)
{
	struct q2_run run;

	q2_map_lookup(disk->map, guest, len, &run);
	if (run.kind == Q2_MAP_MISS && !q2_map_fill(disk->map, guest))
		q2_map_lookup(disk->map, guest, len, &run);
	piece->error = 0;
	piece->layer = run.layer;
	piece->ext.guest = guest;
	piece->ext.len = run.len;
	switch (run.kind) {
	case Q2_MAP_DATA:
		piece->ext.kind = Q2_DATA;
		piece->ext.host = run.host;
		break;
	case Q2_MAP_ZERO:
		piece->ext.kind = Q2_ZERO;
		break;
	case Q2_MAP_COMPRESSED:
		piece->error = q2_image_lookup(disk->chain->layers[run.layer].img, guest, run.len,
					       &piece->ext);
		if (!piece->error && piece->ext.kind == Q2_COMPRESSED)
			break;
		fallthrough; /* the image has another answer than the map: ask all */
	default:
		ask_chain(disk, guest, len, piece);
	}
}

static void start_piece(struct q2_request *req, const struct piece *piece)
{
	struct q2_shared *shared = req->disk->shared[piece->layer];

	req->layer = piece->layer;
	if (piece->error) {
		q2_request_finish(req, q2_room_status(req->disk, piece->error));
		return;
	}
	switch (piece->ext.kind) {
	case Q2_DATA:
		req->host = piece->ext.host;
		start_data(req, shared);
		break;
	case Q2_COMPRESSED:
		start_compressed(req, shared, &piece->ext);
		break;
	default:
		start_zero(req);
	}
}

/* The request of a bio from the disk's pool; the bio of @req ends after it. */
static struct q2_request *add_part(struct q2_request *req, struct bio *bio)
{
	struct q2_request *part = &container_of(bio, struct q2_split, bio)->req;

	bio_chain(bio, req->bio);
	part->disk = req->disk;
	part->bio = bio;
	part->guest = req->guest;
	part->done = 0;
	part->in_flight = -1; /* the whole request holds one */
	return part;
}

/* Split the first @len bytes off the bio of @req. */
static struct q2_request *split(struct q2_request *req, u64 len)
{
	struct bio *bio = bio_split(req->bio, len >> SECTOR_SHIFT, GFP_NOIO, &req->disk->bios);
	struct q2_request *part;

	if (IS_ERR_OR_NULL(bio))
		return NULL;
	part = add_part(req, bio);
	req->guest += len;
	return part;
}

/*
 * The rest of a bio that has been split, as a part, too: a device below that is given the
 * bio itself may store success over what another part has left there.
 */
static struct q2_request *last_part(struct q2_request *req)
{
	return add_part(req,
			bio_alloc_clone(req->bio->bi_bdev, req->bio, GFP_NOIO, &req->disk->bios));
}

static void serve_work(struct work_struct *work)
{
	struct q2_request *req = container_of(work, struct q2_request, work);
	unsigned int noio = memalloc_noio_save();
	struct q2_request *part = NULL;
	struct piece piece;

	for (;;) {
		u32 size = req->bio->bi_iter.bi_size;

		find_piece(req->disk, req->guest, size, &piece);
		if (piece.error == -ENOMEM && wait_for_memory(req->disk))
			continue;
		if (piece.ext.len >= size)
			break;
		part = split(req, piece.ext.len);
		if (!part) {
			piece.error = -ENOMEM;
			break;
		}
		start_piece(part, &piece);
		cond_resched();
	}
	req->done = 0;
	/* The request may be gone after these. */
	if (part && !piece.error) {
		start_piece(last_part(req), &piece);
		q2_request_finish(req, BLK_STS_OK);
	} else {
		start_piece(req, &piece);
	}
	memalloc_noio_restore(noio);
}

/*
 * In the caller's context
 */

void q2_request_find(struct q2_disk *disk, u64 guest, u32 len, struct q2_run *run)
{
	q2_map_lookup(disk->map, guest, len, run);
	if (unlikely(READ_ONCE(disk->hints.on)))
		q2_hints_add(&disk->hints, guest, len);
	if (run->kind == Q2_MAP_MISS) {
		q2_disk_count(disk, Q2_COUNT_MISSES);
		return;
	}
	q2_disk_count(disk, Q2_COUNT_HITS);
	if (run->kind == Q2_MAP_COMPRESSED) {
		/* One cluster a request, so that each can have a CPU of its own. */
		const struct q2_geometry *geo =
			q2_image_geometry(disk->chain->layers[run->layer].img);

		run->len = min_t(u64, run->len,
				 geo->cluster_size - q2_offset_into_cluster(geo, guest));
	}
}

enum q2_start q2_request_start(struct q2_request *req, const struct q2_run *run)
{
	struct bio *bio = req->bio;
	struct q2_host *h;

	if (run->kind == Q2_MAP_ZERO) {
		start_zero(req);
		return Q2_START_TAKEN;
	}
	if (run->kind == Q2_MAP_DATA) {
		h = req->disk->shared[run->layer]->host;
		if (aligned(h, run->host, bio->bi_iter.bi_size)) {
			if (h->nowait && q2_task_may_submit(0)) {
				q2_disk_count(req->disk, Q2_COUNT_DIRECT);
				req->layer = run->layer;
				req->host = run->host;
				read_nowait(req, h);
				return Q2_START_TAKEN;
			}
			if (h->bdev && run->host + bio->bi_iter.bi_size <= h->file.size) {
				q2_disk_count(req->disk, Q2_COUNT_REMAPPED);
				bio_set_dev(bio, h->bdev);
				bio->bi_iter.bi_sector = run->host >> SECTOR_SHIFT;
				return Q2_START_REMAPPED;
			}
		}
	}
	if (must_not_wait(bio))
		q2_request_finish(req, BLK_STS_AGAIN);
	else
		defer(req, serve_work);
	return Q2_START_TAKEN;
}

/* What a change may move to be short: a cluster of 64 KiB. */
#define SHORT_CHANGE (64U << 10)

/*
 * Discards and zeroes may be as long as the disk; a commit is bounded (Q2_MAX_DIRTY), and so
 * is what surrounds a short write.
 */
static bool is_short(const struct bio *bio)
{
	return bio_op(bio) == REQ_OP_WRITE && bio->bi_iter.bi_size <= SHORT_CHANGE;
}

/*
 * Is this task going to sleep until it is answered? It is if it slept after it asked last
 * time. Who asks for several things at a time, or polls for the answer, is better served
 * elsewhere: meanwhile it has work for its CPU.
 */
static bool asker_sleeps(struct q2_disk *disk)
{
	bool sleeps =
		READ_ONCE(disk->asker) == current && READ_ONCE(disk->asker_slept) != current->nvcsw;

	WRITE_ONCE(disk->asker, current);
	WRITE_ONCE(disk->asker_slept, current->nvcsw);
	return sleeps;
}

void q2_request_change(struct q2_request *req, work_func_t func)
{
	struct q2_disk *disk = req->disk;
	bool near;

	if (must_not_wait(req->bio)) {
		q2_request_finish(req, BLK_STS_AGAIN);
		return;
	}
	unpoll(req->bio);
	req->deadline = 0;
	req->starved = false;
	/* Not while it may wait for a commit, which waits for the tokens. */
	q2_request_leave(req);
	INIT_WORK(&req->work, func);
	near = asker_sleeps(disk) && is_short(req->bio);
	near = atomic_inc_return(&disk->changing) == 1 && near;
	queue_work(near ? disk->near_wq : disk->change_wq, &req->work);
}

/*
 * Writes in place. What would wait, or is short, goes the way of a write that
 * allocates: it finds the clusters in place and writes there, waiting.
 */

static void write_result(struct q2_request *req, long ret)
{
	if (ret == req->bio->bi_iter.bi_size) {
		q2_disk_count(req->disk, Q2_COUNT_WRITTEN);
		q2_request_finish(req, BLK_STS_OK);
	} else if (ret >= 0 || ret == -EAGAIN || ret == -EINVAL || ret == -EOPNOTSUPP ||
		   ret == -ENOSPC || ret == -ENOMEM) {
		q2_request_change(req, q2_change_write);
	} else {
		pr_err_ratelimited("dm-qcow2: %s: writing %s at %llu failed: error %ld\n",
				   req->disk->name, req->disk->shared[req->layer]->host->file.name,
				   req->host, -ret);
		q2_request_finish(req, errno_to_blk_status(ret));
	}
}

#ifdef IOCB_DIO_CALLER_COMP
static void write_deferred_result(struct work_struct *work)
{
	struct q2_request *req = container_of(work, struct q2_request, work);
	struct kiocb *kiocb = &req->kiocb;
	struct q2_task task;
	long ret;

	q2_task_hide(&task);
	ret = kiocb->dio_complete(kiocb->private);
	q2_task_show(&task);
	q2_host_write_end(req->disk->shared[req->layer]->host);
	write_result(req, ret);
}

/* The result is to be had in a task: this one if it is one, else a worker. */
static bool finish_elsewhere(struct kiocb *kiocb)
{
	struct q2_request *req = container_of(kiocb, struct q2_request, kiocb);

	if (!kiocb->dio_complete)
		return false;
	/*
	 * It may sleep. Spinlocks and, without preemptible RCU, its read sections show in the
	 * preemption count; a kernel that does not count has preemptible() say no.
	 */
	if (preemptible() && !rcu_preempt_depth())
		write_deferred_result(&req->work);
	else
		defer(req, write_deferred_result);
	return true;
}
#define Q2_CALLER_COMP IOCB_DIO_CALLER_COMP
#else
static bool finish_elsewhere(struct kiocb *kiocb)
{
	return false;
}
#define Q2_CALLER_COMP 0
#endif

static void write_finish(struct q2_request *req)
{
	if (finish_elsewhere(&req->kiocb))
		return;
	q2_host_write_end(req->disk->shared[req->layer]->host);
	write_result(req, req->result);
}

static void write_complete(struct kiocb *kiocb, long ret)
{
	struct q2_request *req = container_of(kiocb, struct q2_request, kiocb);

	req->result = ret;
	if (kiocb_done(req))
		write_finish(req);
}

static void write_nowait(struct q2_request *req, struct q2_host *h)
{
	struct iov_iter iter;
	ssize_t ret;

	req->done = 0;
	q2_request_iter(req, &iter);
	set_kiocb(req, h, IOCB_WRITE | IOCB_DIRECT | IOCB_NOWAIT | Q2_CALLER_COMP, write_complete);
	ret = q2_host_write_iter(h, &req->kiocb, &iter);
	if (ret == -EIOCBQUEUED) {
		if (kiocb_done(req))
			write_finish(req);
		return;
	}
	if (ret >= 0)
		q2_host_write_end(h);
	/* As in read_nowait(). */
	write_result(req, ret < 0 ? -EAGAIN : ret);
}

/* May a write that must be durable when it ends be written in place and no more? */
static bool durable_in_place(const struct q2_disk *disk, unsigned int layer)
{
	const struct q2_chain *chain = disk->chain;
	const struct q2_image *img = chain->layers[layer].img;
	const struct q2_image *top = chain->layers[READ_ONCE(chain->top)].img;

	/* The top may have forgotten what it had above another layer's bytes: durably? */
	return disk->shared[layer]->host->bdev && (!img || q2_image_stable(img)) &&
	       (!top || q2_image_stable(top));
}

enum q2_start q2_request_write(struct q2_request *req, const struct q2_run *run)
{
	struct q2_disk *disk = req->disk;
	struct bio *bio = req->bio;
	u32 len = bio->bi_iter.bi_size;
	struct q2_host *h;

	/* The layer of a run that is not in place may be one that has gone. */
	if (run->kind != Q2_MAP_DATA || !run->in_place || run->len < len)
		goto change;
	h = disk->shared[run->layer]->host;
	if (aligned(h, run->host, len) && !q2_disk_failed(disk) &&
	    (!(bio->bi_opf & REQ_FUA) || durable_in_place(disk, run->layer))) {
		req->layer = run->layer;
		req->host = run->host;
		if (h->bdev && run->host + len <= h->file.size) {
			q2_disk_count(disk, Q2_COUNT_WRITTEN);
			bio_set_dev(bio, h->bdev);
			bio->bi_iter.bi_sector = run->host >> SECTOR_SHIFT;
			return Q2_START_REMAPPED;
		}
		if (h->nowait_write && q2_task_may_submit(run->host + len)) {
			write_nowait(req, h);
			return Q2_START_TAKEN;
		}
	}
change:
	q2_request_change(req, q2_change_write);
	return Q2_START_TAKEN;
}

bool q2_disk_reads_zero(struct q2_disk *disk, u64 guest, u64 len)
{
	struct piece piece;

	/* Beyond the end of the disk there is nothing. */
	len = min(len, disk->chain->size - min(guest, disk->chain->size));
	while (len) {
		find_piece(disk, guest, len, &piece);
		if (piece.error || piece.ext.kind == Q2_DATA || piece.ext.kind == Q2_COMPRESSED)
			return false;
		guest += min(len, piece.ext.len);
		len -= min(len, piece.ext.len);
	}
	return true;
}

int q2_disk_read(struct q2_disk *disk, u64 guest, void *buf, u32 len)
{
	struct q2_extent *ext;
	struct piece piece;
	int ret = 0;

	while (len && !ret) {
		u32 part = len;

		if (guest >= disk->chain->size) {
			memset(buf, 0, len);
			break;
		}
		find_piece(disk, guest, min_t(u64, len, disk->chain->size - guest), &piece);
		ext = &piece.ext;
		part = min_t(u64, len, ext->len);
		if (piece.error) {
			ret = piece.error == -EUCLEAN ? -EIO : piece.error;
		} else if (ext->kind == Q2_DATA) {
			ret = q2_file_read(disk->chain->layers[piece.layer].file, ext->host, buf,
					   part);
		} else if (ext->kind == Q2_COMPRESSED) {
			struct q2_shared *s = disk->shared[piece.layer];
			struct kvec vec = {.iov_base = buf, .iov_len = part};
			struct iov_iter iter;

			iov_iter_kvec(&iter, ITER_DEST, &vec, 1, part);
			ret = q2_inflate_read(
				s, ext->host, ext->compressed_size,
				q2_offset_into_cluster(q2_image_geometry(s->img), guest), &iter);
		} else {
			memset(buf, 0, part);
		}
		guest += part;
		buf += part;
		len -= part;
	}
	return ret;
}
