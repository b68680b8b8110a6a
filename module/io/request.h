/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Serving one request of a device.
 *
 * Fast, in the caller's context, nothing waits: q2_disk_lookup(), then
 * q2_request_start(). Everything else goes to the device's workers, where
 * metadata is read, clusters are inflated and a request is split as the chain
 * demands. What changes mappings is served there too: change.h.
 */
#ifndef Q2_IO_REQUEST_H
#define Q2_IO_REQUEST_H

#include <linux/bio.h>
#include <linux/fs.h>

#include "serve/change.h"
#include "serve/find.h"

/**
 * struct q2_request - what a bio needs while it is served
 * @op: disk, guest and token; the rest is set when it changes mappings. bi_sector is overwritten
 * @bio: what to fill; completed with bio_endio() when it is
 * @layer: layer being read, once known
 * @host: host offset being read, once known
 * @kiocb: of the I/O in flight on a file
 * @pending: who still uses @kiocb: the file system's call, and the I/O
 * @result: of the I/O
 * @done: bytes a read or write on a file has moved so far
 * @swap: what q2_bios_swap_begin() returned, for the end; 0: no page of swap
 *
 * Room for one comes with each bio: device-mapper's per-bio data, or the front
 * of a split-off bio.
 */
struct q2_request {
	struct q2_op op;
	struct bio *bio;
	u64 host;
	unsigned int layer;
	u32 done;
	struct kiocb kiocb;
	atomic_t pending;
	long result;
	unsigned int swap;
};

enum q2_start {
	Q2_START_REMAPPED, /* bio points at a block device now: the caller submits it */
	Q2_START_TAKEN,	   /* will be completed, or is already: the bio may be gone */
};

/**
 * q2_request_start() - serve a read whose run is known
 * @req: room; bio, and disk, guest and token of op are set
 * @run: from q2_disk_lookup(); covers the bio
 *
 * Never blocks; a bio with REQ_NOWAIT that would need a worker ends with
 * BLK_STS_AGAIN.
 */
enum q2_start q2_request_start(struct q2_request *req, const struct q2_run *run);

/**
 * q2_request_write() - serve a write to a run that may be written in place
 * @req: as above
 * @run: from q2_disk_lookup(); covers the bio
 *
 * Goes to a worker if it is not in place after all. Never blocks.
 */
enum q2_start q2_request_write(struct q2_request *req, const struct q2_run *run);

/* Hand a request to q2_change_begin(); with REQ_NOWAIT it ends instead. Any context. */
void q2_request_change(struct q2_request *req, enum q2_change what);

/*
 * Complete the bio, unless parts of it are under way yet: then the last one does. An error
 * that a part has left there stays (ERROR-STAYS). What a read that failed would have filled is
 * zeroed, so that nobody finds there what the memory held before. Any context.
 */
void q2_request_finish(struct q2_request *req, blk_status_t status);

/* An iterator over what is left of the bio: from req->done on. */
void q2_request_iter(const struct q2_request *req, struct iov_iter *iter);

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
