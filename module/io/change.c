// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that change what the image maps.
 *
 * Lock order: a guest range (range.h) -> the image's locks (image/internal.h).
 * A request gives its in-flight token back before it is queued here: a commit
 * waits until all tokens of its time are back, and these requests commit.
 */
#include <linux/jiffies.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>

#include "env.h"
#include "io/change.h"

/* Changes that nobody flushes are committed after this time. */
#define COMMIT_DELAY (5 * HZ)
/* Parts of a write among zeroes: a cluster of 64 KiB, and a few of what is written. */
#define FEW_VECS 20U

/*
 * One request in a worker, from begin() to end(). @to is what the step at hand changes:
 * the top, unless that is being merged into another layer (choose()).
 */
struct change {
	struct q2_request *req;
	struct q2_disk *disk;
	struct q2_shared *to;
	struct q2_range range;
	unsigned int noio;
};

static void begin(struct change *c, struct work_struct *work)
{
	c->req = container_of(work, struct q2_request, work);
	c->disk = c->req->disk;
	c->noio = memalloc_noio_save();
}

/*
 * Nobody else changes these guest bytes until unlock(). Return: 0; -EIO: nothing may be
 * written any more.
 */
static int lock(struct change *c, u64 guest, u64 len)
{
	struct q2_disk *disk = c->disk;
	unsigned int dest;

	q2_range_lock(&disk->ranges, &c->range, guest, guest + len);
	/* The top, and where it is merged to, stay what they are as long as a range is held. */
	c->to = disk->top;
	dest = disk->chain->dest;
	if (c->req->starved) {
		/* Block devices may have been made larger. */
		q2_host_refresh(c->to->host);
		if (dest != Q2_NO_LAYER)
			q2_host_refresh(disk->shared[dest]->host);
	}
	return q2_disk_failed(disk) ? -EIO : 0;
}

static bool is_dirty(const struct q2_shared *s)
{
	return s->img && q2_image_dirty(s->img);
}

/* What changes is taken to the disk after a while. A range is held. */
static void start_commit_timer(struct q2_disk *disk)
{
	unsigned int dest = disk->chain->dest;

	if (delayed_work_pending(&disk->commit_work))
		return;
	if (is_dirty(disk->top) || (dest != Q2_NO_LAYER && is_dirty(disk->shared[dest])))
		queue_delayed_work(disk->change_wq, &disk->commit_work, COMMIT_DELAY);
}

static void unlock(struct change *c)
{
	start_commit_timer(c->disk);
	q2_range_unlock(&c->disk->ranges, &c->range);
}

/* The request ends, or waits for room. Nothing is held. */
static void end(struct change *c, int error)
{
	struct q2_request *req = c->req;
	struct q2_disk *disk = c->disk;
	blk_status_t status;

	if (disk->low_water)
		q2_disk_look_for_room(disk);
	/* There is no memory and others have the reserves: what is dirty holds some. */
	if (error == -ENOMEM)
		q2_disk_flush(disk);
	if (!error && (req->bio->bi_opf & REQ_FUA))
		error = q2_disk_flush(disk);
	memalloc_noio_restore(c->noio);
	if (error && q2_room_park(req, error))
		return;
	status = q2_room_status(disk, error);
	/* What is sent back has not failed. */
	if (status && status != BLK_STS_DM_REQUEUE)
		pr_err_ratelimited(
			"dm-qcow2: %s: changing %u bytes at guest offset %llu failed: error %d\n",
			disk->name, req->bio->bi_iter.bi_size, req->guest, -error);
	q2_room_done(req, error);
	q2_request_end_change(req, status);
}

/* May a step that failed be tried again at once? Later is for end() to see to. */
static bool try_again(struct change *c, int error)
{
	return error == -ENOSPC && q2_room_make(c->req);
}

/*
 * Room for a cluster that is put together: the disk's own, which is always there
 * and warm, or memory while another request uses that, or else its turn.
 */
static void *get_room(struct q2_disk *disk, u32 bytes)
{
	void *buf;

	if (mutex_trylock(&disk->fill_lock))
		return disk->fill_reserve;
	buf = kvmalloc(bytes, GFP_NOIO | __GFP_NOWARN | __GFP_NORETRY);
	if (buf)
		return buf;
	mutex_lock(&disk->fill_lock);
	return disk->fill_reserve;
}

static void put_room(struct q2_disk *disk, void *buf)
{
	if (buf == disk->fill_reserve)
		mutex_unlock(&disk->fill_lock);
	else
		kvfree(buf);
}

/*
 * Put together what must lie from w->fill_start to w->fill_end: what the device
 * reads there now, with the new bytes over it; and write it in one go.
 */
