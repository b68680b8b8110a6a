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
#include "io/device.h"
#include "io/host.h"
#include "io/inflate.h"
#include "io/request.h"
#include "io/task.h"
#include "serve/change.h"
#include "serve/io.h"
#include "serve/place.h"

void q2_request_finish(struct q2_request *req, blk_status_t status)
{
	struct bio *bio = req->bio;

	if (status) {
		if (bio_op(bio) == REQ_OP_READ && status != BLK_STS_AGAIN)
			zero_fill_bio(bio);
		/* ERROR-STAYS: never the other way round: a part may have left one here before. */
		bio->bi_status = status;
	}
	bio_endio(bio);
}

static blk_status_t status_of(bool send_back, int error)
{
	if (send_back)
		return BLK_STS_DM_REQUEUE;
	/* Whatever the cause, to a guest it is a disk that cannot do it. */
	if (error == -EUCLEAN || error == -EROFS)
		return BLK_STS_IOERR;
	return errno_to_blk_status(error);
}

void q2_io_end(struct q2_op *op, int error)
{
	struct q2_request *req = container_of(op, struct q2_request, op);

	/* Before the bio ends: who waits for it and asks again is alone by then. */
	atomic_dec(&op->disk->io->changing);
	/* Decided once: what serve/ has told of as failed is not sent back. */
	q2_request_finish(req, status_of(op->send_back, error));
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
	INIT_WORK(&req->op.work, func);
	queue_work(req->op.disk->wq, &req->op.work);
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
	/* What is sent back has not failed. */
	if (!req->op.send_back)
		pr_err_ratelimited("dm-qcow2: %s: reading %s at %llu failed: error %d\n",
				   req->op.disk->name, req->op.disk->shared[req->layer]->file->name,
				   req->host, -error);
	q2_request_finish(req, status_of(req->op.send_back, error));
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
 * is sent back.
 */
static bool wait_for_memory(struct q2_op *op)
{
	schedule_timeout_uninterruptible(MEMORY_DELAY);
	op->send_back = q2_room_leaving(&op->disk->room);
	return !op->send_back;
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
		if (ret == -ENOMEM && wait_for_memory(&req->op))
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
	struct q2_request *req = container_of(work, struct q2_request, op.work);
	struct q2_shared *shared = req->op.disk->shared[req->layer];

	finish_read(req, read_waiting(req, shared->host));
}

/*
 * Pieces, in a worker
 */

/* Smaller than a block of the host: whole blocks into a bounce, and out of it. */
static int read_bounced(struct q2_request *req, struct q2_host *h)
{
	u32 len = req->bio->bi_iter.bi_size;
	struct iov_iter iter;
	void *buf;
	int ret;

	while (!(buf = kvmalloc(len, GFP_NOIO | __GFP_NOWARN))) {
		if (!wait_for_memory(&req->op))
			return -ENOMEM;
	}
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
		q2_disk_count(req->op.disk, Q2_COUNT_REMAPPED);
		bio_set_dev(req->bio, h->bdev);
		req->bio->bi_iter.bi_sector = req->host >> SECTOR_SHIFT;
		submit_bio_noacct(req->bio);
		return;
	}
	q2_disk_count(req->op.disk, Q2_COUNT_DEFERRED);
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
	u32 skip = q2_offset_into_cluster(q2_image_geometry(shared->img), req->op.guest);
	struct iov_iter iter;
	int ret;

	req->host = ext->host;
	do {
		req->done = 0;
		q2_request_iter(req, &iter);
		ret = q2_inflate_read(shared, ext->host, ext->compressed_size, skip, &iter);
	} while (ret == -ENOMEM && wait_for_memory(&req->op));
	q2_disk_count(req->op.disk, Q2_COUNT_COMPRESSED);
	if (ret == -EUCLEAN) {
		q2_disk_corrupt(req->op.disk, req->layer, req->op.guest, "compressed data");
		q2_request_finish(req, BLK_STS_IOERR);
		return;
	}
	finish_read(req, ret);
}

static void start_zero(struct q2_request *req)
{
	q2_disk_count(req->op.disk, Q2_COUNT_ZERO);
	zero_fill_bio(req->bio);
	q2_request_finish(req, BLK_STS_OK);
}

