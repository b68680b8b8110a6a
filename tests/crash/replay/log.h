/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A log of writes: what dm-log-writes and QEMU's blklogwrites leave.
 *
 * Both list a request when it has ended. A flush of dm-log-writes stands behind
 * what had ended when it began; one of blklogwrites behind what had ended when it
 * ended. dm-log-writes lists a write with FUA at once, the others with the next
 * flush.
 */
#ifndef Q2_REPLAY_LOG_H
#define Q2_REPLAY_LOG_H

#include "sim.h"

struct log {
	u8 *bytes;
	u64 size;
	u64 nr; /* entries */
	u64 next;
	u64 at; /* of the next, in bytes */
};

/* What may be set in an entry. All of it in one: first the flush, then the data. */
#define LOG_FLUSH 1
#define LOG_FUA 2
#define LOG_DISCARD 4
#define LOG_MARK 8 /* dm-log-writes' own: no request */

struct log_entry {
	u64 offset, len; /* bytes */
	unsigned int flags;
	const u8 *data; /* NULL: none */
};

/* Read a file from @offset on; FAIL() if there is no log. */
void log_open(struct log *log, const char *path, u64 offset, u64 size);
void log_close(struct log *log);
/* From the first entry again. */
void log_rewind(struct log *log);
/* Return: false at the end. */
bool log_next(struct log *log, struct log_entry *entry);

#endif
