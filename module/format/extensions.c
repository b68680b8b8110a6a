// SPDX-License-Identifier: GPL-2.0-only
/*
 * Header extensions: what stands between the fixed header and the backing file
 * name, or the end of cluster 0. Spec, "Header extensions".
 *
 * As lenient as QEMU 7.2 (block/qcow2.c, qcow2_read_extensions): an unknown
 * extension is skipped, of one that comes twice the last counts, and a string
 * ends at its first NUL, because QEMU keeps it as a C string.
 */
#include "format/header.h"
#include "format/verify.h"

/* QEMU keeps the format's name in 16 bytes. */
#define Q2_MAX_BACKING_FORMAT 15U
/* QEMU: 1 KiB for each of the most bitmaps. */
#define Q2_MAX_BITMAP_DIRECTORY (1024ULL * Q2_MAX_BITMAPS)

/* Spec, "Full disk encryption header pointer". */
struct q2_disk_crypto_ext {
	__be64 offset;
	__be64 length;
} __packed;
static_assert(sizeof(struct q2_disk_crypto_ext) == 16);

/* Cluster 0 as far as it was read. */
struct q2_ext_area {
	const u8 *buf;
	size_t len;
	u32 end;
};

/* One extension: @offset is that of its data. */
struct q2_ext {
	u32 type;
	u32 offset;
	u32 length;
};

/* Bytes of the area; those past the end of the file are zero. */
static void q2_ext_read(const struct q2_ext_area *area, u32 offset, void *dst, size_t bytes)
{
	memset(dst, 0, bytes);
	if (offset < area->len)
		memcpy(dst, area->buf + offset, min(bytes, area->len - offset));
}

/* A string extension, up to its first NUL. */
static struct q2_span q2_ext_string(const struct q2_ext_area *area, u32 offset, u32 length)
{
	struct q2_span span = {.offset = offset};

	while (span.length < length && offset + span.length < area->len &&
	       area->buf[offset + span.length])
		span.length++;
	return span;
}

/* Spec, "String header extensions"; QEMU for the limit. */
static int q2_ext_backing_format(const struct q2_ext_area *area, const struct q2_ext *ext,
				 struct q2_header *hdr, struct q2_err *err)
{
	if (ext->length > Q2_MAX_BACKING_FORMAT)
		return q2_err_set(
			err, EINVAL,
			"the name of the backing file's format has %u bytes, the limit is %u",
			ext->length, Q2_MAX_BACKING_FORMAT);
	hdr->backing_format = q2_ext_string(area, ext->offset, ext->length);
	return 0;
}

/* Spec, "Bitmaps extension". Without its autoclear bit the contents mean nothing. */
static int q2_ext_bitmaps(const struct q2_ext_area *area, const struct q2_ext *ext,
			  struct q2_header *hdr, struct q2_err *err)
{
	struct q2_disk_bitmaps_ext d;
	u64 offset, size;
	u32 count;

	if (ext->length != sizeof(d))
		return q2_err_set(err, EINVAL, "the bitmaps extension has %u bytes instead of %zu",
				  ext->length, sizeof(d));
	if (!(hdr->autoclear & Q2_AUTOCLEAR_BITMAPS))
		return 0;

	q2_ext_read(area, ext->offset, &d, sizeof(d));
	count = be32_to_cpu(d.nb_bitmaps);
	size = be64_to_cpu(d.directory_size);
	offset = be64_to_cpu(d.directory_offset);
	if (d.reserved)
		return q2_err_set(
			err, EINVAL,
			"the reserved field of the bitmaps extension is 0x%x instead of 0",
			be32_to_cpu(d.reserved));
	if (count < 1 || count > Q2_MAX_BITMAPS)
		return q2_err_set(err, EINVAL,
				  "the bitmaps extension counts %u bitmaps, it must be 1 to %u",
				  count, Q2_MAX_BITMAPS);
	if (size < 1 || size > Q2_MAX_BITMAP_DIRECTORY)
		return q2_err_set(err, EINVAL,
				  "the bitmap directory has %llu bytes, it must have 1 to %llu",
				  size, Q2_MAX_BITMAP_DIRECTORY);
	if (q2_verify_table("the bitmap directory", hdr->cluster_bits, offset, size, 1,
			    Q2_MAX_BITMAP_DIRECTORY, err))
		return -EINVAL;

