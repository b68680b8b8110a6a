/* SPDX-License-Identifier: GPL-2.0-only */
/* One request of a device, without its bytes. */
#ifndef Q2_SERVE_OP_H
#define Q2_SERVE_OP_H

#include "serve/disk.h"

/**
 * struct q2_op - a request on its way
 * @disk: device
 * @guest: first guest byte
 * @len: bytes; 0: a flush
 * @fua: a write: durable when it ends
 * @keep: zeroes: clusters stay allocated
 * @send_back: it ends without having been served: it could have waited, had the device not
 *             been suspended without flush
 * @starved: it waits for room
 * @token: from q2_op_enter(), or -1
 * @deadline: until when it may wait for room, in jiffies; 0: it need not yet
 * @work: for a worker
 * @parked: in &q2_room.parked
 *
 * Whoever moves bytes embeds it. An op that changes mappings belongs to q2_change_begin() until
 * q2_io_end(); all others never leave the hands of those who move bytes.
 */
struct q2_op {
	struct q2_disk *disk;
	u64 guest;
	u32 len;
	bool fua;
	bool keep;
	bool send_back;
	bool starved;
	int token;
	unsigned long deadline;
	struct work_struct work;
	struct list_head parked;
};

/*
 * TOKEN-FIRST: take a token before anything is looked up: see @in_flight of &struct q2_disk. A
 * device that is only read has none: nothing is taken away from it. Any context.
 */
static inline void q2_op_enter(struct q2_op *op)
{
	op->token = op->disk->writable ? q2_disk_enter(op->disk) : -1;
}

/* Give the token back, if there is one. TOKEN-FIRST: not before its I/O has ended. Any context. */
static inline void q2_op_leave(struct q2_op *op)
{
	if (op->token >= 0)
		q2_disk_leave(op->disk, op->token);
	op->token = -1;
}

#endif
