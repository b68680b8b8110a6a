/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Refcounts inside one refcount block, for every width.
 *
 * Spec, "Host cluster management": big-endian from a byte up; narrower ones lie
 * least significant bit first in their byte.
 */
#ifndef Q2_FORMAT_REFCOUNT_H
#define Q2_FORMAT_REFCOUNT_H

#include "format/err.h"
#include "format/geometry.h"
#include "format/ondisk.h"

/* The largest refcount that the width can hold. */
static inline u64 q2_refcount_max(const struct q2_geometry *geo)
{
	return geo->refcount_order == 6 ? U64_MAX : (1ULL << (1U << geo->refcount_order)) - 1;
}

/**
 * q2_refcount_get() - read one refcount
 * @geo: geometry
 * @block: refcount block as on disk
 * @index: entry, below 1 << geo->refblock_bits
 */
u64 q2_refcount_get(const struct q2_geometry *geo, const void *block, u32 index);

/**
 * q2_refcount_set() - write one refcount
 * @geo: geometry
 * @block: refcount block as on disk
 * @index: entry, below 1 << geo->refblock_bits
 * @value: at most q2_refcount_max()
 */
void q2_refcount_set(const struct q2_geometry *geo, void *block, u32 index, u64 value);

/**
 * q2_reftable_entry_decode() - offset of the refcount block behind a table word
 * @geo: geometry
 * @word: refcount table entry, host byte order
 * @offset: result, bytes; 0 if there is no block
 * @err: reason
 *
 * Return: 0, or -EUCLEAN for reserved bits or a block that is not cluster aligned.
 */
int q2_reftable_entry_decode(const struct q2_geometry *geo, u64 word, u64 *offset,
			     struct q2_err *err);

#endif
