/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of an empty image, as qemu-img create lays it out. */
#ifndef QCOWCTL_NEW_IMAGE_H
#define QCOWCTL_NEW_IMAGE_H

#include "format/header.h"

/**
 * struct new_image - what the image shall be
 * @version: 2 or 3
 * @cluster_bits: 9..21
 * @refcount_order: 0..6
 * @lazy_refcounts: compatible feature
 * @extended_l2: incompatible feature
 * @compression_type: Q2_COMPRESSION_*
 * @size: guest bytes, a multiple of 512
 * @backing: name of the backing file, NULL: none
 * @backing_format: its format, NULL only if @backing is
 */
struct new_image {
	u32 version;
	u32 cluster_bits;
	u32 refcount_order;
	bool lazy_refcounts;
	bool extended_l2;
	u8 compression_type;
	u64 size;
	const char *backing;
	const char *backing_format;
};

/**
 * new_image_build() - make the bytes
 * @image: what it shall be
 * @len: result: bytes, all that the file needs to hold
 *
 * Header, refcount table, refcount blocks, L1 table, in this order.
 *
 * Return: memory aligned for direct I/O, to be freed; NULL after having said
 * what does not go together.
 */
void *new_image_build(const struct new_image *image, size_t *len);

#endif
