/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Serving one read request of a device.
 *
 * Fast, in the caller's context, nothing waits: q2_request_find(), then
 * q2_request_start(). Everything else goes to the device's workers, where
 * metadata is read, clusters are inflated and a request is split as the chain
 * demands.
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
 * @kiocb: of the read in flight on a file
 * @done: bytes a read on a file has delivered so far
 * @work: for the worker
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
	struct kiocb kiocb;
	struct work_struct work;
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
