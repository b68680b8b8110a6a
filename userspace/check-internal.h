/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the check share: check.c, check-window.c, check-tables.c, check-rest.c,
 * repair.c. */
#ifndef QCOWCTL_CHECK_INTERNAL_H
#define QCOWCTL_CHECK_INTERNAL_H

#include "check.h"
#include "format/snapshot.h"
#include "image/snapshots.h"
#include "refcounts.h"
#include "repair.h"

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
 * @silent: a repair counts again: what is wrong has been told
 * @fix: what a repair may change
 * @rebuild: refcount blocks are missing or cannot be used: new ones are needed
 * @lost: clusters are in use whose refcount is 0
 * @unfollowed: something that could not be read may refer to any cluster
 * @refcounts_wrong: corruptions that right refcounts cure
 * @new_refcounts: refcount table and blocks will be others: do not count these
 * @shared: something else refers to the clusters of the refcount table
 * @mend_snapshots: the snapshot table has to be written anew
 * @snapshots_offset: where the snapshot table is, or will be
 * @snapshots_bytes: its length
 * @file_clusters: clusters of the file, the last may be short
 * @nr_clusters: the same, and one more if the references reach into it
 * @highest: last cluster in use
 * @dangling: first cluster of the first reference beyond the end of the file
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
	bool silent;
	enum repair fix;
	bool rebuild;
	bool lost;
	bool unfollowed;
	u64 refcounts_wrong;
	bool new_refcounts;
	bool shared;
	bool mend_snapshots;
	u64 snapshots_offset;
	u64 snapshots_bytes;
	u64 file_clusters;
	u64 nr_clusters;
	u64 highest;
	u64 dangling;
	struct q2_err err;
};

/* A line on standard error about what was found; counts nothing. */
__attribute__((format(printf, 1, 2))) void check_print(const char *fmt, ...);

/* A corruption: a line and a count. */
__attribute__((format(printf, 2, 3))) void check_found(struct check *check, const char *fmt, ...);

/* The same of a table, in the first pass only. */
__attribute__((format(printf, 2, 3))) void check_corrupt(struct check *check, const char *fmt, ...);

/*
 * check.c. check_begin() reads what is needed, and says why it cannot; check_end()
 * frees it. check_count() counts all references into the window. Return: 0 or
 * -errno, check_failed() says it.
 */
int check_begin(struct check *check, struct bare *bare, u64 memory, enum repair fix,
		struct check_result *res);
int check_new_window(struct check *check, u64 clusters);
int check_count(struct check *check);
int check_failed(const struct check *check, const char *what, int error);
void check_end(struct check *check);

/* check-window.c: count a reference to bytes of the file; compare the counts with the disk. */
void window_reference(struct check *check, u64 offset, u64 len);
u64 window_get(const struct window *window, u64 cluster);
bool window_has(const struct window *window, u64 cluster);
int window_compare(struct check *check);

/* Raise refcounts to what is counted, or lower them. Not durable by itself. */
enum window_change {
	WINDOW_RAISE,
	WINDOW_LOWER
};
int window_repair(struct check *check, enum window_change change);

/* The refcount that a cluster shall have; the caller knows what the disk says: @refcount. */
u64 window_target(const struct check *check, u64 cluster, u64 refcount);

/* check-tables.c: L1 and L2 tables. Return: 0 or -errno, of reading or memory. */
int tables_reference(struct check *check, u64 l1_offset, u32 l1_size, bool active);

/* COPIED flags: judge them by the disk, or change those that the counts prove wrong. */
enum copied_pass {
	COPIED_JUDGE,
	COPIED_CLEAR,
	COPIED_SET
};
int tables_copied(struct check *check, enum copied_pass pass);

/* check-rest.c: everything else that has clusters. Return: 0 or -errno. */
int rest_reference(struct check *check);

#endif
