// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that change what the image maps.
 *
 * Lock order: a guest range (range.h) -> the image's locks (image/internal.h).
 * TOKEN-WAITS-FOR-NOTHING: a request gives its in-flight token back before it is
 * queued here: a commit waits until all tokens of its time are back, and these
 * requests commit.
 */
#include "env.h"
#include "serve/change.h"
#include "serve/find.h"
#include "serve/io.h"

/* Changes that nobody flushes are committed after this time. */
#define COMMIT_DELAY (5 * HZ)

/*
 * One request in a worker, from begin() to end(). @to is what the step at hand changes:
 * the top, unless that is being merged into another layer (choose()).
 */
struct change {
	struct q2_op *op;
	struct q2_disk *disk;
	struct q2_shared *to;
	struct q2_range range;
	unsigned int noio;
};

static void begin(struct change *c, struct work_struct *work)
{
	c->op = container_of(work, struct q2_op, work);
	c->disk = c->op->disk;
	c->noio = memalloc_noio_save();
}

/*
 * ONE-CHANGER: nobody else changes these guest bytes until unlock(). Return: 0; -EIO: nothing may
 * be written any more (ERROR-STAYS).
 */
static int lock(struct change *c, u64 guest, u64 len)
{
	struct q2_disk *disk = c->disk;
	unsigned int dest;

	q2_range_lock(&disk->ranges, &c->range, guest, guest + len);
	/* The top, and where it is merged to, stay what they are as long as a range is held. */
	c->to = disk->top;
	dest = disk->chain->dest;
	if (c->op->starved) {
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

/* The request ends, or waits for room. PARKED-HOLDS-NOTHING: nothing is held. */
static void end(struct change *c, int error)
{
	struct q2_op *op = c->op;
	struct q2_disk *disk = c->disk;

	if (disk->low_water)
		q2_disk_look_for_room(disk);
	/* There is no memory and others have the reserves: what is dirty holds some. */
	if (error == -ENOMEM)
		q2_disk_flush(disk);
	/* FLUSH-COVERS: a durable write covers what a flush does. */
	if (!error && op->fua)
		error = q2_disk_flush(disk);
	memalloc_noio_restore(c->noio);
	if (error && q2_room_park(op, error))
		return;
	/* What is sent back has not failed. */
	if (error && !op->send_back)
		pr_err_ratelimited(
			"dm-qcow2: %s: changing %u bytes at guest offset %llu failed: error %d\n",
			disk->name, op->len, op->guest, -error);
	q2_room_done(op, error);
	q2_io_end(op, error);
}

/* May a step that failed be tried again at once? Later is for end() to see to. */
static bool try_again(struct change *c, int error)
{
	return error == -ENOSPC && q2_room_make(c->op);
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
 * DATA-BEFORE-LINK: the range is held from before the read until after the link.
 */
static int write_filled(struct change *c, const struct q2_write *w, bool zeroes)
{
	struct q2_disk *disk = c->disk;
	u32 len = w->fill_end - w->fill_start, head = w->guest - w->fill_start;
	void *buf = get_room(disk, len);
	int token, ret = 0;

	/* TOKEN-FIRST: for as long as it is read. */
	token = q2_disk_enter(disk);
	if (head)
		ret = q2_disk_read(disk, w->fill_start, buf, head);
	if (!ret && head + w->len < len)
		ret = q2_disk_read(disk, w->guest + w->len, buf + head + w->len,
				   len - head - w->len);
	q2_disk_leave(disk, token);
	if (!ret) {
		if (zeroes)
			memset(buf + head, 0, w->len);
		else
			ret = q2_io_copy(c->op, w->guest - c->op->guest, buf + head, w->len);
	}
	if (!ret)
		ret = q2_file_write(c->to->file, w->host - head, buf, len);
	put_room(disk, buf);
	return ret;
}

/*
 * Does what surrounds the new bytes read zeroes, and are these whole blocks of the host?
 * DATA-BEFORE-LINK: as in write_filled().
 */
static bool fill_is_zero(struct change *c, const struct q2_write *w)
{
	struct q2_disk *disk = c->disk;
	bool zero;
	int token;

	if (!IS_ALIGNED(w->host | w->len, q2_host_align(c->to->host)))
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
	return w->untouched && w->host != w->host_cluster && q2_host_has_cheap_holes(c->to->host);
}

/* Write what a step has to, and no more than that. */
static int write_bytes(struct change *c, const struct q2_write *w)
{
	u32 head = w->guest - w->fill_start, tail = w->fill_end - w->guest - w->len;
	u64 skip = w->guest - c->op->guest;
	int ret;

	/* Whole clusters, or where there are data already. */
	if (!head && !tail)
		return q2_io_write(c->op, skip, w->len, c->to, w->host);
	if (fill_is_zero(c, w)) {
		if (fill_is_there(c, w))
			return q2_io_write(c->op, skip, w->len, c->to, w->host);
		ret = q2_io_write_among(c->op, skip, w->len, c->to, w->host - head, head, tail);
		if (ret != -E2BIG)
			return ret;
	}
	return write_filled(c, w, false);
}

/*
 * ONE-OWNER: the layer that the first bytes of a range are written to, by the rule of
 * q2_chain_owner(). @len: cut to bytes with one answer. What the top has yet is written there,
 * and merged when its turn comes; the rest goes down: the merge need not come back.
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
static int write_raw_step(struct change *c, u64 guest, u64 len, bool zeroes, u64 *done)
{
	struct q2_file *file = c->to->file;
	void *buf;
	int ret;

	*done = len;
	if (!zeroes)
		return q2_io_write(c->op, guest - c->op->guest, len, c->to, guest);
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
 * inside a cluster, whole clusters otherwise.
 */
static int write_step(struct change *c, u64 guest, u64 len, bool zeroes, u64 *done)
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
		return write_raw_step(c, guest, len, zeroes, done);
	size = q2_image_geometry(img)->cluster_size;
	in_cluster = guest & (size - 1);
	if (in_cluster || len < size || zeroes)
		len = min_t(u64, len, size - in_cluster);
	else
		len = round_down(len, (u64)size);
	ret = q2_write_begin(img, guest, len, &w);
	if (ret)
		return ret;
	ret = zeroes ? write_filled(c, &w, true) : write_bytes(c, &w);
	/* DATA-BEFORE-LINK: on the host before any lookup, or the map, can find them there. */
	q2_write_end(img, &w, !ret);
	if (!ret)
		*done = w.len;
	return ret;
}

/* Write a range whole. */
static int write_range(struct change *c, u64 guest, u64 len, bool zeroes)
{
	u64 done;
	int ret = 0;

	while (len) {
		ret = write_step(c, guest, len, zeroes, &done);
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

static void change_write(struct work_struct *work)
{
	struct change c;
	int ret;

	begin(&c, work);
	if (!c.op->starved)
		q2_disk_count(c.disk, Q2_COUNT_ALLOCATING);
	ret = lock(&c, c.op->guest, c.op->len);
	if (!ret)
		ret = write_range(&c, c.op->guest, c.op->len, false);
	if (!ret)
		warm_map(c.disk, c.op->guest);
	unlock(&c);
	end(&c, ret);
}

/*
 * Zeroes that have to be written as data are written in parts, which begin and end at multiples
 * of this: FAIR-RANGES: between two, others get their turn. It is a multiple of every cluster size.
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
		to->file->ops->discard(to->file, guest, len);
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

static void change_discard(struct work_struct *work)
{
	struct change c;
	u64 len;
	int ret;

	begin(&c, work);
	len = c.op->len;
	ret = lock(&c, c.op->guest, len);
	if (!ret)
		ret = discard(&c, c.op->guest, len);
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
			ret = write_range(c, guest, part, true);
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
		return write_range(c, guest, past - guest, true);
	unit = 1ULL << q2_image_geometry(img)->subcluster_bits;
	first = min(round_up(guest, unit), past);
	last = past == q2_image_size(img) ? past : max(round_down(past, unit), first);
	if (guest < first)
		ret = write_range(c, guest, first - guest, true);
	if (!ret && first < last)
		ret = zero_aligned(c, first, last - first, unmap);
	if (!ret && last < past)
		ret = write_range(c, last, past - last, true);
	return ret;
}

static int zero_part(struct change *c, u64 guest, u64 len)
{
	bool unmap = !c->op->keep;
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

static void change_zero(struct work_struct *work)
{
	u64 guest, past, len;
	struct change c;
	int ret = 0;

	begin(&c, work);
	guest = c.op->guest;
	past = guest + c.op->len;
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

static void change_flush(struct work_struct *work)
{
	struct q2_op *op = container_of(work, struct q2_op, work);
	unsigned int noio = memalloc_noio_save();
	int ret = q2_disk_flush(op->disk);

	memalloc_noio_restore(noio);
	q2_io_end(op, ret);
}

void q2_change_begin(struct q2_op *op, enum q2_change what, struct workqueue_struct *wq)
{
	static const work_func_t serve[] = {
		[Q2_CHANGE_WRITE] = change_write,
		[Q2_CHANGE_DISCARD] = change_discard,
		[Q2_CHANGE_ZERO] = change_zero,
		[Q2_CHANGE_FLUSH] = change_flush,
	};

	op->deadline = 0;
	op->starved = false;
	op->send_back = false;
	/* TOKEN-WAITS-FOR-NOTHING: it may wait for a commit, which waits for the tokens. */
	q2_op_leave(op);
	INIT_WORK(&op->work, serve[what]);
	queue_work(wq, &op->work);
}
