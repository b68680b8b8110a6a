/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of the bitmap directory. Spec, "Bitmaps extension".
 *
 * Bitmaps are not maintained, only understood well enough to count their
 * clusters (check) and to leave them alone.
 */
#ifndef Q2_FORMAT_BITMAP_H
#define Q2_FORMAT_BITMAP_H

#include "format/err.h"
#include "format/header.h"

/**
 * struct q2_bitmap - one decoded entry of the bitmap directory
 * @table_offset: of the bitmap table, bytes, cluster aligned
 * @table_size: entries of 8 bytes
 * @flags: Q2_BITMAP_*
 * @granularity_bits: 9..31
 * @name: offset into the directory and bytes, not NUL-terminated
 */
struct q2_bitmap {
	u64 table_offset;
	u32 table_size;
	u32 flags;
	u8 granularity_bits;
	struct q2_span name;
};

/**
 * q2_bitmap_decode() - decode and verify the entry at @offset of the directory
 * @hdr: header of the image
 * @dir: the whole directory
 * @len: its bytes
 * @offset: where the entry starts, a multiple of 8
 * @bm: result
 * @next: result: where the next entry starts
 * @err: reason
 *
 * Return: 0 or -EINVAL.
 */
int q2_bitmap_decode(const struct q2_header *hdr, const void *dir, size_t len, size_t offset,
		     struct q2_bitmap *bm, size_t *next, struct q2_err *err);

/**
 * q2_bitmap_table_entry_decode() - offset of the bitmap data behind a table word
 * @hdr: header of the image
 * @word: bitmap table entry, host byte order
 * @offset: result, bytes; 0 if no cluster is behind it
 * @err: reason
 *
 * Return: 0 or -EINVAL.
 */
int q2_bitmap_table_entry_decode(const struct q2_header *hdr, u64 word, u64 *offset,
				 struct q2_err *err);

#endif
