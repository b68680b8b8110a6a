/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the check share: check.c, check-window.c, check-tables.c, check-rest.c. */
#ifndef QCOWCTL_CHECK_INTERNAL_H
#define QCOWCTL_CHECK_INTERNAL_H

#include "check.h"
#include "format/snapshot.h"
#include "image/snapshots.h"
#include "refcounts.h"

/**
 * struct window - references counted for a range of clusters of the file
 * @first: its first cluster
 * @nr: clusters
 * @most: the largest count, that of the image's refcount width
 * @wide: counts have 32 bits, otherwise 16; a 64-bit width is counted to 2^32 - 1
 * @counts: nr counts
 */
struct window {
	u64 first;
	u64 nr;
	u64 most;
	bool wide;
	void *counts;
};

/**
 * struct check - a check at work
 * @bare: image
 * @memory: bytes the window may take
 * @res: result
 * @refcounts: as they are on the disk
 * @snaps: snapshot table
 * @window: the part of the file that is being counted
 * @first_pass: the first window: what is wrong with tables is told now, once
 * @file_clusters: clusters of the file, the last may be short
 * @nr_clusters: the same, and one more if the references reach into it
 * @highest: last cluster in use
 * @err: why the check could not be finished
 */
struct check {
	struct bare *bare;
	u64 memory;
	struct check_result *res;
	struct refcounts refcounts;
	struct q2_snapshots *snaps;
	struct window window;
	bool first_pass;
	u64 file_clusters;
	u64 nr_clusters;
	u64 highest;
	struct q2_err err;
};

/* A line on standard error about what was found; counts nothing. */
__attribute__((format(printf, 1, 2))) void check_print(const char *fmt, ...);

/* A corruption of a table: a line and a count, in the first pass only. */
__attribute__((format(printf, 2, 3))) void check_corrupt(struct check *check, const char *fmt, ...);

/* check-window.c: count a reference to bytes of the file; compare the counts with the disk. */
void window_reference(struct check *check, u64 offset, u64 len);
u64 window_get(const struct window *window, u64 cluster);
bool window_has(const struct window *window, u64 cluster);
int window_compare(struct check *check);

/* check-tables.c: L1 and L2 tables. Return: 0 or -errno, of reading or memory. */
int tables_reference(struct check *check, u64 l1_offset, u32 l1_size, bool active);
int tables_check_copied(struct check *check);

/* check-rest.c: everything else that has clusters. Return: 0 or -errno. */
int rest_reference(struct check *check);

#endif
