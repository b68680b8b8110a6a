/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The flattened map of one device: guest granule -> (layer, host offset, kind).
 *
 * Does: answer most lookups without a lock, without blocking and at a cost that
 * does not depend on the depth of the chain; fill itself from the chain when
 * asked to; stay below a bound. Does not: hold anything that the chain could
 * not tell again.
 *
 * The map is a hash table of leaves. A leaf covers Q2_MAP_LEAF_GRANULES aligned
 * granules, either by one word if they are one contiguous run, or by a word a
 * granule. Leaves are found under RCU and freed after a grace period.
 */
#ifndef Q2_CHAIN_MAP_H
#define Q2_CHAIN_MAP_H

#include "chain/chain.h"

struct q2_map;

#define Q2_MAP_LEAF_BITS 9
#define Q2_MAP_LEAF_GRANULES (1U << Q2_MAP_LEAF_BITS)

/* Bytes of leaves one map keeps unless told otherwise. */
#define Q2_MAP_DEFAULT (16U << 20)
#define Q2_MAP_MIN (64U << 10)
#define Q2_MAP_MAX (4ULL << 30)

/* What the map knows of a run of guest bytes. */
enum q2_map_kind {
	Q2_MAP_MISS,	   /* nothing: q2_map_fill(), then look again */
	Q2_MAP_DATA,	   /* data at a host offset of a layer */
	Q2_MAP_ZERO,	   /* reads zeroes */
	Q2_MAP_COMPRESSED, /* a compressed cluster of a layer: q2_image_lookup() it there */
	Q2_MAP_MIXED,	   /* more than one answer in a granule: q2_chain_lookup() */
	Q2_MAP_BAD,	   /* table entry broken or unreadable: q2_chain_lookup() says why */
};

/**
 * struct q2_run - a run of guest bytes with one answer
 * @kind: what is known
 * @in_place: DATA: may be written where it is
 * @layer: DATA, ZERO and COMPRESSED: the layer that answers
 * @host: DATA: host offset of the first byte
 * @len: bytes of the run, cut to the request; MISS: up to the end of the leaf;
 *       COMPRESSED: as far as that layer goes on answering with compressed
 *       clusters; MIXED and BAD: up to the end of the granule
 */
struct q2_run {
	enum q2_map_kind kind;
	bool in_place;
	unsigned int layer;
	u64 host;
	u64 len;
};

/**
 * q2_map_create() - an empty map over a chain
 * @chain: chain; outlives the map; a top layer that is writable is told of
 *         with in_place
 * @limit: bytes to hold at most, Q2_MAP_MIN..Q2_MAP_MAX
 *
 * Return: the map or ERR_PTR(-ENOMEM).
 */
struct q2_map *q2_map_create(struct q2_chain *chain, u64 limit);

/* Free it. Nobody looks any more. Waits for a grace period. */
void q2_map_destroy(struct q2_map *map);

/**
 * q2_map_lookup() - what is known of guest bytes
 * @map: map
 * @guest: first byte, below the chain's size
 * @len: bytes wanted, at least 1
 * @run: result; DATA, ZERO and COMPRESSED runs go on across granules and leaves
 *       as long as they are contiguous
 *
 * Takes no lock, allocates nothing, never blocks; any context in which RCU may
 * be read.
 */
void q2_map_lookup(struct q2_map *map, u64 guest, u64 len, struct q2_run *run);

/**
 * q2_map_fill() - make the map know the leaf that holds a guest byte
 * @map: map
 * @guest: any byte of the leaf, below the chain's size
 *
 * Asks the chain: blocks. Callers that miss the same leaf at once fill it once.
 * Metadata that cannot be read or breaks the format becomes Q2_MAP_BAD where it
 * applies and fails nothing else.
 *
 * Return: 0; -ENOMEM: nothing is cached, the caller asks the chain itself.
 */
int q2_map_fill(struct q2_map *map, u64 guest);

/**
 * q2_map_set_data() - guest bytes have come to lie in a host file
 * @map: map
 * @guest: first byte, a multiple of the granule
 * @len: bytes, likewise, or up to the end of the chain
 * @layer: the layer that holds them now
 * @host: host offset of the first byte
 *
 * They may be written in place. MAP-FOLLOWS: to be called after the image says so and
 * before the request that wrote them completes. Fillers that asked the image before do
 * not bring the old answer back. Does not block.
 */
void q2_map_set_data(struct q2_map *map, u64 guest, u64 len, unsigned int layer, u64 host);

/**
 * q2_map_forget() - the image has another answer for guest bytes now
 * @map: map
 * @guest: first byte
 * @len: bytes
 *
 * Their leaves are dropped. When: as q2_map_set_data(). Takes as long as the leaves
 * that there are, or that the bytes could have, whichever are fewer; gives up the CPU
 * in between, so not under a spinlock.
 */
void q2_map_forget(struct q2_map *map, u64 guest, u64 len);

/* The same for all guest bytes. */
void q2_map_forget_all(struct q2_map *map);

/**
 * q2_map_rebind() - the map is of another chain from now on
 * @map: map; nobody looks or fills meanwhile
 * @chain: the chain: its layers 0, 1, ... are those of the old one, with more on
 *         top, or none. The new ones hold nothing below the old chain's size
 *
 * So a snapshot does not start cold. Does not block.
 *
 * Return: whether it is now; not if the granules of the two differ.
 */
bool q2_map_rebind(struct q2_map *map, struct q2_chain *chain);

/**
 * struct q2_map_stats - size and work of a map
 * @bytes: held now
 * @limit: may be held
 * @leaves: held now
 * @fills: leaves filled since creation
 * @evictions: leaves dropped since creation
 */
struct q2_map_stats {
	u64 bytes;
	u64 limit;
	u64 leaves;
	u64 fills;
	u64 evictions;
};

/* Counters; not a consistent snapshot. Never blocks. */
void q2_map_stats(struct q2_map *map, struct q2_map_stats *stats);

/* As q2_image_shrink() and q2_image_shrinkable(), in leaves. */
unsigned long q2_map_shrink(struct q2_map *map, unsigned long nr);
unsigned long q2_map_shrinkable(struct q2_map *map);

#endif
