/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying what some layers of a chain hold into another layer: the inner part of
 * commit (down, into the base) and stream (up, into an overlay).
 *
 *	commit:	layers top .. bottom are merged into @into, the next one below bottom
 *	stream:	what layers top .. bottom hold goes to @into, the next one above top,
 *		where that has nothing itself
 *
 * Whatever has been merged, the disk reads the same: what commit writes is hidden by
 * the layers it came from, what stream writes is what showed through. So a merge can
 * stop anywhere, and a later one goes on. Only ranges that are allocated are visited.
 *
 * Does: read, expand, and write. Does not: say when to (job/), lock guest ranges,
 * take merged layers out of the chain, or make anything durable.
 */
#ifndef Q2_CHAIN_MERGE_H
#define Q2_CHAIN_MERGE_H

#include "chain/chain.h"

/* Bytes that one step copies at most, a multiple of every cluster size up to it. */
#define Q2_MERGE_BYTES (1U << 20)

/**
 * struct q2_merge - a merge
 * @chain: the chain
 * @top: first of the layers whose data are copied
 * @bottom: last of them, the same or below @top; those in between that are gone do not count
 * @into: the layer that gets them, below or above; writable
 * @limit: guest bytes from 0 on that anybody will look at; 0: all that the layers have
 * @expand: read from the compressed cluster @ext of a layer: @len bytes from @skip on.
 *          Blocks. Return: 0; -EIO broken data; -errno
 * @arg: its first argument
 * @stop: is it time to end a scan that has found nothing to do so far? Does not block. NULL: never
 * @stop_arg: its argument
 * @piece: bytes that a step copies at most, a multiple of the cluster size of @into; 0: as many
 *         as there is room for. May change between steps.
 * @buf: a piece, Q2_MERGE_BYTES or a cluster of @into if that is more
 * @fill: the same for what surrounds it
 * @size: guest bytes from 0 on that are to be visited
 * @moved: bytes that have been written
 * @reserved: the file of @into has room up to here
 */
struct q2_merge {
	struct q2_chain *chain;
	unsigned int top;
	unsigned int bottom;
	unsigned int into;
	u64 limit;
	int (*expand)(void *arg, unsigned int layer, const struct q2_extent *ext, u32 skip,
		      void *buf, u32 len);
	void *arg;
	bool (*stop)(void *arg);
	void *stop_arg;
	u64 piece;
	/* set by merge.c */
	u8 *buf;
	u8 *fill;
	u64 size;
	u64 moved;
	u64 reserved;
};

/**
 * q2_merge_begin() - get ready
 * @m: chain, top, bottom, into and expand are set
 * @err: reason of a refusal
 *
 * A base that is shorter than what is merged into it grows: then nobody may use it
 * meanwhile. Blocks.
 *
 * Return: 0, to be ended with q2_merge_end(); -ENOMEM; as q2_image_resize(); -errno.
 */
int q2_merge_begin(struct q2_merge *m, struct q2_err *err);

/* Would q2_merge_begin() make the base grow? */
bool q2_merge_grows(const struct q2_merge *m);

/* Free what it holds. */
void q2_merge_end(struct q2_merge *m);

/**
 * q2_merge_idle() - where there is nothing to be done
 * @m: merge
 * @guest: first guest byte, below m->size
 * @len: result: bytes from @guest on that need no q2_merge_step(); 0: those at @guest do.
 *       What follows does, too, unless @stop of &struct q2_merge has ended the scan
 *
 * What it finds stays so unless others write to the layers. Blocks.
 * Return: 0 or as q2_merge_step().
 */
int q2_merge_idle(struct q2_merge *m, u64 guest, u64 *len);

/**
 * q2_merge_step() - do what comes next
 * @m: merge
 * @guest: first guest byte, below m->size
 * @len: bytes up to which to go at most, at least 1
 * @done: result, with 0: guest bytes that are done, at least 1
 *
 * One piece of data, or any stretch where nothing is to be done. The caller sees to it
 * that nobody else changes what @into maps there, nor writes in place to what is
 * copied. Bytes of @into beside the range, in the same cluster, may be written anew
 * with what they are. Blocks.
 *
 * Return: 0; -ENOSPC and -ENOMEM: nothing is lost, it may be tried again; -EUCLEAN the
 * tables of a layer are broken; -EIO; -errno.
 */
int q2_merge_step(struct q2_merge *m, u64 guest, u64 len, u64 *done);

#endif
