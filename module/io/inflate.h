/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading compressed clusters: a pool of places to inflate in.
 *
 * A place is a workspace and the last cluster that was inflated there, so the
 * pool is at once what bounds the memory, what lets different clusters be
 * inflated side by side, and a small cache for whoever reads a cluster in pieces.
 */
#ifndef Q2_IO_INFLATE_H
#define Q2_IO_INFLATE_H

#include <linux/uio.h>

#include "serve/shared.h"

/* Make and free the module's pool. Return: 0 or -ENOMEM. */
int q2_inflate_init(void);
void q2_inflate_exit(void);

/**
 * q2_inflate_read() - read from a compressed cluster
 * @shared: image with the cluster
 * @host: host offset of the compressed data
 * @size: stored bytes available there, at most two clusters
 * @skip: offset inside the cluster of the first byte wanted
 * @to: what to fill; ends inside the cluster
 *
 * Blocks. Different clusters are inflated in parallel, one a CPU at most.
 * Return: 0, -EUCLEAN broken data, -ENOMEM, -errno of the file.
 */
int q2_inflate_read(struct q2_shared *shared, u64 host, u32 size, u32 skip, struct iov_iter *to);

/* For the shrinker: frees buffers of places that are not in use, all of them. */
unsigned long q2_inflate_shrink(void);
unsigned long q2_inflate_shrinkable(void);

#endif
