/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * L1 and L2 entries: one table word to one native answer, and back.
 *
 * Spec, "Cluster mapping". Words come in host byte order: whoever reads a
 * table converts it, once, when it enters the cache.
 */
#ifndef Q2_FORMAT_L2_H
#define Q2_FORMAT_L2_H

#include "format/err.h"
#include "format/geometry.h"
#include "format/ondisk.h"

/* What an entry says of the guest bytes it covers. */
enum q2_kind {
	Q2_UNALLOCATED,	   /* ask the backing file; zeroes if there is none */
	Q2_ZERO,	   /* reads zeroes, nothing behind it */
	Q2_ZERO_ALLOCATED, /* reads zeroes, a host cluster is kept for it */
	Q2_DATA,	   /* host cluster holds the data */
	Q2_COMPRESSED,	   /* a compressed cluster */
};

/**
 * struct q2_mapping - one cluster or subcluster, decoded
 * @kind: what it is
 * @copied: COPIED was set: refcount is exactly 1, so it may be written in place
 * @host: Q2_DATA, Q2_ZERO_ALLOCATED and, in extended L2, Q2_UNALLOCATED with a
 *        host cluster: host offset of the *cluster*, bytes; Q2_COMPRESSED: host
 *        offset of the first compressed byte, any alignment; otherwise 0
 * @compressed_size: Q2_COMPRESSED only: stored bytes available from @host,
 *                   1..2 * cluster size
 */
struct q2_mapping {
	enum q2_kind kind;
	bool copied;
	u32 compressed_size;
	u64 host;
};

/**
 * q2_l1_entry_decode() - offset of the L2 table behind an L1 word
 * @geo: geometry
 * @word: the L1 entry, host byte order
 * @l2_offset: result, bytes; 0 if there is no table
 * @copied: result, may be NULL: COPIED was set
 * @err: reason
 *
 * For lookups: verifies cluster alignment, passes over reserved bits as QEMU's
 * lookup does. Return: 0 or -EUCLEAN.
 */
int q2_l1_entry_decode(const struct q2_geometry *geo, u64 word, u64 *l2_offset, bool *copied,
		       struct q2_err *err);

/**
 * q2_l1_entry_check() - every rule one L1 entry must obey by itself
 * @geo: geometry
 * @word: the L1 entry, host byte order
 * @err: reason
 *
 * For checks and for entries about to be written: what `qemu-img check` calls
 * corrupt, reserved bits too. Return: 0 or -EUCLEAN.
 */
int q2_l1_entry_check(const struct q2_geometry *geo, u64 word, struct q2_err *err);

/**
 * q2_l2_entry_verify() - the rules an L2 entry must obey to be read
 * @geo: geometry
 * @word: first word, host byte order
 * @bitmap: second word with extended L2, else 0
 * @err: reason
 *
 * For lookups: what QEMU's lookup takes for corruption. Alignment of the host
 * offset, the zero flag in version 2, both bits of a subcluster, allocated
 * subclusters without a host cluster, a compressed entry with an external data
 * file, a compressed offset of 2^56 and more. Reserved bits, COPIED on a
 * compressed entry and a bitmap beside one are passed over.
 *
 * Return: 0 or -EUCLEAN.
 */
int q2_l2_entry_verify(const struct q2_geometry *geo, u64 word, u64 bitmap, struct q2_err *err);

/**
 * q2_l2_entry_check() - every rule one L2 entry must obey by itself
 * @geo: geometry
 * @word: first word, host byte order
 * @bitmap: second word with extended L2, else 0
 * @err: reason
 *
 * For checks and for entries about to be written: what `qemu-img check` calls
 * corrupt. Besides q2_l2_entry_verify(): reserved bits, COPIED on a compressed
 * entry, a bitmap beside one. Return: 0 or -EUCLEAN.
 */
int q2_l2_entry_check(const struct q2_geometry *geo, u64 word, u64 bitmap, struct q2_err *err);

/**
 * q2_l2_entry_decode() - what an L2 entry says of one of its subclusters
 * @geo: geometry
 * @word: first word, host byte order
 * @bitmap: second word with extended L2, else 0
 * @subcluster: 0..31 with extended L2, else 0
 * @map: result
 *
 * The entry has passed q2_l2_entry_verify(). Cannot fail.
 */
void q2_l2_entry_decode(const struct q2_geometry *geo, u64 word, u64 bitmap,
			unsigned int subcluster, struct q2_mapping *map);

/**
 * q2_l2_run() - how many subclusters from @subcluster on share one kind
 * @geo: geometry with extended L2
 * @word: first word, host byte order
 * @bitmap: second word
 * @subcluster: 0..31
 *
 * Return: 1..32 - @subcluster. 1 without extended L2.
 */
unsigned int q2_l2_run(const struct q2_geometry *geo, u64 word, u64 bitmap,
		       unsigned int subcluster);

/**
 * q2_compressed_encode() - the L2 word of a compressed cluster
 * @geo: geometry
 * @host: host offset of its first byte, below 2^56 and within the offset bits
 * @size: compressed bytes, 1..cluster size
 *
 * Return: the word, without COPIED, which compressed clusters never have.
 */
u64 q2_compressed_encode(const struct q2_geometry *geo, u64 host, u32 size);

#endif
