/* SPDX-License-Identifier: GPL-2.0-only */
/* The bytes of an empty image, as qemu-img create lays it out. */
#ifndef QCOWCTL_NEW_IMAGE_H
#define QCOWCTL_NEW_IMAGE_H

#include "format/header.h"

/* What has storage from the start. */
enum preallocation {
	PREALLOC_OFF,
	PREALLOC_METADATA, /* tables and clusters; the file has holes where data will be */
	PREALLOC_FALLOC,   /* and the file system has given room to them */
	PREALLOC_FULL,	   /* and zeroes have been written */
};

/**
 * struct new_image - what the image shall be
 * @version: 2 or 3
 * @cluster_bits: 9..21
 * @refcount_order: 0..6
 * @lazy_refcounts: compatible feature
 * @extended_l2: incompatible feature
 * @compression_type: Q2_COMPRESSION_*
 * @preallocation: what has storage
 * @zero_flags: where there is preallocation, guest clusters read zeroes whatever
 *              the storage holds, without @extended_l2, which needs no such flag
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
	enum preallocation preallocation;
	bool zero_flags;
	u64 size;
	const char *backing;
	const char *backing_format;
};

/**
 * struct image_plan - an image laid out, its bytes not yet made
 * @image: what it shall be
 * @hdr: its header
 * @geo: its geometry
 * @cluster_0: header, extensions, name of the backing file
 * @table: clusters of the refcount table, the first after the header
 * @blocks: refcount blocks, next
 * @l1: clusters of the L1 table, next
 * @l2: L2 tables, next
 * @data: clusters of the guest, next
 * @meta_bytes: the metadata: these many bytes at the start of the file
 * @bytes: the file; more than @meta_bytes only with preallocation
 */
struct image_plan {
	const struct new_image *image;
	struct q2_header hdr;
	struct q2_geometry geo;
	u8 *cluster_0;
	u64 table;
	u64 blocks;
	u64 l1;
	u64 l2;
	u64 data;
	u64 meta_bytes;
	u64 bytes;
};

/**
 * image_plan_make() - lay it out
 * @image: what it shall be; lives as long as the plan
 * @plan: result, to be freed with image_plan_free()
 *
 * Return: 0, or -1 after having said what does not go together.
 */
int image_plan_make(const struct new_image *image, struct image_plan *plan);
void image_plan_free(struct image_plan *plan);

/**
 * image_plan_bytes() - make a part of the metadata
 * @plan: plan
 * @offset: first byte, at a cluster boundary
 * @buf: result: @len bytes; what lies behind the metadata is zeroes
 * @len: a multiple of the cluster size
 */
void image_plan_bytes(const struct image_plan *plan, u64 offset, void *buf, size_t len);

#endif
