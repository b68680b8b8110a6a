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

/* The number of no layer. */
#define Q2_NO_LAYER ~0U

/**
 * struct q2_layer - one image of a chain
 * @img: the qcow2 image, or NULL: the layer is raw
 * @file: the host file
 * @size: guest bytes the layer covers, a multiple of 512; what is above it
 *        reads zeroes beyond
 * @gone: merged into another one: it answers for nothing any more
 */
struct q2_layer {
	struct q2_image *img;
	struct q2_file *file;
	u64 size;
	bool gone;
};

/**
 * struct q2_chain - the stack
 * @nr_layers: 1..Q2_MAX_LAYERS
 * @granule_bits: log2 of the bytes that certainly have one answer when they are
 *                aligned and no layer ends among them: the smallest
 *                subcluster_bits of the qcow2 layers; 16 if all are raw
 * @writable: the top layer may be written
 * @top: number of the layer the disk shows first and is written to; the layers
 *       above it, if any, are gone
 * @dest: number of a layer below the top that is written too, where the top has
 *        nothing: the top is being merged into it; or Q2_NO_LAYER
 * @frozen: first guest byte of a range where nothing is written in place now
 * @frozen_end: past its last one; 0: there is none
 * @size: guest bytes
 * @layers: base first
 *
 * Layers keep their numbers while others go. Who changes @gone, @top and @dest
 * makes sure that nobody relies on the old state: see serve/disk.h.
 */
struct q2_chain {
	unsigned int nr_layers;
	unsigned int granule_bits;
	bool writable;
	unsigned int top;
	unsigned int dest;
	u64 frozen;
	u64 frozen_end;
	u64 size;
	struct q2_layer layers[];
};

/* An empty chain for @nr_layers; fill layers, then q2_chain_init(). NULL: no memory. */
struct q2_chain *q2_chain_alloc(unsigned int nr_layers);

/* Derive granule_bits and size from the layers; the last one is the top. */
void q2_chain_init(struct q2_chain *chain);

/* The next layer below @layer that is not gone, or Q2_NO_LAYER. */
unsigned int q2_chain_below(const struct q2_chain *chain, unsigned int layer);

/* The next layer above @layer that is not gone, or Q2_NO_LAYER. */
unsigned int q2_chain_above(const struct q2_chain *chain, unsigned int layer);

/**
 * q2_chain_owner() - which layer takes what is written to guest bytes
 * @chain: chain whose top is writable
 * @guest: first byte, below the size of the top layer
 * @len: bytes, at least 1
 * @owner: result: the top, or @dest of &struct q2_chain
 * @part: result: bytes from @guest on that have the same answer, at most @len
 *
 * ONE-OWNER: while the top is being merged into @dest, each cluster of the top has one owner:
 * the top if it holds anything of the cluster, else @dest. Every writer follows this rule,
 * in place or not. Otherwise a cluster that the top fills from @dest would hide what was
 * written to @dest between the fill and the link.
 *
 * The answer changes only while nobody writes to the cluster: the merge holds its guest
 * range, and has frozen it. Blocks.
 *
 * Return: as q2_image_lookup().
 */
int q2_chain_owner(struct q2_chain *chain, u64 guest, u64 len, unsigned int *owner, u64 *part);

/*
 * ONE-OWNER: cut what q2_chain_lookup() found to bytes with one owner; if that is not the layer
 * that answers, nothing of it may be written in place. Blocks.
 */
void q2_chain_cut_to_owner(struct q2_chain *chain, unsigned int layer, struct q2_extent *ext);

/* May data of @layer that @ext tells of be written where they are? */
bool q2_chain_in_place(const struct q2_chain *chain, unsigned int layer,
		       const struct q2_extent *ext);

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

/**
 * q2_chain_lookup_in() - the same among some layers of the stack
 * @chain: chain
 * @top: the first to be asked
 * @bottom: the last to be asked
 * @guest: first byte
 * @len: bytes wanted, at least 1
 * @layer: result: as above; with Q2_UNALLOCATED @bottom
 * @ext: result: Q2_UNALLOCATED: none of these layers has the bytes
 *
 * Return: as q2_image_lookup().
 */
int q2_chain_lookup_in(struct q2_chain *chain, unsigned int top, unsigned int bottom, u64 guest,
		       u64 len, unsigned int *layer, struct q2_extent *ext);

#endif
