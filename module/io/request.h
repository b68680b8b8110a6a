/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Serving one request of a device.
 *
 * Fast, in the caller's context, nothing waits: q2_request_find(), then
 * q2_request_start(). Everything else goes to the device's workers, where
 * metadata is read, clusters are inflated and a request is split as the chain
 * demands. What changes mappings is served there too: change.h.
 */
#ifndef Q2_IO_REQUEST_H
#define Q2_IO_REQUEST_H

#include <linux/bio.h>
#include <linux/fs.h>

#include "io/disk.h"

/**
 * struct q2_request - what a bio needs while it is served
 * @disk: device
 * @bio: what to fill; completed with bio_endio() when it is
 * @guest: first guest byte; bi_sector is overwritten
 * @layer: layer being read, once known
 * @host: host offset being read, once known
 * @kiocb: of the I/O in flight on a file
 * @pending: who still uses @kiocb: the file system's call, and the I/O
 * @result: of the I/O
 * @done: bytes a read or write on a file has moved so far
 * @in_flight: token of q2_disk_enter(), or -1; given back when the bio ends
 * @swap: what q2_bios_swap_begin() returned, for the end; 0: no page of swap
 * @work: for the worker
 * @parked: in &q2_room.parked
 * @deadline: of a change: until when it may wait for room, in jiffies; 0: it need not yet
 * @starved: it waits for room
 *
 * Room for one comes with each bio: device-mapper's per-bio data, or the front
 * of a split-off bio.
 */
struct q2_request {
	struct q2_disk *disk;
	struct bio *bio;
	u64 guest;
	u64 host;
	unsigned int layer;
	u32 done;
	int in_flight;
	struct kiocb kiocb;
	atomic_t pending;
	long result;
	unsigned int swap;
	struct work_struct work;
	struct list_head parked;
	unsigned long deadline;
	bool starved;
};

enum q2_start {
	Q2_START_REMAPPED, /* bio points at a block device now: the caller submits it */
	Q2_START_TAKEN,	   /* will be completed, or is already: the bio may be gone */
};

/**
 * q2_request_find() - what the map knows of the bio
 * @disk: device
 * @guest: first guest byte
 * @len: bytes
 * @run: result
 *
 * The caller cuts the bio to run->len before q2_request_start(). Never blocks.
 */
void q2_request_find(struct q2_disk *disk, u64 guest, u32 len, struct q2_run *run);

/**
 * q2_request_start() - serve a read whose run is known
 * @req: room; disk, bio and guest are set
 * @run: from q2_request_find(); covers the bio
 *
 * Never blocks; a bio with REQ_NOWAIT that would need a worker ends with
 * BLK_STS_AGAIN.
 */
enum q2_start q2_request_start(struct q2_request *req, const struct q2_run *run);

/**
 * q2_request_write() - serve a write to a run that may be written in place
 * @req: room; disk, bio, guest and in_flight are set
 * @run: from q2_request_find(); covers the bio
 *
 * Goes to a worker if it is not in place after all. Never blocks.
 */
enum q2_start q2_request_write(struct q2_request *req, const struct q2_run *run);

/*
 * Hand a request that changes mappings to a worker, which calls @func of
 * change.h; with REQ_NOWAIT it ends instead. Any context.
 */
void q2_request_change(struct q2_request *req, work_func_t func);

/* Give back the token, if there is one. Any context. */
static inline void q2_request_leave(struct q2_request *req)
{
	if (req->in_flight >= 0)
		q2_disk_leave(req->disk, req->in_flight);
	req->in_flight = -1;
}

/*
 * Complete the bio, unless parts of it are under way yet: then the last one does. An error
 * that a part has left there stays. What a read that failed would have filled is zeroed, so
 * that nobody finds there what the memory held before. Any context.
 */
void q2_request_finish(struct q2_request *req, blk_status_t status);

/* The same for a request of q2_request_change(). */
void q2_request_end_change(struct q2_request *req, blk_status_t status);

/* An iterator over what is left of the bio: from req->done on. */
void q2_request_iter(const struct q2_request *req, struct iov_iter *iter);

/**
 * q2_disk_read() - what the device reads, into memory
 * @disk: device
 * @guest: first byte
 * @buf: where to, from kvmalloc()
 * @len: bytes; beyond the end of the disk zeroes are read
 *
 * Blocks. Return: 0 or -errno.
 */
int q2_disk_read(struct q2_disk *disk, u64 guest, void *buf, u32 len);

/* Does the device surely read zeroes there? Goes by the maps, not by data. Blocks. */
bool q2_disk_reads_zero(struct q2_disk *disk, u64 guest, u64 len);

/* Bytes that a bio_set needs in front of each bio. */
#define Q2_REQUEST_FRONT_PAD (offsetof(struct q2_split, bio))

/**
 * struct q2_split - a piece split off a bio
 * @req: its request
 * @bio: last, as bio_set demands
 */
struct q2_split {
	struct q2_request req;
	struct bio bio;
};

#endif
