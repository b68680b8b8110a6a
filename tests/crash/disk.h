/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host file or block device in memory whose write cache is volatile.
 *
 * What was written since the last flush is kept in a log. A power cut leaves
 * the durable bytes and, of each sector in the log, any one of its versions.
 */
#ifndef Q2_SIM_DISK_H
#define Q2_SIM_DISK_H

#include "image/file.h"
#include "sim.h"

/* One write or discard that is not durable yet. */
struct disk_entry {
	u64 offset;
	u64 len;
	u8 *data;   /* NULL: a discard */
	bool guest; /* guest data, not metadata */
};

/**
 * struct disk - one file
 * @file: for the code under test
 * @live: what a read shows
 * @durable: what a power cut leaves at least
 * @size: bytes of the file as read
 * @durable_size: bytes that have reached the medium; @size on a device
 * @room: bytes of the buffers
 * @device: size is fixed, and what was never written is garbage
 * @junk: byte that a discarded sector reads
 * @log: since the last flush
 * @event: called before each write, flush and discard takes place, with "it is a
 *         write of guest data"; may be NULL
 */
struct disk {
	struct q2_file file;
	u8 *live;
	u8 *durable;
	u64 size;
	u64 durable_size;
	u64 room;
	bool device;
	u8 junk;
	bool readonly;
	struct disk_entry *log;
	size_t nr_log, log_room;
	unsigned long flushes, writes, reads;
	void (*event)(struct disk *disk, bool guest, void *arg);
	void *event_arg;
	struct rng rng; /* for tears of failing requests */
	pthread_mutex_t lock;
};

/* One file with these bytes; may grow to @room. */
struct disk *disk_create(const void *data, u64 size, u64 room, bool device);
void disk_free(struct disk *disk);

/* The same as q2_file_write(), for guest data: tells them apart. */
int disk_write_guest(struct disk *disk, u64 offset, const void *buf, u64 len);

/* A write that is durable when it ends. What was written before and is not durable stays so. */
int disk_write_fua(struct disk *disk, u64 offset, const void *buf, u64 len);

/* What kind of request fails. */
enum fault_kind {
	FAULT_NONE,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_NOSPC,
	FAULT_FLUSH,
	FAULT_ALLOC
};

/**
 * struct disk_fault - of all disks
 * @left: the @left-th request of the kind fails
 * @sticky: and all after it
 * @hit: one has failed
 * @meta: one that was no guest data write has failed
 */
struct disk_fault {
	enum fault_kind kind;
	unsigned long left;
	bool sticky;
	bool hit;
	bool meta;
};
extern struct disk_fault disk_fault;
void disk_fault_set(enum fault_kind kind, unsigned long nth, bool sticky);
void disk_fault_clear(void);
/* Nothing fails, and nothing is counted, until the other is called. */
void disk_fault_pause(struct disk_fault *saved);
void disk_fault_resume(const struct disk_fault *saved);

/**
 * struct disk_state - bytes after a power cut
 * @data: @size bytes
 */
struct disk_state {
	u8 *data;
	u64 size;
	u64 room, used; /* of the buffer */
	char how[64];	/* in words */
};

/* One state that a power cut now could leave. */
void disk_cut(struct disk *disk, struct rng *rng, struct disk_state *state);
void disk_state_free(struct disk_state *state);

#endif
