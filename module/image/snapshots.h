/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The snapshot table of an image, read whole.
 */
#ifndef Q2_IMAGE_SNAPSHOTS_H
#define Q2_IMAGE_SNAPSHOTS_H

#include "format/snapshot.h"
#include "image/file.h"

/**
 * struct q2_snapshots - a decoded snapshot table
 * @table: the table as on disk; spans of the entries point into it
 * @len: bytes of it that hold entries
 * @nr: entries
 * @snap: entries in the order of the table
 */
struct q2_snapshots {
	u8 *table;
	size_t len;
	unsigned int nr;
	struct q2_snapshot snap[];
};

/**
 * q2_snapshots_load() - read and verify the snapshot table
 * @file: the host file
 * @hdr: its decoded header
 * @err: reason
 *
 * Reads no more than the entries need, 64 MiB at most. Blocks.
 *
 * Return: the table, to be given to q2_snapshots_free(); ERR_PTR of
 * q2_snapshot_decode(), of the file, or -ENOMEM.
 */
struct q2_snapshots *q2_snapshots_load(struct q2_file *file, const struct q2_header *hdr,
				       struct q2_err *err);

/**
 * q2_snapshots_find() - the snapshot that a tag means, as in QEMU
 * @snaps: table
 * @tag: an id, or else a name
 *
 * Return: its number; -1: there is none.
 */
int q2_snapshots_find(const struct q2_snapshots *snaps, const char *tag);

/* NULL is fine. */
void q2_snapshots_free(struct q2_snapshots *snaps);

#endif
