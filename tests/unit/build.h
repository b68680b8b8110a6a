/* SPDX-License-Identifier: GPL-2.0-only */
/* Small qcow2 images in memory, put together byte by byte. */
#ifndef Q2_TEST_BUILD_H
#define Q2_TEST_BUILD_H

#include "fault.h"

/* Offsets of the header's fields, written down again from the spec. */
enum {
	H_MAGIC = 0,
	H_VERSION = 4,
	H_BACKING_OFFSET = 8,
	H_BACKING_SIZE = 16,
	H_CLUSTER_BITS = 20,
	H_SIZE = 24,
	H_CRYPT = 32,
	H_L1_SIZE = 36,
	H_L1_OFFSET = 40,
	H_REFTABLE_OFFSET = 48,
	H_REFTABLE_CLUSTERS = 56,
	H_NB_SNAPSHOTS = 60,
	H_SNAPSHOTS_OFFSET = 64,
	H_INCOMPATIBLE = 72,
	H_COMPATIBLE = 80,
	H_AUTOCLEAR = 88,
	H_REFCOUNT_ORDER = 96,
	H_HEADER_LENGTH = 100,
	H_COMPRESSION = 104,
};

void put16(void *buf, size_t at, u16 value);
void put32(void *buf, size_t at, u32 value);
void put64(void *buf, size_t at, u64 value);
u64 get64(const void *buf, size_t at);

/**
 * struct built - an image with all its L2 tables and nothing mapped
 * @mem: the file
 * @l2_offset: where the L2 tables lie, one after the other
 * @data_offset: the first host cluster that nothing uses
 */
struct built {
	struct mem_file *mem;
	unsigned int cluster_bits;
	unsigned int entry_bytes;
	u64 l2_offset;
	u64 data_offset;
};

/**
 * build_image() - an image
 * @version: 2 or 3
 * @cluster_bits: 9..21
 * @extended: with extended L2 entries
 * @size: guest bytes
 * @data_clusters: host clusters to leave room for behind the tables
 */
struct built build_image(unsigned int version, unsigned int cluster_bits, bool extended, u64 size,
			 unsigned int data_clusters);
void built_free(struct built *built);

/* Host offset of data cluster @nr. */
u64 built_data(const struct built *built, unsigned int nr);
/* Set the L2 entry of guest cluster @cluster. */
void built_map(struct built *built, u64 cluster, u64 word, u64 bitmap);

#endif
