// SPDX-License-Identifier: GPL-2.0-only
/* Entries of the bitmap directory and of bitmap tables. */
#include "format/bitmap.h"
#include "format/verify.h"

/* QEMU (block/qcow2-bitmap.c): entries of a bitmap table, bytes of a bitmap, of a name. */
#define Q2_MAX_BITMAP_TABLE 0x8000000U
#define Q2_MAX_BITMAP_BYTES 0x20000000ULL
#define Q2_MAX_BITMAP_NAME 1023U

/* Spec, "Bitmap table": 1..8 and 56..63; bit 0 as well once there is an offset. */
#define Q2_BITMAP_TABLE_RESERVED 0xff000000000001feULL
#define Q2_BITMAP_TABLE_ALL_ONES BIT_ULL(0)

/* Type, flags, granularity and name. Spec, "Bitmap directory"; QEMU for limits. */
static int q2_verify_bitmap(const struct q2_bitmap *bm, u8 type, size_t offset, struct q2_err *err)
{
	if (type != Q2_BITMAP_TYPE_DIRTY)
		return q2_err_set(
			err, EINVAL,
			"the bitmap at byte %zu of the directory has type %u, only 1 (dirty tracking) exists",
			offset, type);
	/*
	 * QEMU knows no extra data and refuses flag 2; the spec defines both,
	 * and extra data own no clusters.
	 */
	if (bm->flags & ~Q2_BITMAP_FLAGS_KNOWN)
		return q2_err_set(err, EINVAL,
				  "the bitmap at byte %zu of the directory has unknown flags 0x%x",
				  offset, (u32)(bm->flags & ~Q2_BITMAP_FLAGS_KNOWN));
	if (bm->granularity_bits < Q2_MIN_BITMAP_GRANULARITY_BITS ||
	    bm->granularity_bits > Q2_MAX_BITMAP_GRANULARITY_BITS)
		return q2_err_set(
			err, EINVAL,
			"the bitmap at byte %zu of the directory has granularity_bits %u, it must be %u to %u",
			offset, bm->granularity_bits, Q2_MIN_BITMAP_GRANULARITY_BITS,
			Q2_MAX_BITMAP_GRANULARITY_BITS);
	if (bm->name.length > Q2_MAX_BITMAP_NAME)
		return q2_err_set(
			err, EINVAL,
			"the bitmap at byte %zu of the directory has a name of %u bytes, the limit is %u",
			offset, bm->name.length, Q2_MAX_BITMAP_NAME);
	return 0;
}

/* The bitmap's table: there, in bounds, and enough for the image unless in use. QEMU. */
static int q2_verify_bitmap_table(const struct q2_header *hdr, const struct q2_bitmap *bm,
				  size_t offset, struct q2_err *err)
{
	u64 bytes = (u64)bm->table_size << hdr->cluster_bits;

	if (!bm->table_size || !bm->table_offset)
		return q2_err_set(err, EINVAL,
				  "the bitmap at byte %zu of the directory has no bitmap table",
				  offset);
	if (q2_verify_table("a bitmap table", hdr->cluster_bits, bm->table_offset, bm->table_size,
			    sizeof(__be64), (u64)Q2_MAX_BITMAP_TABLE * sizeof(__be64), err))
		return -EINVAL;
	if (bytes > Q2_MAX_BITMAP_BYTES)
		return q2_err_set(
			err, EINVAL,
			"the bitmap at byte %zu of the directory has %llu bytes, the limit is %llu",
			offset, bytes, Q2_MAX_BITMAP_BYTES);
	/* At most 2^29 bytes of 8 bits, each for 2^31 bytes: 2^63 fits. */
	if (!(bm->flags & Q2_BITMAP_IN_USE) && hdr->size > bytes * 8 << bm->granularity_bits)
		return q2_err_set(
			err, EINVAL,
			"the bitmap at byte %zu of the directory is too small for the image",
			offset);
	return 0;
}

int q2_bitmap_decode(const struct q2_header *hdr, const void *dir, size_t len, size_t offset,
		     struct q2_bitmap *bm, size_t *next, struct q2_err *err)
{
	struct q2_disk_bitmap d;
	u64 end = (u64)offset + sizeof(d);
	u32 extra;
	int ret;

	if (end > len)
		return q2_err_set(err, EINVAL,
				  "the bitmap directory ends inside the entry at byte %zu", offset);
	memcpy(&d, (const u8 *)dir + offset, sizeof(d));
	extra = be32_to_cpu(d.extra_data_size);
	bm->table_offset = be64_to_cpu(d.table_offset);
	bm->table_size = be32_to_cpu(d.table_size);
	bm->flags = be32_to_cpu(d.flags);
	bm->granularity_bits = d.granularity_bits;
	bm->name.length = be16_to_cpu(d.name_size);
	bm->name.offset = end + extra;
	end = round_up(end + extra + bm->name.length, 8);
	if (end > len)
		return q2_err_set(err, EINVAL,
				  "the bitmap directory ends inside the entry at byte %zu", offset);

	ret = q2_verify_bitmap(bm, d.type, offset, err);
	if (!ret)
		ret = q2_verify_bitmap_table(hdr, bm, offset, err);
	if (ret)
		return ret;
	*next = end;
	return 0;
}

int q2_bitmap_table_entry_decode(const struct q2_header *hdr, u64 word, u64 *offset,
				 struct q2_err *err)
{
	u64 data = word & Q2_OFFSET_MASK;

	if (word & Q2_BITMAP_TABLE_RESERVED || (data && word & Q2_BITMAP_TABLE_ALL_ONES))
		return q2_err_set(err, EINVAL, "bitmap table entry 0x%016llx has reserved bits set",
				  word);
	if (data & ((1ULL << hdr->cluster_bits) - 1))
		return q2_err_set(
			err, EINVAL,
			"bitmap table entry 0x%016llx: the data are not at a cluster boundary",
			word);
	*offset = data;
	return 0;
}
