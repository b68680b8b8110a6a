/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One device of this module: a chain of open images, its flattened map, the
 * workers that do what may wait, and counters.
 *
 * Lifetime: q2_disk_open() in the constructor, q2_disk_close() in the
 * destructor, requests in between; device-mapper sees to it that none is left.
 */
#ifndef Q2_IO_DISK_H
#define Q2_IO_DISK_H

#include <linux/percpu.h>
#include <linux/workqueue.h>

#include "chain/map.h"
#include "io/share.h"

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
	Q2_COUNT_ERRORS,     /* runs that failed */
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
 * @bios: pieces of split requests
 * @counters: statistics
 * @corruptions: requests that met a broken table entry or broken compressed data
 * @event: called once, from a worker, when @corruptions leaves 0
 * @event_arg: its argument
 * @name: for messages: "major:minor"
 * @align: logical block size that the files of the chain want, bytes
 * @mem_align: and alignment of memory
 * @list: all disks, for the shrinker
 */
struct q2_disk {
	struct q2_chain *chain;
	struct q2_shared **shared;
	struct q2_map *map;
	struct workqueue_struct *wq;
	struct bio_set bios;
	struct q2_counters __percpu *counters;
	atomic_t corruptions;
	void (*event)(void *arg);
	void *event_arg;
	char name[32];
	u32 align;
	u32 mem_align;
	struct list_head list;
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
 */
struct q2_disk_params {
	const char *name;
	unsigned int nr_layers;
	struct q2_disk_layer *layers;
	u64 map_bytes;
	size_t cache_bytes;
	bool lock;
};

/**
 * q2_disk_open() - open every layer and build the device
 * @params: what the table says; not used after the call
 * @event: see &struct q2_disk
 * @event_arg: see &struct q2_disk
 * @err: reason
 *
 * Refuses a file that is in the chain twice, a qcow2 layer that names a backing
 * file when none is listed below it, and one listed below a layer that names none.
 * Blocks. Return: the disk or ERR_PTR.
 */
struct q2_disk *q2_disk_open(const struct q2_disk_params *params, void (*event)(void *),
			     void *event_arg, struct q2_err *err);

/* Close it. No request is in flight. Blocks. */
void q2_disk_close(struct q2_disk *disk);

static inline void q2_disk_count(struct q2_disk *disk, enum q2_count what)
{
	this_cpu_inc(disk->counters->n[what]);
}

/* Sum of one counter over the CPUs. */
u64 q2_disk_counter(const struct q2_disk *disk, enum q2_count what);

/* A request met a table entry or compressed data that break the format. Process context. */
void q2_disk_corrupt(struct q2_disk *disk, unsigned int layer, u64 guest, const char *what);

/* Register and free the module's shrinker and pools. Return: 0 or -errno. */
int q2_disk_init(void);
void q2_disk_exit(void);

#endif
