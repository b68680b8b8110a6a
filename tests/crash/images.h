/* SPDX-License-Identifier: GPL-2.0-only */
/* Images that QEMU made, with what they show, as starting points. */
#ifndef Q2_SIM_IMAGES_H
#define Q2_SIM_IMAGES_H

#include "disk.h"
#include "model.h"

enum backing {
	BACKING_NONE,
	BACKING_RAW,   /* as long as the overlay */
	BACKING_SHORT, /* qcow2, compressed, shorter */
	BACKING_LONG,  /* qcow2, longer */
	BACKING_CHAIN, /* two layers of qcow2 */
	BACKING_DEEP,  /* as many as there may be */
	BACKING_MIXED, /* one to three, raw at the bottom or not, of any sizes */
};

/**
 * struct image_config - how to make one
 * @name: of the test
 * @version: 2 or 3
 * @cluster: bytes
 * @refcount_bits: 1..64
 * @extended: extended L2
 * @compress: some clusters are compressed: "zlib", "zstd" or NULL
 * @backing: what lies below
 * @snapshots: internal ones
 * @prealloc: preallocation=metadata
 * @lazy: lazy_refcounts=on
 * @device: lies on a block device: fixed size, garbage behind the image
 * @size: of the disk
 * @empty: nothing is written before the test
 */
struct image_config {
	const char *name;
	unsigned int version;
	unsigned int cluster;
	unsigned int refcount_bits;
	bool extended;
	const char *compress;
	enum backing backing;
	unsigned int snapshots;
	bool prealloc;
	bool lazy;
	bool device;
	u64 size;
	bool empty;
};

#define MAX_LAYERS 6
#define MAX_SNAPSHOTS 2

/**
 * struct layer - one file of the chain as QEMU left it
 * @path: of it
 * @data: bytes
 * @raw: no qcow2
 * @guest: bytes of disk that it shows
 * @content: versions of its sectors, those of the layers below included
 */
struct layer {
	char path[256];
	u8 *data;
	u64 size;
	bool raw;
	u64 guest;
	u32 *content;
};

struct image_set {
	const struct image_config *config;
	unsigned int nr; /* layers, base first */
	struct layer layers[MAX_LAYERS];
	u8 *snapshots[MAX_SNAPSHOTS]; /* what they show */
	u64 snapshots_hash;
	struct image_set *next;
};

static inline const struct layer *image_top(const struct image_set *set)
{
	return &set->layers[set->nr - 1];
}

/* Room for tables and for what waits to be freed, beside the disk's own bytes. */
static inline u64 image_spare(const struct image_config *config)
{
	return 24ULL * config->cluster + (4ULL << 20);
}

/* Make it, or find it: the same for one seed. */
const struct image_set *image_make(const struct image_config *config);
/* Its own way to fill the top layer: commands for qemu-io. Never remembered. */
struct image_set *image_make_with(const struct image_config *config, const char *const *commands,
				  const char *const *after_snapshot);
void image_free(struct image_set *set);
void images_forget(void);

/* The file with a sector run of one version, for qemu-io. */
const char *stamped_file(const struct image_config *config, u64 guest, u64 len, u32 version);

/* Versions of a raw disk. */
u32 *content_of(const u8 *raw, u64 size);

#endif