static int write_filled(struct change *c, const struct q2_write *w, struct iov_iter *from)
{
	struct q2_disk *disk = c->disk;
	u32 len = w->fill_end - w->fill_start, head = w->guest - w->fill_start;
	void *buf = get_room(disk, len);
	int token, ret = 0;

	token = q2_disk_enter(disk);
	if (head)
		ret = q2_disk_read(disk, w->fill_start, buf, head);
	if (!ret && head + w->len < len)
		ret = q2_disk_read(disk, w->guest + w->len, buf + head + w->len,
				   len - head - w->len);
	q2_disk_leave(disk, token);
	if (!ret) {
		if (!from)
			memset(buf + head, 0, w->len);
		else if (copy_from_iter(buf + head, w->len, from) != w->len)
			ret = -EIO;
	}
	if (!ret)
		ret = q2_file_write(&c->to->host->file, w->host - head, buf, len);
	put_room(disk, buf);
	return ret;
}

/* New bytes that fill whole clusters, or go where there are data already: no copy. */
static int write_through(struct change *c, u64 host, u64 len, struct iov_iter *from)
{
	struct iov_iter part = *from;
	int ret;

	iov_iter_truncate(&part, len);
	ret = q2_host_write_bytes(c->to->host, host, &part);
	if (!ret)
		iov_iter_advance(from, len);
	return ret;
}

/* Does what surrounds the new bytes read zeroes, and are these whole blocks of the host? */
static bool fill_is_zero(struct change *c, const struct q2_write *w)
{
	struct q2_disk *disk = c->disk;
	bool zero;
	int token;

	if (!IS_ALIGNED(w->host | w->len, c->to->host->align))
		return false;
	token = q2_disk_enter(disk);
	zero = q2_disk_reads_zero(disk, w->fill_start, w->guest - w->fill_start) &&
	       q2_disk_reads_zero(disk, w->guest + w->len, w->fill_end - w->guest - w->len);
	q2_disk_leave(disk, token);
	return zero;
}

/*
 * May these zeroes be left out, because the host reads them, too? Not at the start of a
 * cluster: there more is about to follow, and in a cluster that has been filled it goes in
 * place without a worker.
 */
static bool fill_is_there(const struct change *c, const struct q2_write *w)
{
	return w->untouched && c->to->host->cheap_holes && w->host != w->host_cluster;
}

/* Zeroes in @vecs, from number @nr on. Return: the number after them, FEW_VECS + 1 at most. */
static unsigned int add_zeroes(struct bio_vec *vecs, unsigned int nr, u32 len)
{
	u32 part;

	for (; len && nr < FEW_VECS; len -= part) {
		part = min_t(u32, len, PAGE_SIZE);
		vecs[nr++] = (struct bio_vec){.bv_page = ZERO_PAGE(0), .bv_len = part};
	}
	return len ? FEW_VECS + 1 : nr;
}

/* The same with the next @len bytes of @from. */
static unsigned int add_bytes(struct bio_vec *vecs, unsigned int nr, const struct iov_iter *from,
			      u32 len)
{
	const struct bio_vec *bv = from->bvec;
	u32 skip = from->iov_offset, part;

	for (; len && nr < FEW_VECS; len -= part, skip = 0, bv++) {
		part = min(bv->bv_len - skip, len);
		vecs[nr++] = (struct bio_vec){
			.bv_page = bv->bv_page,
			.bv_len = part,
			.bv_offset = bv->bv_offset + skip,
		};
	}
	return len ? FEW_VECS + 1 : nr;
}

/*
 * The new bytes with zeroes around them in one go, of which there is one page. -E2BIG: that
 * takes more than a few parts, and costs less when it is put together in memory.
 */
static int write_among_zeroes(struct change *c, const struct q2_write *w, struct iov_iter *from)
{
	u32 head = w->guest - w->fill_start, tail = w->fill_end - w->guest - w->len;
	struct bio_vec vecs[FEW_VECS];
	struct iov_iter all;
	unsigned int nr;
	int ret;

	nr = add_zeroes(vecs, 0, head);
	nr = add_bytes(vecs, nr, from, w->len);
	nr = add_zeroes(vecs, nr, tail);
	if (nr > FEW_VECS)
		return -E2BIG;
	iov_iter_bvec(&all, ITER_SOURCE, vecs, nr, head + w->len + tail);
	ret = q2_host_write_bytes(c->to->host, w->host - head, &all);
	if (!ret)
		iov_iter_advance(from, w->len);
	return ret;
}