static void start_piece(struct q2_request *req, const struct q2_answer *answer)
{
	struct q2_shared *shared = req->op.disk->shared[answer->layer];

	req->layer = answer->layer;
	if (answer->error) {
		q2_request_finish(req, status_of(req->op.send_back, answer->error));
		return;
	}
	switch (answer->ext.kind) {
	case Q2_DATA:
		req->host = answer->ext.host;
		start_data(req, shared);
		break;
	case Q2_COMPRESSED:
		start_compressed(req, shared, &answer->ext);
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
	part->op.disk = req->op.disk;
	part->bio = bio;
	part->op.guest = req->op.guest;
	part->done = 0;
	part->op.send_back = req->op.send_back; /* for a part that could not be looked up */
	part->op.token = -1;			/* TOKEN-FIRST: the whole request holds one */
	return part;
}

/* Split the first @len bytes off the bio of @req. */
static struct q2_request *split(struct q2_request *req, u64 len)
{
	struct bio *bio =
		bio_split(req->bio, len >> SECTOR_SHIFT, GFP_NOIO, &req->op.disk->io->bios);
	struct q2_request *part;

	if (IS_ERR_OR_NULL(bio))
		return NULL;
	part = add_part(req, bio);
	req->op.guest += len;
	return part;
}

/*
 * The rest of a bio that has been split, as a part, too. ERROR-STAYS: a device below that is
 * given the bio itself may store success over what another part has left there.
 */
static struct q2_request *last_part(struct q2_request *req)
{
	return add_part(req, bio_alloc_clone(req->bio->bi_bdev, req->bio, GFP_NOIO,
					     &req->op.disk->io->bios));
}

static void serve_work(struct work_struct *work)
{
	struct q2_request *req = container_of(work, struct q2_request, op.work);
	unsigned int noio = memalloc_noio_save();
	struct q2_request *part = NULL;
	struct q2_answer answer;

	for (;;) {
		u32 size = req->bio->bi_iter.bi_size;

		q2_disk_find(req->op.disk, req->op.guest, size, &answer);
		if (answer.error == -ENOMEM && wait_for_memory(&req->op))
			continue;
		if (answer.ext.len >= size)
			break;
		part = split(req, answer.ext.len);
		if (!part) {
			answer.error = -ENOMEM;
			break;
		}
		start_piece(part, &answer);
		cond_resched();
	}
	req->done = 0;
	/* The request may be gone after these. */
	if (part && !answer.error) {
		start_piece(last_part(req), &answer);
		q2_request_finish(req, BLK_STS_OK);
	} else {
		start_piece(req, &answer);
	}
	memalloc_noio_restore(noio);
}

/*
 * In the caller's context
 */

enum q2_start q2_request_start(struct q2_request *req, const struct q2_run *run)
{
	struct bio *bio = req->bio;
	struct q2_host *h;

	if (run->kind == Q2_MAP_ZERO) {
		start_zero(req);
		return Q2_START_TAKEN;
	}
	if (run->kind == Q2_MAP_DATA) {
		h = req->op.disk->shared[run->layer]->host;
		if (aligned(h, run->host, bio->bi_iter.bi_size)) {
			if (h->nowait && q2_task_may_submit(0)) {
				q2_disk_count(req->op.disk, Q2_COUNT_DIRECT);
				req->layer = run->layer;
				req->host = run->host;
				read_nowait(req, h);
				return Q2_START_TAKEN;
			}
			if (h->bdev && run->host + bio->bi_iter.bi_size <= h->file.size) {
				q2_disk_count(req->op.disk, Q2_COUNT_REMAPPED);
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
static bool asker_sleeps(struct q2_disk_io *io)
{
	bool sleeps =
		READ_ONCE(io->asker) == current && READ_ONCE(io->asker_slept) != current->nvcsw;

	WRITE_ONCE(io->asker, current);
	WRITE_ONCE(io->asker_slept, current->nvcsw);
	return sleeps;
}

void q2_request_change(struct q2_request *req, enum q2_change what)
{
	struct q2_disk *disk = req->op.disk;
	struct bio *bio = req->bio;
	bool near;

	if (must_not_wait(bio)) {
		q2_request_finish(req, BLK_STS_AGAIN);
		return;
	}
	unpoll(bio);
	req->op.len = bio->bi_iter.bi_size;
	req->op.fua = bio->bi_opf & REQ_FUA;
	req->op.keep = bio->bi_opf & REQ_NOUNMAP;
	near = asker_sleeps(disk->io) && is_short(bio);
	near = atomic_inc_return(&disk->io->changing) == 1 && near;
	q2_change_begin(&req->op, what, near ? disk->io->near_wq : disk->change_wq);
}

/*
 * Writes in place. What would wait, or is short, goes the way of a write that
 * allocates: it finds the clusters in place and writes there, waiting.
 */

static void write_result(struct q2_request *req, long ret)
{
	switch (q2_placed(ret, req->bio->bi_iter.bi_size)) {
	case Q2_PLACED:
		q2_disk_count(req->op.disk, Q2_COUNT_WRITTEN);
		q2_request_finish(req, BLK_STS_OK);
		break;
	case Q2_PLACE_AGAIN:
		q2_request_change(req, Q2_CHANGE_WRITE);
		break;
	case Q2_PLACE_FAILED:
		pr_err_ratelimited("dm-qcow2: %s: writing %s at %llu failed: error %ld\n",
				   req->op.disk->name, req->op.disk->shared[req->layer]->file->name,
				   req->host, -ret);
		q2_request_finish(req, errno_to_blk_status(ret));
	}
}

#ifdef IOCB_DIO_CALLER_COMP
static void write_deferred_result(struct work_struct *work)
{
	struct q2_request *req = container_of(work, struct q2_request, op.work);
	struct kiocb *kiocb = &req->kiocb;
	struct q2_task task;
	long ret;

	q2_task_hide(&task);
	ret = kiocb->dio_complete(kiocb->private);
	q2_task_show(&task);
	q2_host_write_end(req->op.disk->shared[req->layer]->host);
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
		write_deferred_result(&req->op.work);
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
	q2_host_write_end(req->op.disk->shared[req->layer]->host);
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

enum q2_start q2_request_write(struct q2_request *req, const struct q2_run *run)
{
	struct q2_disk *disk = req->op.disk;
	struct bio *bio = req->bio;
	u32 len = bio->bi_iter.bi_size;
	struct q2_host *h;

	if (!q2_may_write_in_place(disk, run, len))
		goto change;
	h = disk->shared[run->layer]->host;
	if (aligned(h, run->host, len) &&
	    (!(bio->bi_opf & REQ_FUA) || (h->bdev && q2_durable_in_place(disk, run->layer)))) {
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
	q2_request_change(req, Q2_CHANGE_WRITE);
	return Q2_START_TAKEN;
}
