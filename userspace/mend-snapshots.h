/* SPDX-License-Identifier: GPL-2.0-only */
/* A snapshot table with entries that nobody may read, read all the same. */
#ifndef QCOWCTL_MEND_SNAPSHOTS_H
#define QCOWCTL_MEND_SNAPSHOTS_H

#include "image/snapshots.h"

/**
 * struct mended - what was left out
 * @entries: entries of which extra data were left out
 * @lost: entries that could not be kept: the table was too long
 * @bytes: of the table as it is in the file
 */
struct mended {
	unsigned int entries;
	unsigned int lost;
	u64 bytes;
};

/**
 * mend_snapshots() - read a snapshot table as QEMU's repair does
 * @file: image
 * @hdr: its header
 * @mended: result
 * @err: reason
 *
 * Extra data are cut at their limit, and the table is. Writes nothing.
 *
 * Return: the table as it should be, to be given to q2_snapshots_free(); ERR_PTR.
 */
struct q2_snapshots *mend_snapshots(struct q2_file *file, const struct q2_header *hdr,
				    struct mended *mended, struct q2_err *err);

#endif
