/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules that more than one structure of the format obeys.
 */
#ifndef Q2_FORMAT_VERIFY_H
#define Q2_FORMAT_VERIFY_H

#include "format/err.h"
#include "format/ondisk.h"

/**
 * q2_verify_table() - size, place and alignment of a contiguous table
 * @what: its name in the sentence, for example "the L1 table"
 * @cluster_bits: 9..21
 * @offset: where it starts, bytes
 * @entries: its entries
 * @entry_bytes: bytes of one
 * @max_bytes: the most it may take
 * @err: reason
 *
 * The offset is judged even if there are no entries, as in QEMU
 * (qcow2_validate_table).
 *
 * Return: 0, -EFBIG over the limit, -EINVAL unaligned or past Q2_MAX_OFFSET.
 */
int q2_verify_table(const char *what, u32 cluster_bits, u64 offset, u64 entries, u32 entry_bytes,
		    u64 max_bytes, struct q2_err *err);

#endif
