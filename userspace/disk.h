/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest bytes of a chain of files that is not attached.
 *
 * Does: read what the disk shows, write to the image at the top the way the module
 * does. Does not: cache, or do two things at once.
 */
#ifndef QCOWCTL_DISK_H
#define QCOWCTL_DISK_H

#include "chain/chain.h"

/**
 * disk_expand() - bytes of a compressed cluster
 * @chain: struct q2_chain
 * @layer: layer that has it
 * @ext: where it is stored
 * @skip: first byte of the cluster
 * @buf: result
 * @len: bytes
 *
 * What &struct q2_merge wants. Return: 0, -EIO or -errno.
 */
int disk_expand(void *chain, unsigned int layer, const struct q2_extent *ext, u32 skip, void *buf,
		u32 len);

/* Bytes of the disk; what is beyond its end reads zeroes. Return: 0 or -errno. */
int disk_read(struct q2_chain *chain, u64 guest, u64 len, void *buf);

/*
 * Write bytes inside the disk; its top is writable. Durable after q2_image_commit().
 * Return: 0 or -errno.
 */
int disk_write(struct q2_chain *chain, u64 guest, u64 len, const void *buf);

#endif
