/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The header and its extensions, decoded once into native form.
 *
 * Does: bytes <-> struct q2_header, every limit of one header by itself.
 * Does not: look outside cluster 0, open or read anything, judge features
 * (an image with encryption parses; who serves it decides).
 */
#ifndef Q2_FORMAT_HEADER_H
#define Q2_FORMAT_HEADER_H

#include "format/err.h"
#include "format/geometry.h"
#include "format/ondisk.h"

/**
 * struct q2_span - a range of bytes inside cluster 0, or a table of strings
 * @offset: from the start of the image or table, bytes
 * @length: bytes; 0 when the thing is absent
 */
struct q2_span {
	u32 offset;
	u32 length;
};

/**
 * struct q2_header - a decoded header
 * @version: 2 or 3
 * @cluster_bits: 9..21
 * @size: guest size in bytes, rounded down to 512 as QEMU does
 * @crypt_method: Q2_CRYPT_*
 * @l1_size: entries of the active L1 table
 * @l1_offset: its offset in bytes, cluster aligned; 0 in a broken image, as QEMU
 *             takes it when it opens for reading
 * @refcount_table_offset: bytes, cluster aligned; 0 as @l1_offset
 * @refcount_table_clusters: at least 1
 * @nb_snapshots: entries of the snapshot table
 * @snapshots_offset: bytes, cluster aligned
 * @incompatible: feature bits; 0 in version 2
 * @compatible: feature bits; 0 in version 2
 * @autoclear: feature bits; 0 in version 2
 * @refcount_order: 0..6; 4 in version 2
 * @header_length: bytes; 72 in version 2
 * @compression_type: Q2_COMPRESSION_*
 * @backing: name of the backing file, not NUL-terminated, never opened by the kernel
 *           and, once the extensions are decoded, cut at the first NUL as QEMU
 *           does. The offset stays as it is in the header without a name, too.
 * @has_backing: the header names a backing file (@backing.length > 0)
 * @backing_format: string of that extension, cut at the first NUL
 * @data_file: string of that extension, cut at the first NUL
 * @crypto_offset: of the LUKS header, bytes; valid if @crypto_length > 0
 * @crypto_length: of the LUKS header, bytes
 * @nb_bitmaps: of the bitmaps extension; 0 if absent or without its autoclear bit
 * @bitmap_directory_offset: bytes, cluster aligned
 * @bitmap_directory_size: bytes
 * @extensions: from the first extension to the last byte of the last one
 *              before the end marker, so a rewrite can keep unknown ones
 */
struct q2_header {
	u32 version;
	u32 cluster_bits;
	u64 size;
	u32 crypt_method;
	u32 l1_size;
	u64 l1_offset;
	u64 refcount_table_offset;
	u32 refcount_table_clusters;
	u32 nb_snapshots;
	u64 snapshots_offset;
	u64 incompatible;
	u64 compatible;
	u64 autoclear;
	u32 refcount_order;
	u32 header_length;
	u8 compression_type;
	struct q2_span backing;
	bool has_backing;
	struct q2_span backing_format;
	struct q2_span data_file;
	u64 crypto_offset;
	u64 crypto_length;
	u32 nb_bitmaps;
	u64 bitmap_directory_offset;
	u64 bitmap_directory_size;
	struct q2_span extensions;
};

/**
 * q2_header_decode() - decode and verify the fixed header
 * @buf: start of the image
 * @len: bytes in @buf; at least Q2_V3_HEADER_FULL unless the file is shorter
 * @hdr: result; the members that come from extensions are zeroed
 * @err: reason
 *
 * Checks magic, version, cluster_bits, header_length, refcount_order,
 * compression_type against its feature bit, crypt_method range, unknown
 * incompatible bits, extended L2's least cluster size, L1, refcount table and
 * snapshot table limits and alignment, L1 large enough for the size, backing
 * name inside cluster 0. Never blocks, allocates nothing.
 *
 * Return: 0, -EINVAL not qcow2 or malformed, -EFBIG a limit, -EOPNOTSUPP a
 * version, compression type or incompatible feature that is not known.
 */
int q2_header_decode(const void *buf, size_t len, struct q2_header *hdr, struct q2_err *err);

/**
 * q2_header_decode_extensions() - decode and verify the header extensions
 * @buf: cluster 0
 * @len: bytes in @buf: the cluster size, or less if the file ends before; what
 *       lies beyond counts as the end of the extensions
 * @hdr: from q2_header_decode(); completed
 * @err: reason
 *
 * Return: 0 or -EINVAL. Unknown extensions are skipped and kept in @hdr->extensions;
 * of one that comes twice the last counts.
 */
int q2_header_decode_extensions(const void *buf, size_t len, struct q2_header *hdr,
				struct q2_err *err);

/**
 * q2_header_encode() - write the fixed header
 * @hdr: native header
 * @buf: at least Q2_V3_HEADER_FULL bytes; the fixed part for hdr->version is
 *       written (72 bytes for version 2, hdr->header_length up to 112 for version 3)
 */
void q2_header_encode(const struct q2_header *hdr, void *buf);

/**
 * q2_header_geometry() - derive the geometry
 * @hdr: decoded header
 * @geo: result
 */
void q2_header_geometry(const struct q2_header *hdr, struct q2_geometry *geo);

#endif
