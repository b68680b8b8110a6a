// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fixed header.
 *
 * What is accepted is what QEMU 7.2 accepts when it opens an image for reading
 * (block/qcow2.c, qcow2_do_open), in the order in which it looks. Where the
 * spec asks for more than QEMU does (header_length a multiple of 8, zeroed
 * padding), an image that QEMU reads is read here too.
 */
#include "format/header.h"
#include "format/verify.h"

/* Magic and version. Spec, "Header"; a file shorter than the header reads zeroes. */
static int q2_verify_magic(const struct q2_disk_header *d, struct q2_err *err)
{
	u32 magic = be32_to_cpu(d->magic);
	u32 version = be32_to_cpu(d->version);

	if (magic != Q2_MAGIC)
		return q2_err_set(err, EINVAL,
				  "not a qcow2 image: it starts with 0x%08x instead of 0x%08x",
				  magic, Q2_MAGIC);
	if (version < 2 || version > 3)
		return q2_err_set(err, EOPNOTSUPP,
				  "qcow2 version %u is not supported, only 2 and 3 are", version);
	return 0;
}

/* cluster_bits: spec gives the least, QEMU the most. */
static int q2_verify_cluster_bits(const struct q2_header *hdr, struct q2_err *err)
{
	if (hdr->cluster_bits < Q2_MIN_CLUSTER_BITS || hdr->cluster_bits > Q2_MAX_CLUSTER_BITS)
		return q2_err_set(err, EINVAL, "cluster_bits is %u, it must be %u to %u",
				  hdr->cluster_bits, Q2_MIN_CLUSTER_BITS, Q2_MAX_CLUSTER_BITS);
	return 0;
}

/* header_length: at least what version 3 defines, at most cluster 0 (QEMU). */
static int q2_verify_header_length(const struct q2_header *hdr, struct q2_err *err)
{
	if (hdr->version >= 3 && hdr->header_length < Q2_V3_HEADER_LENGTH)
		return q2_err_set(err, EINVAL, "header_length is %u, version 3 needs at least %u",
				  hdr->header_length, Q2_V3_HEADER_LENGTH);
	if (hdr->header_length > 1U << hdr->cluster_bits)
		return q2_err_set(err, EINVAL, "header_length is %u, more than the cluster size %u",
				  hdr->header_length, 1U << hdr->cluster_bits);
	return 0;
}

/*
 * The backing file name lies inside cluster 0 and is at most 1023 bytes. Spec,
 * "Header"; without an offset the size says nothing. A name in the middle of
 * the header is odd, but QEMU reads it.
 */
static int q2_verify_backing_name(const struct q2_disk_header *d, const struct q2_header *hdr,
				  struct q2_err *err)
{
	u64 offset = be64_to_cpu(d->backing_file_offset);
	u32 size = be32_to_cpu(d->backing_file_size);
	u32 cluster_size = 1U << hdr->cluster_bits;

	if (!offset)
		return 0;
	if (offset > cluster_size)
		return q2_err_set(
			err, EINVAL,
			"the backing file name is at offset 0x%llx, beyond the first cluster",
			offset);
	if (size > Q2_MAX_BACKING_NAME)
		return q2_err_set(err, EINVAL,
				  "the backing file name has %u bytes, the limit is %u", size,
				  Q2_MAX_BACKING_NAME);
	if (size > cluster_size - offset)
		return q2_err_set(
			err, EINVAL,
			"the backing file name at offset 0x%llx has %u bytes and leaves the first cluster",
			offset, size);
	return 0;
}

/* Spec, "Additional fields": the type is nonzero if and only if its bit is set. */
static int q2_verify_compression(const struct q2_header *hdr, struct q2_err *err)
{
	bool bit = hdr->incompatible & Q2_INCOMPAT_COMPRESSION;

	if (hdr->compression_type > Q2_COMPRESSION_ZSTD)
		return q2_err_set(
			err, EOPNOTSUPP,
			"compression type %u is not supported, only 0 (zlib) and 1 (zstd) are",
			hdr->compression_type);
	if (bit != (hdr->compression_type != Q2_COMPRESSION_DEFLATE))
		return q2_err_set(
			err, EINVAL,
			"compression type %u contradicts incompatible feature bit 3, which is %s",
			hdr->compression_type, bit ? "set" : "not set");
	return 0;
}

/*
 * Spec, "incompatible_features": unknown bits must be refused, even for
 * reading. The feature name table could name them, but it is bytes of the image
 * that nobody vouches for: the sentence has the number.
 */
