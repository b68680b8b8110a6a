/* SPDX-License-Identifier: GPL-2.0-only */
/* Small images: clusters of one sector, written down byte by byte. */
#ifndef Q2_EXPLORE_IMAGE_H
#define Q2_EXPLORE_IMAGE_H

#include "store.h"

#define IMAGE_CLUSTER 512U
#define IMAGE_ROOM (16U << 10)
/* Where its L2 table is. */
#define IMAGE_AT_L2 (4 * IMAGE_CLUSTER)

/**
 * image_create() - a qcow2 image of version 3 in a store
 * @name: of the store
 * @clusters: of the guest, 1 .. 64
 * @values: for each of them the byte it is full of, or -1: not allocated; NULL: none is,
 *          and there is no L2 table
 * @backing: name of a backing file, or NULL
 *
 * With refcounts of 16 bits. During the set-up.
 */
struct store *image_create(const char *name, unsigned int clusters, const int *values,
			   const char *backing);

/*
 * Check the file as it is: references against refcounts. Fails on a corruption, and on
 * leaked clusters unless @leaks.
 */
void image_check(const struct store *store, bool leaks);

#endif
