/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changes that wait for room, or for memory.
 *
 * PARKED-HOLDS-NOTHING: a change that finds no room is parked: it holds neither a worker, nor
 * a guest range, nor memory, so that whatever frees room, a flush, and the end of a job never
 * wait behind it. Twice a second one of those that are parked is tried again from its
 * beginning; when it finds room all others are. One that has waited for the time of the table
 * line fails.
 *
 * SUSPEND-LOSES-NOTHING: a suspend waits for changes as it does for all requests, however long
 * they may wait: the file system on the device is frozen meanwhile, and its write-back must not
 * be lost. Only a suspend without flush does not (device-mapper's noflush): it sends them back,
 * and device-mapper maps them anew after the resume.
 */
#ifndef Q2_SERVE_ROOM_H
#define Q2_SERVE_ROOM_H

#include "env.h"

struct q2_disk;
struct q2_op;

/**
 * struct q2_room - the changes of a disk that wait
 * @lock: protects what follows
 * @parked: struct q2_op, the one that came first at the front
 * @leaving: the disk is being suspended, and no change may wait
 * @look: tries them again
 */
struct q2_room {
	spinlock_t lock;
	struct list_head parked;
	bool leaving;
	struct delayed_work look;
};

void q2_room_init(struct q2_disk *disk);

/* No request is in flight. Blocks. */
void q2_room_exit(struct q2_disk *disk);

/**
 * q2_room_park() - may a change that failed be served again, later?
 * @op: it; holds nothing
 * @error: why it failed: -ENOSPC or -ENOMEM; anything else is never parked
 *
 * Blocks for a moment. Return: true: it waits, and belongs to q2_room_look(); false: it has to
 * end, as @send_back says.
 */
bool q2_room_park(struct q2_op *op, int error);

/*
 * Is it time to try a step that found no room once more, right away? It is the first time,
 * when clusters that were freed can be had by a commit. Blocks.
 */
bool q2_room_make(struct q2_op *op);

/* A change ends. If it had waited, and has found room, others may, too. Process context. */
void q2_room_done(struct q2_op *op, int error);

/*
 * May nothing wait, because the disk is being suspended without flush? Who would have waited
 * is sent back then (@send_back of &struct q2_op). Ask once: the answer may change at any time.
 * Any context.
 */
static inline bool q2_room_leaving(const struct q2_room *room)
{
	return READ_ONCE(room->leaving);
}

/* From now on no change may wait, or it may again. */
void q2_room_leave(struct q2_disk *disk);
void q2_room_return(struct q2_disk *disk);

#endif