static int q2_verify_features(const struct q2_header *hdr, struct q2_err *err)
{
	u64 unknown = hdr->incompatible & ~Q2_INCOMPAT_KNOWN;

	if (unknown)
		return q2_err_set(
			err, EOPNOTSUPP,
			"the image uses unknown incompatible features (bits 0x%llx), a newer version is needed",
			unknown);
	if (hdr->incompatible & Q2_INCOMPAT_EXTL2 && hdr->cluster_bits < Q2_EXTL2_MIN_CLUSTER_BITS)
		return q2_err_set(err, EINVAL,
				  "extended L2 entries need cluster_bits of at least %u, it is %u",
				  Q2_EXTL2_MIN_CLUSTER_BITS, hdr->cluster_bits);
	/* QEMU: such an image cannot be used, nothing says where its data are. */
	if (hdr->autoclear & Q2_AUTOCLEAR_RAW_DATA && !(hdr->incompatible & Q2_INCOMPAT_DATA_FILE))
		return q2_err_set(
			err, EINVAL,
			"autoclear feature bit 1 (raw external data) is set without incompatible bit 2 (external data file)");
	return 0;
}

/* QEMU takes any method at first, but finds no key for one it does not know. */
static int q2_verify_crypt_method(const struct q2_header *hdr, struct q2_err *err)
{
	if (hdr->crypt_method > Q2_CRYPT_LUKS)
		return q2_err_set(
			err, EINVAL,
			"encryption method %u does not exist, qcow2 knows 0 (none), 1 (AES) and 2 (LUKS)",
			hdr->crypt_method);
	return 0;
}

/* Spec, "refcount_order"; QEMU for the size of the table. Offset 0 is not refused. */
static int q2_verify_refcount_table(const struct q2_header *hdr, struct q2_err *err)
{
	if (hdr->refcount_order > Q2_MAX_REFCOUNT_ORDER)
		return q2_err_set(err, EINVAL, "refcount_order is %u, it must be at most %u",
				  hdr->refcount_order, Q2_MAX_REFCOUNT_ORDER);
	if (!hdr->refcount_table_clusters)
		return q2_err_set(err, EINVAL, "the image has no refcount table");
	return q2_verify_table("the refcount table", hdr->cluster_bits, hdr->refcount_table_offset,
			       hdr->refcount_table_clusters, 1U << hdr->cluster_bits,
			       Q2_MAX_REFTABLE_BYTES, err);
}

/* QEMU. Entries vary in size: the table's end is judged as it is read (snapshot.h). */
static int q2_verify_snapshot_table(const struct q2_header *hdr, struct q2_err *err)
{
	return q2_verify_table("the snapshot table", hdr->cluster_bits, hdr->snapshots_offset,
			       hdr->nb_snapshots, sizeof(struct q2_disk_snapshot),
			       (u64)sizeof(struct q2_disk_snapshot) * Q2_MAX_SNAPSHOTS, err);
}

/*
 * The active L1 table is in bounds and large enough for the size. QEMU; sizes
 * above S64_MAX wrap in its arithmetic and fail later, here they fail at once.
 */
static int q2_verify_l1_table(const struct q2_header *hdr, u64 size, struct q2_err *err)
{
	struct q2_geometry geo;
	u64 needed;
	int ret;

	ret = q2_verify_table("the L1 table", hdr->cluster_bits, hdr->l1_offset, hdr->l1_size,
			      sizeof(__be64), Q2_MAX_L1_BYTES, err);
	if (ret)
		return ret;

	q2_header_geometry(hdr, &geo);
	if (size > Q2_MAX_OFFSET)
		return q2_err_set(err, EFBIG, "the image has a size of %llu bytes, too large",
				  size);
	/* No overflow: the size is below 2^63, the coverage at most 2^39. */
	needed = (size + q2_l2_coverage(&geo) - 1) >> (geo.l2_bits + geo.cluster_bits);
	if (needed > INT_MAX)
		return q2_err_set(
			err, EFBIG,
			"the image has a size of %llu bytes, too large for clusters of %u bytes",
			size, geo.cluster_size);
	if (hdr->l1_size < needed)
		return q2_err_set(err, EINVAL,
				  "the L1 table has %u entries, a size of %llu bytes needs %llu",
				  hdr->l1_size, size, needed);
	return 0;
}

/* Version 3 fields, or what version 2 stands for. */
static void q2_header_decode_v3(const struct q2_disk_header *d, struct q2_header *hdr)
{
	if (hdr->version == 2) {
		hdr->refcount_order = 4;
		hdr->header_length = Q2_V2_HEADER_LENGTH;
		return;
	}
	hdr->incompatible = be64_to_cpu(d->incompatible_features);
	hdr->compatible = be64_to_cpu(d->compatible_features);
	hdr->autoclear = be64_to_cpu(d->autoclear_features);
	hdr->refcount_order = be32_to_cpu(d->refcount_order);
	hdr->header_length = be32_to_cpu(d->header_length);
	/* A field that header_length does not reach is not there. */
	if (hdr->header_length > offsetof(struct q2_disk_header, compression_type))
		hdr->compression_type = d->compression_type;
}