	hdr->nb_bitmaps = count;
	hdr->bitmap_directory_size = size;
	hdr->bitmap_directory_offset = offset;
	return 0;
}

/* Spec, "Full disk encryption header pointer": with LUKS and with nothing else. */
static int q2_ext_crypto(const struct q2_ext_area *area, const struct q2_ext *ext,
			 struct q2_header *hdr, struct q2_err *err)
{
	struct q2_disk_crypto_ext d;
	u64 offset, length;

	if (hdr->crypt_method != Q2_CRYPT_LUKS)
		return q2_err_set(
			err, EINVAL,
			"an encryption header extension stands beside encryption method %u, only LUKS (2) has one",
			hdr->crypt_method);
	if (ext->length != sizeof(d))
		return q2_err_set(err, EINVAL,
				  "the encryption header extension has %u bytes instead of %zu",
				  ext->length, sizeof(d));

	q2_ext_read(area, ext->offset, &d, sizeof(d));
	offset = be64_to_cpu(d.offset);
	length = be64_to_cpu(d.length);
	if (!length)
		return q2_err_set(err, EINVAL, "the encryption header is empty");
	if (q2_verify_table("the encryption header", hdr->cluster_bits, offset, length, 1,
			    Q2_MAX_OFFSET, err))
		return -EINVAL;

	hdr->crypto_offset = offset;
	hdr->crypto_length = length;
	return 0;
}

static int q2_ext_decode(const struct q2_ext_area *area, const struct q2_ext *ext,
			 struct q2_header *hdr, struct q2_err *err)
{
	switch (ext->type) {
	case Q2_EXT_BACKING_FORMAT:
		return q2_ext_backing_format(area, ext, hdr, err);
	case Q2_EXT_BITMAPS:
		return q2_ext_bitmaps(area, ext, hdr, err);
	case Q2_EXT_CRYPTO:
		return q2_ext_crypto(area, ext, hdr, err);
	case Q2_EXT_DATA_FILE:
		hdr->data_file = q2_ext_string(area, ext->offset, ext->length);
		return 0;
	default:
		return 0;
	}
}

/* An extension, its head included, ends before the area does. QEMU. */
static int q2_verify_extension(const struct q2_ext_area *area, const struct q2_ext *ext,
			       struct q2_err *err)
{
	if (ext->offset > area->end || ext->length > area->end - ext->offset)
		return q2_err_set(
			err, EINVAL,
			"the header extension 0x%08x at offset %u has %u bytes and leaves the extension area, which ends at %u",
			ext->type, (u32)(ext->offset - sizeof(struct q2_disk_ext)), ext->length,
			area->end);
	return 0;
}

int q2_header_decode_extensions(const void *buf, size_t len, struct q2_header *hdr,
				struct q2_err *err)
{
	struct q2_ext_area area = {.buf = buf, .len = len};
	u32 offset = hdr->header_length;
	struct q2_disk_ext head;
	struct q2_ext ext;
	int ret;

	area.end = hdr->backing.offset ? hdr->backing.offset : 1U << hdr->cluster_bits;
	hdr->extensions.offset = offset;
	/* Offsets stay below two clusters: no overflow. */
	while (offset < area.end) {
		q2_ext_read(&area, offset, &head, sizeof(head));
		ext.type = be32_to_cpu(head.type);
		ext.length = be32_to_cpu(head.length);
		ext.offset = offset + sizeof(head);
		ret = q2_verify_extension(&area, &ext, err);
		if (ret)
			return ret;
		if (ext.type == Q2_EXT_END)
			break;
		ret = q2_ext_decode(&area, &ext, hdr, err);
		if (ret)
			return ret;
		offset = min(ext.offset + round_up(ext.length, 8U), area.end);
		hdr->extensions.length = offset - hdr->extensions.offset;
	}

	if (hdr->crypt_method == Q2_CRYPT_LUKS && !hdr->crypto_length)
		return q2_err_set(
			err, EINVAL,
			"the image is encrypted with LUKS, but has no encryption header extension");
	if (hdr->has_backing) {
		hdr->backing = q2_ext_string(&area, hdr->backing.offset, hdr->backing.length);
		hdr->has_backing = hdr->backing.length > 0;
	}
	return 0;
}
