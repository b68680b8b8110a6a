/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qcow2 as it lies on the disk: every structure, mask and limit, once.
 *
 * The authority is QEMU's docs/interop/qcow2.rst ("spec" below) and, for the
 * limits, what QEMU's block/qcow2.h accepts. All integers are big-endian.
 * Only the .c files of this folder look at these structures; everything above
 * sees native ones (geometry.h, header.h, l2.h, refcount.h, snapshot.h).
 */
#ifndef Q2_FORMAT_ONDISK_H
#define Q2_FORMAT_ONDISK_H

#include "env.h"

#define Q2_MAGIC 0x514649fbU /* "QFI\xfb" */
#define Q2_SECTOR_BITS 9
#define Q2_SECTOR_SIZE 512U

/* Limits QEMU enforces, and so do we (spec says nothing of most of them). */
#define Q2_MIN_CLUSTER_BITS 9
#define Q2_MAX_CLUSTER_BITS 21
#define Q2_MAX_REFCOUNT_ORDER 6
#define Q2_MAX_L1_BYTES (32U << 20)
#define Q2_MAX_REFTABLE_BYTES (8U << 20)
#define Q2_MAX_SNAPSHOTS 65536U
#define Q2_MAX_SNAPSHOT_TABLE_BYTES (64U << 20)
#define Q2_MAX_SNAPSHOT_EXTRA 1024U
#define Q2_MAX_BITMAPS 65535U
#define Q2_MIN_BITMAP_GRANULARITY_BITS 9
#define Q2_MAX_BITMAP_GRANULARITY_BITS 31
#define Q2_MAX_BACKING_NAME 1023U
#define Q2_MAX_OFFSET S64_MAX

#define Q2_V2_HEADER_LENGTH 72U
#define Q2_V3_HEADER_LENGTH 104U /* the least a version 3 header may say */
#define Q2_V3_HEADER_FULL 112U	 /* with compression_type, padded to 8 */

/* Spec, "Header": fixed part of versions 2 and 3. */
struct q2_disk_header {
	__be32 magic;
	__be32 version;
	__be64 backing_file_offset;
	__be32 backing_file_size;
	__be32 cluster_bits;
	__be64 size;
	__be32 crypt_method;
	__be32 l1_size;
	__be64 l1_table_offset;
	__be64 refcount_table_offset;
	__be32 refcount_table_clusters;
	__be32 nb_snapshots;
	__be64 snapshots_offset;
	/* version 3 from here */
	__be64 incompatible_features;
	__be64 compatible_features;
	__be64 autoclear_features;
	__be32 refcount_order;
	__be32 header_length;
	/* only if header_length says so */
	u8 compression_type;
	u8 padding[7];
} __packed;
static_assert(sizeof(struct q2_disk_header) == Q2_V3_HEADER_FULL);
static_assert(offsetof(struct q2_disk_header, incompatible_features) == Q2_V2_HEADER_LENGTH);
static_assert(offsetof(struct q2_disk_header, compression_type) == Q2_V3_HEADER_LENGTH);

#define Q2_INCOMPAT_DIRTY BIT_ULL(0)
#define Q2_INCOMPAT_CORRUPT BIT_ULL(1)
#define Q2_INCOMPAT_DATA_FILE BIT_ULL(2)
#define Q2_INCOMPAT_COMPRESSION BIT_ULL(3)
#define Q2_INCOMPAT_EXTL2 BIT_ULL(4)
#define Q2_INCOMPAT_KNOWN GENMASK_ULL(4, 0)
#define Q2_COMPAT_LAZY_REFCOUNTS BIT_ULL(0)
#define Q2_AUTOCLEAR_BITMAPS BIT_ULL(0)
#define Q2_AUTOCLEAR_RAW_DATA BIT_ULL(1)

#define Q2_CRYPT_NONE 0
#define Q2_CRYPT_AES 1
#define Q2_CRYPT_LUKS 2

#define Q2_COMPRESSION_DEFLATE 0
#define Q2_COMPRESSION_ZSTD 1

/* Spec, "Header extensions". */
struct q2_disk_ext {
	__be32 type;
	__be32 length;
} __packed;
static_assert(sizeof(struct q2_disk_ext) == 8);

#define Q2_EXT_END 0x00000000U
#define Q2_EXT_BACKING_FORMAT 0xe2792acaU
#define Q2_EXT_FEATURE_NAMES 0x6803f857U
#define Q2_EXT_BITMAPS 0x23852875U
#define Q2_EXT_CRYPTO 0x0537be77U
#define Q2_EXT_DATA_FILE 0x44415441U

struct q2_disk_feature_name {
	u8 type; /* 0 incompatible, 1 compatible, 2 autoclear */
	u8 bit;
	char name[46];
} __packed;
static_assert(sizeof(struct q2_disk_feature_name) == 48);

struct q2_disk_bitmaps_ext {
	__be32 nb_bitmaps;
	__be32 reserved;
	__be64 directory_size;
	__be64 directory_offset;
} __packed;
static_assert(sizeof(struct q2_disk_bitmaps_ext) == 24);

/* Spec, "L1 table entry". Offsets are multiples of 512 at least. */
#define Q2_OFFSET_MASK 0x00fffffffffffe00ULL
#define Q2_L1_RESERVED 0x7f000000000001ffULL
#define Q2_COPIED BIT_ULL(63)

/* Spec, "L2 table entry". ZERO means nothing in extended entries (reserved there). */
#define Q2_L2_ZERO BIT_ULL(0)
#define Q2_L2_COMPRESSED BIT_ULL(62)
#define Q2_L2_RESERVED 0x3f000000000001feULL
#define Q2_EXTL2_SUBCLUSTERS 32U
#define Q2_EXTL2_MIN_CLUSTER_BITS 14

/* Spec, "Refcount table entry". */
#define Q2_REFTABLE_OFFSET_MASK (~0x1ffULL)

/* Spec, "Snapshots". */
struct q2_disk_snapshot {
	__be64 l1_table_offset;
	__be32 l1_size;
	__be16 id_str_size;
	__be16 name_size;
	__be32 date_sec;
	__be32 date_nsec;
	__be64 vm_clock_nsec;
	__be32 vm_state_size; /* the low word; the whole one is in the extra data */
	__be32 extra_data_size;
} __packed;
static_assert(sizeof(struct q2_disk_snapshot) == 40);

struct q2_disk_snapshot_extra {
	__be64 vm_state_size;
	__be64 disk_size;
	__be64 icount;
} __packed;
static_assert(sizeof(struct q2_disk_snapshot_extra) == 24);

/* Spec, "Bitmap directory entry". */
struct q2_disk_bitmap {
	__be64 table_offset;
	__be32 table_size; /* in entries of 8 bytes */
	__be32 flags;
	u8 type;
	u8 granularity_bits;
	__be16 name_size;
	__be32 extra_data_size;
} __packed;
static_assert(sizeof(struct q2_disk_bitmap) == 24);

#define Q2_BITMAP_IN_USE BIT(0)
#define Q2_BITMAP_AUTO BIT(1)
#define Q2_BITMAP_EXTRA_COMPATIBLE BIT(2)
#define Q2_BITMAP_FLAGS_KNOWN (Q2_BITMAP_IN_USE | Q2_BITMAP_AUTO | Q2_BITMAP_EXTRA_COMPATIBLE)
#define Q2_BITMAP_TYPE_DIRTY 1

#endif