int q2_header_decode(const void *buf, size_t len, struct q2_header *hdr, struct q2_err *err)
{
	struct q2_disk_header d;
	u64 size;
	int ret;

	memset(&d, 0, sizeof(d));
	memcpy(&d, buf, min(len, sizeof(d)));
	memset(hdr, 0, sizeof(*hdr));

	ret = q2_verify_magic(&d, err);
	if (ret)
		return ret;

	size = be64_to_cpu(d.size);
	hdr->version = be32_to_cpu(d.version);
	hdr->cluster_bits = be32_to_cpu(d.cluster_bits);
	hdr->size = round_down(size, Q2_SECTOR_SIZE);
	hdr->crypt_method = be32_to_cpu(d.crypt_method);
	hdr->l1_size = be32_to_cpu(d.l1_size);
	hdr->l1_offset = be64_to_cpu(d.l1_table_offset);
	hdr->refcount_table_offset = be64_to_cpu(d.refcount_table_offset);
	hdr->refcount_table_clusters = be32_to_cpu(d.refcount_table_clusters);
	hdr->nb_snapshots = be32_to_cpu(d.nb_snapshots);
	hdr->snapshots_offset = be64_to_cpu(d.snapshots_offset);
	q2_header_decode_v3(&d, hdr);

	ret = q2_verify_cluster_bits(hdr, err);
	if (!ret)
		ret = q2_verify_header_length(hdr, err);
	if (!ret)
		ret = q2_verify_backing_name(&d, hdr, err);
	if (!ret)
		ret = q2_verify_compression(hdr, err);
	if (!ret)
		ret = q2_verify_features(hdr, err);
	if (!ret)
		ret = q2_verify_crypt_method(hdr, err);
	if (!ret)
		ret = q2_verify_refcount_table(hdr, err);
	if (!ret)
		ret = q2_verify_snapshot_table(hdr, err);
	if (!ret)
		ret = q2_verify_l1_table(hdr, size, err);
	if (ret)
		return ret;

	if (d.backing_file_offset) {
		hdr->backing.offset = be64_to_cpu(d.backing_file_offset);
		hdr->backing.length = be32_to_cpu(d.backing_file_size);
		hdr->has_backing = hdr->backing.length > 0;
	}
	return 0;
}

void q2_header_encode(const struct q2_header *hdr, void *buf)
{
	struct q2_disk_header d;

	memset(&d, 0, sizeof(d));
	d.magic = cpu_to_be32(Q2_MAGIC);
	d.version = cpu_to_be32(hdr->version);
	d.backing_file_offset = cpu_to_be64(hdr->backing.offset);
	d.backing_file_size = cpu_to_be32(hdr->backing.length);
	d.cluster_bits = cpu_to_be32(hdr->cluster_bits);
	d.size = cpu_to_be64(hdr->size);
	d.crypt_method = cpu_to_be32(hdr->crypt_method);
	d.l1_size = cpu_to_be32(hdr->l1_size);
	d.l1_table_offset = cpu_to_be64(hdr->l1_offset);
	d.refcount_table_offset = cpu_to_be64(hdr->refcount_table_offset);
	d.refcount_table_clusters = cpu_to_be32(hdr->refcount_table_clusters);
	d.nb_snapshots = cpu_to_be32(hdr->nb_snapshots);
	d.snapshots_offset = cpu_to_be64(hdr->snapshots_offset);
	d.incompatible_features = cpu_to_be64(hdr->incompatible);
	d.compatible_features = cpu_to_be64(hdr->compatible);
	d.autoclear_features = cpu_to_be64(hdr->autoclear);
	d.refcount_order = cpu_to_be32(hdr->refcount_order);
	d.header_length = cpu_to_be32(hdr->header_length);
	d.compression_type = hdr->compression_type;
	memcpy(buf, &d, min_t(size_t, hdr->header_length, sizeof(d)));
}

void q2_header_geometry(const struct q2_header *hdr, struct q2_geometry *geo)
{
	memset(geo, 0, sizeof(*geo));
	geo->version = hdr->version;
	geo->cluster_bits = hdr->cluster_bits;
	geo->cluster_size = 1U << hdr->cluster_bits;
	geo->extended_l2 = hdr->incompatible & Q2_INCOMPAT_EXTL2;
	geo->data_file = hdr->incompatible & Q2_INCOMPAT_DATA_FILE;
	geo->l2_entry_bits = geo->extended_l2 ? 4 : 3;
	geo->l2_bits = hdr->cluster_bits - geo->l2_entry_bits;
	geo->subcluster_bits = hdr->cluster_bits - (geo->extended_l2 ? 5 : 0);
	geo->refcount_order = hdr->refcount_order;
	geo->refblock_bits = hdr->cluster_bits + 3 - hdr->refcount_order;
	geo->compressed_offset_bits = 70 - hdr->cluster_bits;
}
