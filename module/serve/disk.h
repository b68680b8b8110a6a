/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One device of this module: a chain of open images, its flattened map, the
 * workers that do what may wait, and counters.
 *
 * Lifetime: q2_disk_open() in the constructor, q2_disk_close() in the
 * destructor, requests in between; device-mapper sees to it that none is left.
 */
#ifndef Q2_SERVE_DISK_H
#define Q2_SERVE_DISK_H

#include "chain/map.h"
#include "serve/hints.h"
#include "serve/range.h"
#include "serve/room.h"
#include "serve/shared.h"

/* Requests of one device that change mappings at a time: each takes memory below. */
#define Q2_MAX_CHANGES 64

/* What requests were made of; one set a CPU. Units: lookups, runs, requests. */
enum q2_count {
	Q2_COUNT_HITS,	     /* lookups that the map could answer */
	Q2_COUNT_MISSES,     /* lookups that it could not */
	Q2_COUNT_REMAPPED,   /* runs sent on to a block device */
	Q2_COUNT_DIRECT,     /* runs read from a file in the caller's context */
	Q2_COUNT_DEFERRED,   /* runs read from a file by a worker */
	Q2_COUNT_ZERO,	     /* runs that read zeroes */
	Q2_COUNT_COMPRESSED, /* runs of compressed clusters */
	Q2_COUNT_MIXED,	     /* runs the chain was asked for, past the map */
	Q2_COUNT_WRITTEN,    /* runs written in place */
	Q2_COUNT_ALLOCATING, /* write requests that took a worker */
	Q2_COUNT_ERRORS,     /* requests that failed */
	Q2_NR_COUNTS,
};

struct q2_counters {
	u64 n[Q2_NR_COUNTS];
};

/**
 * struct q2_disk - a device
 * @chain: layers, base first
 * @shared: the open image of each layer of @chain, by the same number
 * @map: flattened map over @chain
 * @wq: where requests that may wait are served; the device's own, so that a
 *      device whose image lies on another one never waits for its turn there
 * @counters: statistics
 * @corruptions: requests that met a broken table entry or broken compressed data
 * @event: called once, from a worker, when @corruptions leaves 0
 * @event_arg: the first argument of @event and @gone
 * @name: for messages: "major:minor"
 * @align: logical block size that the files of the chain want, bytes
 * @mem_align: and alignment of memory
 * @list: all disks, for the shrinker
 * @table: the table that the disk is part of: a number
 * @change_wq: where requests are served that change mappings, and commits done.
 *             These wait for requests that hold @in_flight, which therefore
 *             must never wait for a place here
 * @top: the open image of the top layer
 * @writable: @top may be written
 * @in_flight: held by every request that uses host clusters it has looked up; a
 *             cluster that was freed is not used again before those of that time
 *             have ended
 * @ranges: guest ranges whose mappings are being changed
 * @range_unit: they are rounded to multiples of this, bytes: no cluster that is written
 *              is larger
 * @layers_lock: held for writing while layers go and @top and @dest change, for reading by
 *               who uses @top or @dest without holding a range, over I/O
 * @look_lock: held while layers go and @top and @dest change, and by who looks at them
 *             and must not wait for I/O: status (STATUS-NEVER-WAITS)
 * @dest: the open image of chain->dest, or NULL. Guests may have written there as long as
 *        it is set, which is until that is durable: a flush covers it (FLUSH-COVERS)
 * @gone: called when a layer leaves the chain, by its number; may block
 * @hints: where guests are, for a job that wants to know
 * @owner: the mapped device
 * @fill_lock: protects @fill_reserve
 * @fill_reserve: room for @range_unit bytes: writing memory back must not need memory
 * @commit_work: commits what has waited for a while
 * @nospace_ms: how long a write may wait for room, milliseconds
 * @nospace: changes that wait for room now
 * @low_water: bytes of room below which an event fires, 0: never
 * @room_left: bytes of room when it was last looked at
 * @room_looked: when that was, in jiffies
 * @is_low: @room_left is below @low_water
 * @failed: why nothing is written any more, or NULL; stays until the disk is closed
 *          (ERROR-STAYS)
 * @room: changes that wait for room or memory
 * @io: of those who move bytes (serve/io.h)
 */
struct q2_disk {
	struct q2_chain *chain;
	struct q2_shared **shared;
	struct q2_map *map;
	struct workqueue_struct *wq;
	struct q2_counters __percpu *counters;
	atomic_t corruptions;
	void (*event)(void *arg);
	void (*gone)(void *arg, unsigned int layer);
	void *event_arg;
	char name[32];
	u32 align;
	u32 mem_align;
	struct list_head list;
	const void *table;
	/* writing */
	struct workqueue_struct *change_wq;
	struct q2_shared *top;
	bool writable;
	struct srcu_struct in_flight;
	struct q2_ranges ranges;
	u64 range_unit;
	struct rw_semaphore layers_lock;
	struct mutex look_lock;
	struct q2_shared *dest;
	struct q2_hints hints;
	void *owner;
	struct mutex fill_lock;
	void *fill_reserve;
	struct delayed_work commit_work;
	unsigned int nospace_ms;
	atomic_t nospace;
	u64 low_water;
	u64 room_left;
	unsigned long room_looked;
	bool is_low;
	const char *failed;
	struct q2_room room;
	struct q2_disk_io *io;
};

