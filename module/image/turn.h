/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A turn: the tables of an image become others by one write of its header.
 *
 * What a guest changes is taken to the disk table by table (commit.c). Snapshots
 * and sizes change everything at once, and no order of writes in place does that:
 * `qemu-img check` wants COPIED in the active tables exactly where the refcount is
 * 1, and the two lie in different clusters. So a turn writes what changes anew,
 * into free clusters: L2 tables whose COPIED marks become wrong, the active L1, the
 * snapshot table, the refcount blocks (shadow.h). When all of it is durable, one
 * sector, the header's, names it. Before that write the image is the old one,
 * afterwards the new one, and both are clean.
 *
 * It takes what reading the tables and writing a part of them takes: with clusters
 * of 64 KiB a gigabyte of data has 128 KiB of L2 tables and 32 KiB of refcounts.
 *
 * All of this is for one caller at a time, and blocks.
 */
#ifndef Q2_IMAGE_TURN_H
#define Q2_IMAGE_TURN_H

#include "image/shadow.h"

/**
 * struct q2_turn - one, from q2_turn_begin() to q2_turn_end()
 * @img: image
 * @err: reason of a failure
 * @sh: refcounts to come
 * @hdr: header to come; whoever turns changes size and snapshots in it
 * @snapshots_bytes: of the snapshot table to come
 * @l1: the active L1 to come, hdr.l1_size entries, host byte order
 * @keep_l1: the active L1 table on the disk is no longer the active one, but still in use
 * @table: an L2 table
 * @owned: the image's set to come
 * @l1_dirty: the image's bits to come
 */
struct q2_turn {
	struct q2_image *img;
	struct q2_err *err;
	struct q2_shadow sh;
	struct q2_header hdr;
	u64 snapshots_bytes;
	u64 *l1;
	bool keep_l1;
	__be64 *table;
	struct q2_owned owned;
	u64 *l1_dirty;
};

/*
 * Take the image for a turn: all that has ended is durable, nothing can change.
 * Return: 0; -errno: there is nothing to end.
 */
int q2_turn_begin(struct q2_turn *turn, struct q2_image *img, struct q2_err *err);

/*
 * The active L1 to come: the first entries of @words, as many as a disk of
 * @hdr.size needs.
 */
int q2_turn_set_l1(struct q2_turn *turn, const u64 *words, u32 nr);

/* How an L1 table's references are counted. */
enum q2_turn_count {
	Q2_TURN_REF,   /* once more: all that its L2 tables refer to, not these */
	Q2_TURN_UNREF, /* once less: all that its L2 tables refer to, and these */
};

/* Count what entries @from to @to of an L1 table refer to. */
int q2_turn_count_l1(struct q2_turn *turn, const u64 *words, u32 from, u32 to,
		     enum q2_turn_count how);

/* Count clusters of a table that is gone. */
int q2_turn_unref(struct q2_turn *turn, u64 host, u64 bytes);

/* From entry @entry of the L2 table of @l1's entry @index on nothing is referred to. */
int q2_turn_cut_table(struct q2_turn *turn, u32 index, u32 entry);

/*
 * Every L2 table of @l1 says COPIED where the refcount to come is 1: those that
 * do not are written anew. @counted: @l1's references to the tables are in the
 * refcounts already.
 */
int q2_turn_settle_tables(struct q2_turn *turn, bool counted);

/* Write @bytes of a new table, a multiple of the piece; @host is where. */
int q2_turn_write(struct q2_turn *turn, const void *data, u64 bytes, u64 *host);

/*
 * Do it, unless @ret is an error, which is handed on. Whatever comes of it, the
 * image is let go. Return: 0; -errno, and the old state stands.
 */
int q2_turn_end(struct q2_turn *turn, int ret);

#endif
