/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What device-mapper does with a device: requests wait while it is suspended, a suspend waits
 * for requests, a resume makes a loaded table live. As drivers/md/dm.c has it, but for the
 * freezing of a file system, which the world's tasks can do themselves.
 */
#ifndef Q2_EXPLORE_IO_DM_H
#define Q2_EXPLORE_IO_DM_H

#include "explore.h"
#include "job/control.h"

/**
 * struct dm - a mapped device
 * @live: its table
 * @suspend_lock: one suspend or resume at a time
 * @blocked: requests wait
 * @noflush: a suspend without flush is under way: requests may be sent back
 * @still: it is suspended, and nothing goes on
 * @in_flight: requests that have been let in
 * @wait: for the last two to change
 */
struct dm {
	struct q2_control *live;
	struct mutex suspend_lock;
	bool blocked;
	bool noflush;
	bool still;
	atomic_t in_flight;
	wait_queue_head_t wait;
};

/* A device that is suspended, with @table. */
void dm_init(struct dm *dm, struct q2_control *table);

/* A request comes, and has ended. */
void dm_enter(struct dm *dm);
void dm_leave(struct dm *dm);

/* Suspend it, unless it is. @noflush: requests that wait are sent back. */
void dm_suspend(struct dm *dm, bool noflush);

/* Resume it, if it is suspended. @table: becomes live before, if not NULL. Return: the old one. */
struct q2_control *dm_resume(struct dm *dm, struct q2_control *table);

/**
 * dm_table() - load a table
 * @paths: layers, base first; those named "raw" are raw
 * @nr: how many
 * @write: the top may be written
 * @nospace_ms: see &struct q2_disk_params
 * @err: reason of a refusal
 *
 * Return: the table, or ERR_PTR.
 */
struct q2_control *dm_table(struct dm *dm, const char *const *paths, unsigned int nr, bool write,
			    unsigned int nospace_ms, struct q2_err *err);

/* Destroy a table that is not live. */
void dm_table_destroy(struct q2_control *table);

#endif
