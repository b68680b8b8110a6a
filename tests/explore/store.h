/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host file of a world: what reads show, what is durable, and what lies between.
 *
 * A read, write or flush is submitted, and has its effect when the scheduler has the
 * task, or the event, go on: in any order with all others, at once each. A write is
 * durable after a flush that began after the write had ended. A fault makes one fail: a
 * write that fails may have been done or not; after a flush that fails, what it was to
 * make durable is never written again, though reads show it.
 *
 * After a power cut there is what was flushed. Of the writes since then any subset of
 * sectors may be there, the younger ones of a sector over the older: all subsets of up
 * to STORE_SUBSET sectors; of more than that none, all, all but one write, one write
 * alone, and all but one half of one.
 */
#ifndef Q2_EXPLORE_STORE_H
#define Q2_EXPLORE_STORE_H

#include "explore.h"
#include "image/file.h"

#define STORE_SECTOR 512U
#define STORE_SUBSET 4U
#define STORE_WRITES 128

enum store_op {
	STORE_READ,
	STORE_WRITE,
	STORE_FLUSH,
};

/**
 * struct store - a host file
 * @file: for image/ and chain/
 * @room: bytes of @live and of @durable
 * @live: what reads show
 * @durable: what is there after a power cut, at least
 * @durable_size: length of the file then
 * @nr_writes: since the last flush
 * @writes: these, oldest first
 * @flushes: begun so far
 * @errors: I/O that failed with -EIO
 * @thin: any write may fail with -ENOSPC, not only one that makes the file longer
 * @punches: a discard makes the bytes read zeroes, as a hole does
 */
struct store {
	struct q2_file file;
	u64 room;
	u8 *live;
	u8 *durable;
	u64 durable_size;
	unsigned int nr_writes;
	struct store_write {
		u64 offset;
		u32 len;
		u32 flushing;
		u8 *data;
	} writes[STORE_WRITES];
	unsigned int flushes;
	unsigned int errors;
	bool thin;
	bool punches;
};

/**
 * store_create() - a file
 * @name: for messages and the trace
 * @data: what is in it, durably
 * @size: bytes
 * @room: bytes that it may have
 *
 * During the set-up. Lives in the arena.
 */
struct store *store_create(const char *name, const void *data, u64 size, u64 room);

/**
 * store_submit() - start an I/O, and be told when it has ended
 * @store: file
 * @op: what
 * @offset: first byte
 * @buf: to, or from; stays until the end
 * @len: bytes
 * @done: called at the end, in a context that cannot sleep: @ret bytes or -errno. A read
 *        may be short as a fault.
 * @arg: its argument
 *
 * Any context.
 */
void store_submit(struct store *store, enum store_op op, u64 offset, void *buf, u32 len,
		  void (*done)(void *arg, long ret), void *arg);

/*
 * The power has been cut, and is back: what is durable is all there is, and I/O works
 * again. To be called first by a world's judge of power cuts.
 */
void store_restart(struct store *store);

#endif
