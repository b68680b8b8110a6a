// SPDX-License-Identifier: GPL-2.0-only
/* Changes that wait for room, or for memory. */
#include "env.h"
#include "serve/io.h"
#include "serve/room.h"

/* How often one that waits for room is tried again. */
#define ROOM_DELAY (HZ / 2)
/* The same for memory. */
#define MEMORY_DELAY (HZ / 50 + 1)

static void end(struct q2_op *op, int error)
{
	struct q2_disk *disk = op->disk;

	if (!op->send_back)
		pr_err_ratelimited("dm-qcow2: %s: no room for %u bytes at guest offset %llu\n",
				   disk->name, op->len, op->guest);
	q2_room_done(op, error);
	q2_io_end(op, error);
}

/* One that waits for room, and all that wait for memory, go to the workers again. */
static void look(struct work_struct *work)
{
	struct q2_room *room = container_of(to_delayed_work(work), struct q2_room, look);
	struct q2_disk *disk = container_of(room, struct q2_disk, room);
	struct q2_op *op, *next;
	LIST_HEAD(again);
	LIST_HEAD(over);
	bool tried = false;

	spin_lock(&room->lock);
	list_for_each_entry_safe(op, next, &room->parked, parked) {
		if (room->leaving || (op->starved && time_after(jiffies, op->deadline))) {
			/* Now: a suspend that a signal ends takes @leaving back. */
			op->send_back = room->leaving;
			list_move_tail(&op->parked, &over);
		} else if (!op->starved || !tried) {
			tried |= op->starved;
			list_move_tail(&op->parked, &again);
		}
	}
	if (!list_empty(&room->parked))
		queue_delayed_work(disk->wq, &room->look, ROOM_DELAY);
	spin_unlock(&room->lock);
	list_for_each_entry_safe(op, next, &again, parked) {
		list_del(&op->parked);
		queue_work(disk->change_wq, &op->work);
	}
	list_for_each_entry_safe(op, next, &over, parked) {
		list_del(&op->parked);
		end(op, op->starved ? -ENOSPC : -ENOMEM);
	}
}

void q2_room_init(struct q2_disk *disk)
{
	struct q2_room *room = &disk->room;

	spin_lock_init(&room->lock);
	INIT_LIST_HEAD(&room->parked);
	INIT_DELAYED_WORK(&room->look, look);
}

void q2_room_exit(struct q2_disk *disk)
{
	cancel_delayed_work_sync(&disk->room.look);
}

bool q2_room_make(struct q2_op *op)
{
	struct q2_disk *disk = op->disk;

	if (op->deadline)
		return false;
	/* 0 means that there was room so far. */
	op->deadline = (jiffies + msecs_to_jiffies(disk->nospace_ms)) | 1;
	return !q2_disk_flush(disk);
}

/* The first one to find no room tells. Blocks for a moment. */
static void starve(struct q2_op *op)
{
	struct q2_disk *disk = op->disk;

	op->starved = true;
	if (atomic_inc_return(&disk->nospace) != 1)
		return;
	/* No range is held: a merge may take the top away. */
	mutex_lock(&disk->look_lock);
	pr_warn("dm-qcow2: %s: %s: no room for new clusters; writes wait %u s for more\n",
		disk->name, disk->top->file->name, disk->nospace_ms / 1000);
	mutex_unlock(&disk->look_lock);
	q2_disk_event(disk);
}

bool q2_room_park(struct q2_op *op, int error)
{
	struct q2_disk *disk = op->disk;
	struct q2_room *room = &disk->room;
	bool parked = false, in_time = true;

	if (error != -ENOSPC && error != -ENOMEM)
		return false;
	if (error == -ENOSPC) {
		in_time = disk->nospace_ms && !time_after(jiffies, op->deadline);
		if (in_time && !op->starved)
			starve(op);
	}
	spin_lock(&room->lock);
	/*
	 * SUSPEND-LOSES-NOTHING: under the lock: q2_room_leave() finds all that are parked, and
	 * what is refused because of it is sent back, even if a signal ends the suspend just now.
	 */
	op->send_back = room->leaving;
	if (!room->leaving && in_time) {
		list_add_tail(&op->parked, &room->parked);
		parked = true;
		if (error == -ENOMEM)
			mod_delayed_work(disk->wq, &room->look, MEMORY_DELAY);
		else
			queue_delayed_work(disk->wq, &room->look, ROOM_DELAY);
	}
	spin_unlock(&room->lock);
	return parked;
}

void q2_room_done(struct q2_op *op, int error)
{
	struct q2_disk *disk = op->disk;
	struct q2_op *other;

	if (!op->starved)
		return;
	op->starved = false;
	atomic_dec(&disk->nospace);
	if (error)
		return;
	/* There is room again: nobody waits for the next look. */
	for (;;) {
		spin_lock(&disk->room.lock);
		other = list_first_entry_or_null(&disk->room.parked, struct q2_op, parked);
		if (other)
			list_del(&other->parked);
		spin_unlock(&disk->room.lock);
		if (!other)
			return;
		queue_work(disk->change_wq, &other->work);
	}
}

void q2_room_leave(struct q2_disk *disk)
{
	struct q2_room *room = &disk->room;

	spin_lock(&room->lock);
	WRITE_ONCE(room->leaving, true);
	if (!list_empty(&room->parked))
		mod_delayed_work(disk->wq, &room->look, 0);
	spin_unlock(&room->lock);
}

void q2_room_return(struct q2_disk *disk)
{
	spin_lock(&disk->room.lock);
	WRITE_ONCE(disk->room.leaving, false);
	spin_unlock(&disk->room.lock);
}