/* Write what a step has to, and no more than that. */
static int write_bytes(struct change *c, const struct q2_write *w, struct iov_iter *from)
{
	struct iov_iter part = *from;
	int ret;

	if (w->fill_start == w->guest && w->fill_end == w->guest + w->len)
		return write_through(c, w->host, w->len, from);
	if (fill_is_zero(c, w)) {
		if (fill_is_there(c, w))
			return write_through(c, w->host, w->len, from);
		ret = write_among_zeroes(c, w, from);
		if (ret != -E2BIG)
			return ret;
	}
	ret = write_filled(c, w, &part);
	if (!ret)
		iov_iter_advance(from, w->len);
	return ret;
}

/*
 * The layer that the first bytes of a range are written to, by the rule of q2_chain_owner().
 * @len: cut to bytes with one answer. What the top has yet is written there, and merged when
 * its turn comes; the rest goes down: the merge need not come back.
 */
static int choose(struct change *c, u64 guest, u64 *len)
{
	struct q2_disk *disk = c->disk;
	struct q2_chain *chain = disk->chain;
	unsigned int owner;
	u64 size;
	int ret;

	c->to = disk->top;
	/* An image can have become shorter than the device, by a snapshot applied. */
	size = READ_ONCE(chain->layers[chain->top].size);
	if (guest >= size)
		return -EIO;
	*len = min(*len, size - guest);
	ret = q2_chain_owner(chain, guest, *len, &owner, len);
	if (!ret)
		c->to = disk->shared[owner];
	return ret;
}

/* The same in a raw file: the bytes lie where they are. */
static int write_raw_step(struct change *c, u64 guest, u64 len, struct iov_iter *from, u64 *done)
{
	struct q2_file *file = &c->to->host->file;
	void *buf;
	int ret;

	*done = len;
	if (from)
		return write_through(c, guest, len, from);
	ret = file->ops->zero(file, guest, len);
	if (ret != -EOPNOTSUPP)
		return ret;
	*done = min(len, c->disk->range_unit);
	buf = get_room(c->disk, *done);
	memset(buf, 0, *done);
	ret = q2_file_write(file, guest, buf, *done);
	put_room(c->disk, buf);
	return ret;
}

/*
 * Write the first bytes of a range: up to the next border if it begins or ends
 * inside a cluster, whole clusters otherwise. @from is NULL for zeroes.
 */
static int write_step(struct change *c, u64 guest, u64 len, struct iov_iter *from, u64 *done)
{
	struct q2_image *img;
	struct q2_write w;
	u32 size, in_cluster;
	int ret;

	ret = choose(c, guest, &len);
	if (ret)
		return ret;
	img = c->to->img;
	if (!img)
		return write_raw_step(c, guest, len, from, done);
	size = q2_image_geometry(img)->cluster_size;
	in_cluster = guest & (size - 1);
	if (in_cluster || len < size || !from)
		len = min_t(u64, len, size - in_cluster);
	else
		len = round_down(len, (u64)size);
	ret = q2_write_begin(img, guest, len, &w);
	if (ret)
		return ret;
	ret = from ? write_bytes(c, &w, from) : write_filled(c, &w, NULL);
	/* The bytes are on the host before any lookup, or the map, can find them there. */
	q2_write_end(img, &w, !ret);
	if (!ret)
		*done = w.len;
	return ret;
}

/* Write a range whole. */
static int write_range(struct change *c, u64 guest, u64 len, struct iov_iter *from)
{
	u64 done;
	int ret = 0;

	while (len) {
		ret = write_step(c, guest, len, from, &done);
		if (ret && try_again(c, ret))
			continue;
		if (ret)
			break;
		guest += done;
		len -= done;
	}
	return ret;
}

/*
 * Who only writes must find the map warm as well: else every write in place
 * would take this way.
 */
static void warm_map(struct q2_disk *disk, u64 guest)
{
	struct q2_run run;
	int token;

	q2_map_lookup(disk->map, guest, 1, &run);
	if (run.kind != Q2_MAP_MISS)
		return;
	token = q2_disk_enter(disk);
	q2_map_fill(disk->map, guest);
	q2_disk_leave(disk, token);
}

void q2_change_write(struct work_struct *work)
{
	struct iov_iter from;
	struct change c;
	int ret;

	begin(&c, work);
	if (!c.req->starved)
		q2_disk_count(c.disk, Q2_COUNT_ALLOCATING);
	c.req->done = 0;
	q2_request_iter(c.req, &from);
	ret = lock(&c, c.req->guest, c.req->bio->bi_iter.bi_size);
	if (!ret)
		ret = write_range(&c, c.req->guest, c.req->bio->bi_iter.bi_size, &from);
	if (!ret)
		warm_map(c.disk, c.req->guest);
	unlock(&c);
	end(&c, ret);
}

/*
 * Zeroes that have to be written as data are written in parts, which begin and end at multiples
 * of this: between two, others get their turn. It is a multiple of every cluster size.
 */
