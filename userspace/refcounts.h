/* SPDX-License-Identifier: GPL-2.0-only */
/* Refcounts as they are on the disk, looked up by cluster. */
#ifndef QCOWCTL_REFCOUNTS_H
#define QCOWCTL_REFCOUNTS_H

#include "format/header.h"
#include "format/refcount.h"
#include "image/file.h"

/**
 * struct refcounts - a reader
 * @nr_blocks: entries of the refcount table
 * @table: the entries, host byte order, as they are
 */
struct refcounts {
	u64 nr_blocks;
	u64 *table;
	struct q2_file *file;
	const struct q2_geometry *geo;
	struct q2_cache *cache;
};

/**
 * refcounts_open() - read the refcount table
 * @refcounts: result, to be closed with refcounts_close()
 * @file: image; stays open until then
 * @hdr: its header
 * @geo: its geometry; lives until then
 *
 * Return: 0 or -errno.
 */
int refcounts_open(struct refcounts *refcounts, struct q2_file *file, const struct q2_header *hdr,
		   const struct q2_geometry *geo);
void refcounts_close(struct refcounts *refcounts);

/**
 * refcounts_block() - where the refcount block is
 * @refcounts: reader
 * @block: its number
 * @offset: result, bytes; 0 if there is none
 *
 * Return: 0, or -EUCLEAN if it cannot be there: not at a cluster boundary, or
 * beyond any possible file.
 */
int refcounts_block(const struct refcounts *refcounts, u64 block, u64 *offset);

/**
 * refcounts_get() - the refcount of a cluster
 * @refcounts: reader
 * @cluster: host offset / cluster size
 * @count: result; 0 where no block is
 *
 * Return: 0; -EUCLEAN of refcounts_block(), -errno of the file.
 */
int refcounts_get(struct refcounts *refcounts, u64 cluster, u64 *count);

#endif
