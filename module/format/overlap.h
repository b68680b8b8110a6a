/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What must not be written over: the structures whose place is known from the
 * header and the snapshot table. L2 tables and refcount blocks are known to
 * whoever holds L1 and the refcount table.
 */
#ifndef Q2_FORMAT_OVERLAP_H
#define Q2_FORMAT_OVERLAP_H

#include "format/header.h"

/* Structures that q2_verify_overlap() looks at; a caller that writes one leaves its bit out. */
#define Q2_OVERLAP_HEADER BIT(0)
#define Q2_OVERLAP_L1 BIT(1)
#define Q2_OVERLAP_REFTABLE BIT(2)
#define Q2_OVERLAP_SNAPSHOTS BIT(3)
#define Q2_OVERLAP_BITMAPS BIT(4)
#define Q2_OVERLAP_ALL (BIT(5) - 1)

/**
 * q2_verify_overlap() - a range of host bytes touches no fixed metadata
 * @hdr: header of the image
 * @snapshots_bytes: bytes of the snapshot table; 0 if there is none
 * @which: Q2_OVERLAP_* to look at
 * @offset: first byte
 * @len: bytes, widened to whole clusters; 0 touches nothing
 * @err: reason
 *
 * Return: 0; -EUCLEAN the range touches one, or does not fit below Q2_MAX_OFFSET.
 */
int q2_verify_overlap(const struct q2_header *hdr, u64 snapshots_bytes, unsigned int which,
		      u64 offset, u64 len, struct q2_err *err);

#endif
