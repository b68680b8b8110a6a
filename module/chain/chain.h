/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stack of images that reads as one disk.
 *
 * Does: find the layer that answers for guest bytes, top first. Does not: own
 * the images or files (whoever built the stack does), do I/O on guest data, or
 * remember answers (map.h does).
 *
 * Layers are numbered from the base: 0 is the base, nr_layers - 1 the top, so a
 * snapshot that puts an overlay on top leaves every number as it was.
 */
#ifndef Q2_CHAIN_CHAIN_H
#define Q2_CHAIN_CHAIN_H

#include "image/write.h"

/* More layers than this would not fit a map word (map.h). */
#define Q2_MAX_LAYERS 4096

/**
 * struct q2_layer - one image of a chain
 * @img: the qcow2 image, or NULL: the layer is raw
 * @file: the host file
 * @size: guest bytes the layer covers, a multiple of 512; what is above it
 *        reads zeroes beyond
 */
struct q2_layer {
	struct q2_image *img;
	struct q2_file *file;
	u64 size;
};

/**
 * struct q2_chain - the stack
 * @nr_layers: 1..Q2_MAX_LAYERS
 * @granule_bits: log2 of the bytes that certainly have one answer when they are
 *                aligned and no layer ends among them: the smallest
 *                subcluster_bits of the qcow2 layers; 16 if all are raw
 * @writable: the top layer may be written
 * @size: guest bytes, the top layer's
 * @layers: base first
 */
struct q2_chain {
	unsigned int nr_layers;
	unsigned int granule_bits;
	bool writable;
	u64 size;
	struct q2_layer layers[];
};

/* An empty chain for @nr_layers; fill layers, then q2_chain_init(). NULL: no memory. */
struct q2_chain *q2_chain_alloc(unsigned int nr_layers);

/* Derive granule_bits and size from the layers. */
void q2_chain_init(struct q2_chain *chain);

/* May data of @layer that @ext tells of be written where they are? */
static inline bool q2_chain_in_place(const struct q2_chain *chain, unsigned int layer,
				     const struct q2_extent *ext)
{
	const struct q2_layer *l = &chain->layers[layer];

	if (!chain->writable || layer != chain->nr_layers - 1 || !ext->copied)
		return false;
	return !l->img || q2_image_may_overwrite(l->img, ext->host, ext->len);
}

/* Free the stack, not what it refers to. NULL is fine. */
void q2_chain_free(struct q2_chain *chain);

/**
 * q2_chain_lookup() - which layer answers for guest bytes, and how
 * @chain: chain
 * @guest: first byte, below chain->size
 * @len: bytes wanted, at least 1; cut at the end of the chain
 * @layer: result: number of the layer that answers; with Q2_UNALLOCATED 0
 * @ext: result: as in q2_image_lookup(). Q2_UNALLOCATED: no layer has the bytes
 *       and they read zeroes. Bytes past the end of a layer below the top read
 *       zeroes and come as Q2_ZERO of that layer, as QEMU's block status has it.
 *
 * Blocks on cache misses. Costs one lookup a layer: map.h exists to pay it once.
 *
 * Return: as q2_image_lookup().
 */
int q2_chain_lookup(struct q2_chain *chain, u64 guest, u64 len, unsigned int *layer,
		    struct q2_extent *ext);

#endif
