/* SPDX-License-Identifier: GPL-2.0-only */
/* Small images, written down byte by byte. */
#ifndef Q2_EXPLORE_IMAGE_H
#define Q2_EXPLORE_IMAGE_H

#include "store.h"

#define IMAGE_CLUSTER 512U
#define IMAGE_ROOM (16U << 10)
/* Where its L2 table is. */
#define IMAGE_AT_L2 (4 * IMAGE_CLUSTER)

/* Bytes that an image holds: @len of them from @guest on, all of @value. @len 0: the last one. */
struct image_bytes {
	u64 guest;
	u32 len;
	u8 value;
};

/**
 * struct image_spec - an image to be made
 * @name: of the store
 * @cluster_bits: 9 and up
 * @extended: with subclusters; cluster_bits 14 and up
 * @size: bytes of the guest disk; what one L2 table covers
 * @bytes: what it holds, whole clusters, or whole subclusters; NULL: not even an L2 table
 * @backing: name of a backing file, or NULL
 */
struct image_spec {
	const char *name;
	unsigned int cluster_bits;
	bool extended;
	u64 size;
	const struct image_bytes *bytes;
	const char *backing;
};

/* A qcow2 image of version 3, with all its tables, and refcounts of 16 bits. During the set-up. */
struct store *image_make(const struct image_spec *spec);

/**
 * image_create() - the same with clusters of one sector
 * @name: of the store
 * @clusters: of the guest, 1 .. 64
 * @values: for each of them the byte it is full of, or -1: not allocated; NULL: as @bytes
 * @backing: name of a backing file, or NULL
 */
struct store *image_create(const char *name, unsigned int clusters, const int *values,
			   const char *backing);

/*
 * Check the file as it is: references against refcounts. Fails on a corruption, and on
 * leaked clusters unless @leaks.
 */
void image_check(const struct store *store, bool leaks);

#endif