/**
 * struct q2_disk_layer - what the table says of a layer
 * @path: absolute path
 * @format: how to read it
 */
struct q2_disk_layer {
	const char *path;
	enum q2_format format;
};

/**
 * struct q2_disk_params - what the table says
 * @name: for messages
 * @nr_layers: 1..Q2_MAX_LAYERS
 * @layers: base first
 * @map_bytes: bound of the map
 * @cache_bytes: bound of the metadata cache of images not open yet
 * @lock: hold QEMU's lock bytes
 * @write: the top layer may be written
 * @nospace_ms: how long a write may wait for room, milliseconds; 0: fail at once
 * @low_water: bytes of room below which an event fires, 0: never
 * @owner: the mapped device
 * @table: the table that the disk is part of
 * @event: see &struct q2_disk
 * @gone: see &struct q2_disk
 * @event_arg: see &struct q2_disk
 */
struct q2_disk_params {
	const char *name;
	unsigned int nr_layers;
	struct q2_disk_layer *layers;
	u64 map_bytes;
	size_t cache_bytes;
	bool lock;
	bool write;
	unsigned int nospace_ms;
	u64 low_water;
	void *owner;
	const void *table;
	void (*event)(void *arg);
	void (*gone)(void *arg, unsigned int layer);
	void *event_arg;
};

/**
 * q2_disk_open() - open every layer and build the device
 * @params: what the table says; not used after the call
 * @err: reason
 *
 * Refuses a file that is in the chain twice, a qcow2 layer that names a backing
 * file when none is listed below it, one listed below a layer that names none, and
 * an image that another disk of the same table uses if one of the two writes it.
 * Blocks. Return: the disk or ERR_PTR.
 */
struct q2_disk *q2_disk_open(const struct q2_disk_params *params, struct q2_err *err);

/* Close it. No request is in flight. Blocks. */
void q2_disk_close(struct q2_disk *disk);

/*
 * The disk is about to get requests: it and no other one uses the written image now. If
 * it follows another one of the same device, it takes over the map that one has, and what
 * that one wrote and is a backing file now may be read by others. Blocks.
 */
void q2_disk_resume(struct q2_disk *disk);

/* No request is in flight: the image on disk is made complete. Blocks. */
void q2_disk_postsuspend(struct q2_disk *disk);

/*
 * Make every write that has ended durable; concurrent calls join. Blocks; not to be
 * called by who holds a token (TOKEN-WAITS-FOR-NOTHING).
 *
 * Return: 0 or -errno. Once a flush has failed, or a write that it covers may be lost for
 * another reason, every later one fails, whoever made the first: q2_disk_failed().
 */
int q2_disk_flush(struct q2_disk *disk);

/*
 * ERROR-STAYS: something that guests have written may be lost, or metadata cannot be written:
 * nothing is written from now on, and flushes fail. @what: why; text that stays. Any context.
 */
void q2_disk_fail(struct q2_disk *disk, const char *what);

/* Was it called? Any context. */
static inline bool q2_disk_failed(const struct q2_disk *disk)
{
	return READ_ONCE(disk->failed);
}

/*
 * Look how much room is left, if the last look is a while ago, and tell once when
 * it falls below the mark. Blocks.
 */
void q2_disk_look_for_room(struct q2_disk *disk);

/* TOKEN-FIRST: see @in_flight of &struct q2_disk. Any context; may end in another than it began. */
static inline int q2_disk_enter(struct q2_disk *disk)
{
	int token = __srcu_read_lock(&disk->in_flight);

	/* For sparse: it does not end in this context. */
	__release(&disk->in_flight);
	return token;
}

static inline void q2_disk_leave(struct q2_disk *disk, int token)
{
	__acquire(&disk->in_flight);
	__srcu_read_unlock(&disk->in_flight, token);
}

static inline void q2_disk_count(struct q2_disk *disk, enum q2_count what)
{
	this_cpu_inc(disk->counters->n[what]);
}

/* Sum of one counter over the CPUs. */
u64 q2_disk_counter(const struct q2_disk *disk, enum q2_count what);

/* A request met a table entry or compressed data that break the format. Process context. */
void q2_disk_corrupt(struct q2_disk *disk, unsigned int layer, u64 guest, const char *what);

/* Called once, from a worker: tell whoever waits for events. */
void q2_disk_event(struct q2_disk *disk);

/* What a written image asks of the disk; its argument is the &struct q2_shared. */
extern const struct q2_image_hooks q2_disk_hooks;

/* Clusters of @s can be written, the largest so far or not. No range is held. 0 or -ENOMEM. */
int q2_disk_fit_unit(struct q2_disk *disk, const struct q2_shared *s);

/* For the shrinker: leaves of maps to drop, and those that there are. Locks are tried only. */
unsigned long q2_disks_shrink(unsigned long nr);
unsigned long q2_disks_shrinkable(void);

#endif
