// SPDX-License-Identifier: GPL-2.0-only
/* Requests of guests. */
#include "guest.h"
#include "serve/change.h"
#include "serve/find.h"
#include "serve/io.h"
#include "serve/place.h"

/**
 * struct request - a request
 * @op: what serve/ knows of it
 * @data: of a write
 * @error: how it ended
 * @ended: when
 */
struct request {
	struct q2_op op;
	const u8 *data;
	int error;
	struct completion ended;
};

/*
 * What serve/ asks for
 */

int q2_io_open(struct q2_disk *disk)
{
	return 0;
}

void q2_io_close(struct q2_disk *disk)
{
}

int q2_io_prepare(struct q2_disk *disk, const struct q2_shared *s)
{
	return 0;
}

int q2_io_write(struct q2_op *op, u64 skip, u64 len, struct q2_shared *to, u64 host)
{
	struct request *req = container_of(op, struct request, op);

	return q2_file_write(to->file, host, req->data + skip, len);
}

int q2_io_write_among(struct q2_op *op, u64 skip, u32 len, struct q2_shared *to, u64 host, u32 head,
		      u32 tail)
{
	struct request *req = container_of(op, struct request, op);
	u8 buf[4096];

	if (head + len + tail > sizeof(buf))
		return -E2BIG;
	memset(buf, 0, sizeof(buf));
	memcpy(buf + head, req->data + skip, len);
	return q2_file_write(to->file, host, buf, head + len + tail);
}

int q2_io_copy(struct q2_op *op, u64 skip, void *buf, u32 len)
{
	struct request *req = container_of(op, struct request, op);

	memcpy(buf, req->data + skip, len);
	return 0;
}

int q2_io_expand(struct q2_shared *s, const struct q2_extent *ext, u32 skip, void *buf, u32 len)
{
	return -EIO;
}

void q2_io_end(struct q2_op *op, int error)
{
	struct request *req = container_of(op, struct request, op);

	req->error = error;
	complete(&req->ended);
}

/*
 * Requests
 */

static void begin(struct request *req, struct dm *dm, u64 guest, u32 len)
{
	memset(req, 0, sizeof(*req));
	init_completion(&req->ended);
	dm_enter(dm);
	req->op.disk = dm->live->disk;
	req->op.guest = guest;
	req->op.len = len;
	q2_op_enter(&req->op);
}

/* Return: -ERESTART: device-mapper sends it again after the resume. */
static int end(struct request *req, struct dm *dm, int error)
{
	bool again = req->op.send_back;

	/* dm.c: an error but while it suspends without flush. */
	if (again && !dm->noflush) {
		again = false;
		error = -EIO;
	}
	q2_op_leave(&req->op);
	dm_leave(dm);
	return again ? -ERESTART : error;
}

static int change(struct request *req, enum q2_change what)
{
	q2_change_begin(&req->op, what, req->op.disk->change_wq);
	wait_for_completion(&req->ended);
	return req->error;
}

static int read_some(struct q2_disk *disk, u64 guest, u8 *buf, u32 *len)
{
	struct q2_answer answer;
	struct q2_run run;

	q2_disk_lookup(disk, guest, *len, &run);
	*len = run.len;
	if (run.kind == Q2_MAP_ZERO) {
		memset(buf, 0, *len);
		return 0;
	}
	if (run.kind == Q2_MAP_DATA)
		return q2_file_read(disk->shared[run.layer]->file, run.host, buf, *len);
	/* In a worker; the token goes with the request. */
	q2_disk_find(disk, guest, *len, &answer);
	*len = answer.ext.len;
	if (answer.error)
		return answer.error;
	if (answer.ext.kind == Q2_DATA)
		return q2_file_read(disk->shared[answer.layer]->file, answer.ext.host, buf, *len);
	memset(buf, 0, *len);
	return 0;
}

int guest_read(struct dm *dm, u64 guest, u8 *buf, u32 len)
{
	struct request req;
	u32 part, done;
	int ret = 0;

	/* device-mapper sends what the first part leaves as a request of its own. */
	for (done = 0; done < len && !ret; done += part) {
		part = len - done;
		begin(&req, dm, guest + done, part);
		ret = read_some(req.op.disk, guest + done, buf + done, &part);
		/* A worker waits for memory, unless the device is suspended without flush. */
		if (ret == -ENOMEM) {
			req.op.send_back = q2_room_leaving(&req.op.disk->room);
			schedule_timeout_uninterruptible(1);
			part = 0;
			ret = 0;
		}
		ret = end(&req, dm, ret);
		if (ret == -ERESTART) {
			part = 0;
			ret = 0;
		}
	}
	return ret;
}

/* Bytes that were written in place, or -errno. */
static long write_in_place(struct request *req, const struct q2_run *run, enum guest_write how)
{
	struct q2_shared *s = req->op.disk->shared[run->layer];
	int ret;

	if (how == GUEST_AGAIN)
		return -EAGAIN;
	ret = q2_file_write(s->file, run->host, req->data, req->op.len);
	return ret ? ret : req->op.len;
}

/* *@len: cut to what was one run. */
static int write_some(struct dm *dm, u64 guest, const u8 *buf, u32 *len, enum guest_write how)
{
	struct request req;
	struct q2_run run;
	long ret = -EAGAIN;

	begin(&req, dm, guest, *len);
	req.data = buf;
	req.op.fua = how == GUEST_FUA;
	q2_disk_lookup(req.op.disk, guest, *len, &run);
	if (run.kind == Q2_MAP_DATA && run.in_place)
		*len = req.op.len = run.len;
	/* A file is never durable in place: module/io asks for a block device. */
	if (q2_may_write_in_place(req.op.disk, &run, req.op.len) && how != GUEST_FUA)
		ret = write_in_place(&req, &run, how);
	switch (q2_placed(ret, req.op.len)) {
	case Q2_PLACED:
		return end(&req, dm, 0);
	case Q2_PLACE_AGAIN:
		return end(&req, dm, change(&req, Q2_CHANGE_WRITE));
	default:
		return end(&req, dm, ret);
	}
}

int guest_write(struct dm *dm, u64 guest, const u8 *buf, u32 len, enum guest_write how)
{
	u32 part, done;
	int ret = 0;

	for (done = 0; done < len && !ret; done += part) {
		part = len - done;
		ret = write_some(dm, guest + done, buf + done, &part, how);
		if (ret == -ERESTART) {
			part = 0;
			ret = 0;
		}
	}
	return ret;
}

static int change_range(struct dm *dm, u64 guest, u32 len, enum q2_change what, bool keep)
{
	struct request req;
	int ret;

	do {
		begin(&req, dm, guest, len);
		req.op.keep = keep;
		ret = end(&req, dm, change(&req, what));
	} while (ret == -ERESTART);
	return ret;
}

int guest_zero(struct dm *dm, u64 guest, u32 len, bool keep)
{
	return change_range(dm, guest, len, Q2_CHANGE_ZERO, keep);
}

int guest_discard(struct dm *dm, u64 guest, u32 len)
{
	return change_range(dm, guest, len, Q2_CHANGE_DISCARD, false);
}

int guest_flush(struct dm *dm)
{
	return change_range(dm, 0, 0, Q2_CHANGE_FLUSH, false);
}
