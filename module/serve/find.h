/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the bytes of a device lie, and what they are. TOKEN-FIRST: the caller holds a token
 * (serve/disk.h).
 */
#ifndef Q2_SERVE_FIND_H
#define Q2_SERVE_FIND_H

#include "serve/disk.h"

/**
 * q2_disk_lookup() - what the map knows of a request
 * @disk: device
 * @guest: first guest byte
 * @len: bytes
 * @run: result; the request is cut to run->len before it is served
 *
 * Counts a hit or a miss. Never blocks.
 */
void q2_disk_lookup(struct q2_disk *disk, u64 guest, u32 len, struct q2_run *run);

/**
 * struct q2_answer - where the first bytes of a range lie
 * @error: 0; -ENOMEM; -EUCLEAN, which has been told; -errno
 * @layer: the layer that answers
 * @ext: its kind, host and len count; len is set whatever @error is
 */
struct q2_answer {
	int error;
	unsigned int layer;
	struct q2_extent ext;
};

/* The answer for the first of @len bytes at @guest, from the map, or from the chain. Blocks. */
void q2_disk_find(struct q2_disk *disk, u64 guest, u32 len, struct q2_answer *answer);

/**
 * q2_disk_read() - what the device reads, into memory
 * @disk: device
 * @guest: first byte
 * @buf: where to, from kvmalloc()
 * @len: bytes; beyond the end of the disk zeroes are read
 *
 * Blocks. Return: 0 or -errno.
 */
int q2_disk_read(struct q2_disk *disk, u64 guest, void *buf, u32 len);

/* Does the device surely read zeroes there? Goes by the maps, not by data. Blocks. */
bool q2_disk_reads_zero(struct q2_disk *disk, u64 guest, u64 len);

#endif