#define PART (16ULL << 20)

static_assert(PART % (1ULL << Q2_MAX_CLUSTER_BITS) == 0);

/* Does it take no more than table entries to make clusters of the layer read zeroes? */
static bool zeroes_by_entry(const struct q2_shared *s)
{
	return s->img && q2_image_geometry(s->img)->version >= 3;
}

/* Forget bytes in one layer. */
static int discard_in(struct change *c, struct q2_shared *to, u64 guest, u64 len)
{
	u64 size = c->disk->chain->layers[to->layer].size;
	int ret;

	c->to = to;
	guest = min(guest, size);
	len = min(len, size - guest);
	if (!len)
		return 0;
	if (!to->img) {
		/* A hint: what a raw file keeps is no worse than before. */
		to->host->file.ops->discard(&to->host->file, guest, len);
		return 0;
	}
	do {
		ret = q2_image_discard(to->img, guest, len);
	} while (ret && try_again(c, ret));
	return ret;
}

static int discard(struct change *c, u64 guest, u64 len)
{
	struct q2_disk *disk = c->disk;
	int ret = discard_in(c, disk->top, guest, len);

	/* What the top does not have, or what it hides and is going to replace. */
	if (!ret && disk->chain->dest != Q2_NO_LAYER)
		ret = discard_in(c, disk->shared[disk->chain->dest], guest, len);
	return ret;
}

void q2_change_discard(struct work_struct *work)
{
	struct change c;
	u64 len;
	int ret;

	begin(&c, work);
	len = c.req->bio->bi_iter.bi_size;
	ret = lock(&c, c.req->guest, len);
	if (!ret)
		ret = discard(&c, c.req->guest, len);
	unlock(&c);
	end(&c, ret);
}

/* Zero a range of one image whose borders are those of subclusters, or the end of the disk. */
static int zero_aligned(struct change *c, u64 guest, u64 len, bool unmap)
{
	struct q2_image *img = c->to->img;
	u64 done, part, size = q2_image_geometry(img)->cluster_size;
	int ret = 0;

	while (len && !ret) {
		ret = q2_image_zero(img, guest, len, unmap, &done);
		guest += done;
		len -= done;
		if (ret == -EOPNOTSUPP) {
			part = min(len, size - (guest & (size - 1)));
			ret = write_range(c, guest, part, NULL);
			guest += part;
			len -= part;
		} else if (ret && try_again(c, ret)) {
			ret = 0;
		}
	}
	return ret;
}

/* Zero a range of one layer. */
static int zero_in(struct change *c, u64 guest, u64 past, bool unmap)
{
	struct q2_image *img = c->to->img;
	u64 first, last, unit;
	int ret = 0;

	if (!img)
		return write_range(c, guest, past - guest, NULL);
	unit = 1ULL << q2_image_geometry(img)->subcluster_bits;
	first = min(round_up(guest, unit), past);
	last = past == q2_image_size(img) ? past : max(round_down(past, unit), first);
	if (guest < first)
		ret = write_range(c, guest, first - guest, NULL);
	if (!ret && first < last)
		ret = zero_aligned(c, first, last - first, unmap);
	if (!ret && last < past)
		ret = write_range(c, last, past - last, NULL);
	return ret;
}

static int zero_part(struct change *c, u64 guest, u64 len)
{
	bool unmap = !(c->req->bio->bi_opf & REQ_NOUNMAP);
	u64 past = guest + len;
	int ret = 0;

	while (guest < past && !ret) {
		len = past - guest;
		ret = choose(c, guest, &len);
		if (!ret)
			ret = zero_in(c, guest, guest + len, unmap);
		guest += len;
	}
	return ret;
}

void q2_change_zero(struct work_struct *work)
{
	u64 guest, past, len;
	struct change c;
	int ret = 0;

	begin(&c, work);
	guest = c.req->guest;
	past = guest + c.req->bio->bi_iter.bi_size;
	for (; guest < past && !ret; guest += len) {
		len = past - guest;
		ret = lock(&c, guest, len);
		if (!zeroes_by_entry(c.to) || c.disk->chain->dest != Q2_NO_LAYER)
			len = min(past, round_down(guest, PART) + PART) - guest;
		if (!ret)
			ret = zero_part(&c, guest, len);
		unlock(&c);
	}
	end(&c, ret);
}

void q2_change_flush(struct work_struct *work)
{
	struct q2_request *req = container_of(work, struct q2_request, work);
	unsigned int noio = memalloc_noio_save();
	int ret = q2_disk_flush(req->disk);

	memalloc_noio_restore(noio);
	q2_request_end_change(req, errno_to_blk_status(ret));
}
