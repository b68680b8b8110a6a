// SPDX-License-Identifier: GPL-2.0-only
/*
 * L1 and L2 entries.
 *
 * Two levels of judgement. A lookup must serve every entry that QEMU serves:
 * q2_l1_entry_decode() and q2_l2_entry_verify() refuse what QEMU's lookup takes
 * for corruption (block/qcow2-cluster.c, qcow2_get_host_offset) and pass over
 * the reserved bits it masks away. q2_l1_entry_check() and q2_l2_entry_check()
 * refuse all that `qemu-img check` calls corrupt (block/qcow2-refcount.c,
 * check_refcounts_l1 and _l2): for checks, and for entries about to be written.
 */
#include "format/l2.h"

/* Spec, "Compressed Clusters Descriptor": offset bits from here on are zero. */
#define Q2_MAX_COMPRESSED_BITS 56

static u64 q2_compressed_host(const struct q2_geometry *geo, u64 word)
{
	return word & ((1ULL << geo->compressed_offset_bits) - 1);
}

static u32 q2_compressed_bytes(const struct q2_geometry *geo, u64 word)
{
	u32 more = (word & ~(Q2_COPIED | Q2_L2_COMPRESSED)) >> geo->compressed_offset_bits;

	return (more + 1) * Q2_SECTOR_SIZE - (word & (Q2_SECTOR_SIZE - 1));
}

/* A host cluster is behind the entry. Offset 0 is one only in a data file, if COPIED. */
static bool q2_l2_has_cluster(const struct q2_geometry *geo, u64 word)
{
	return word & Q2_OFFSET_MASK || (geo->data_file && word & Q2_COPIED);
}

int q2_l1_entry_decode(const struct q2_geometry *geo, u64 word, u64 *l2_offset, bool *copied,
		       struct q2_err *err)
{
	u64 offset = word & Q2_OFFSET_MASK;

	if (q2_offset_into_cluster(geo, offset))
		return q2_err_set(err, EUCLEAN,
				  "L1 entry 0x%016llx: the L2 table is not at a cluster boundary",
				  word);
	*l2_offset = offset;
	if (copied)
		*copied = word & Q2_COPIED;
	return 0;
}

int q2_l1_entry_check(const struct q2_geometry *geo, u64 word, struct q2_err *err)
{
	u64 offset;

	if (word & Q2_L1_RESERVED)
		return q2_err_set(err, EUCLEAN, "L1 entry 0x%016llx has reserved bits set", word);
	return q2_l1_entry_decode(geo, word, &offset, NULL, err);
}

/* Compressed entries: spec, "Compressed Clusters Descriptor". */
static int q2_l2_compressed_verify(const struct q2_geometry *geo, u64 word, struct q2_err *err)
{
	if (geo->data_file)
		return q2_err_set(
			err, EUCLEAN,
			"L2 entry 0x%016llx is compressed in an image with an external data file",
			word);
	/*
	 * QEMU reads there, finds the zeroes beyond the end of any file, and
	 * fails to decompress them.
	 */
	if (q2_compressed_host(geo, word) >> Q2_MAX_COMPRESSED_BITS)
		return q2_err_set(err, EUCLEAN,
				  "L2 entry 0x%016llx: the compressed data lie at 2^56 or beyond",
				  word);
	return 0;
}

/* Spec, "Extended L2 Entries". Bit 0 of the first word means nothing here. */
static int q2_l2_bitmap_verify(const struct q2_geometry *geo, u64 word, u64 bitmap,
			       struct q2_err *err)
{
	u32 alloc = bitmap, zero = bitmap >> 32;

	if (!q2_l2_has_cluster(geo, word) && alloc)
		return q2_err_set(
			err, EUCLEAN,
			"L2 entry 0x%016llx has allocated subclusters 0x%08x but no host cluster",
			word, alloc);
	/* Without a host cluster the rule above has caught every case. */
	if (alloc & zero)
		return q2_err_set(
			err, EUCLEAN,
			"L2 entry 0x%016llx has subclusters 0x%08x both allocated and zero", word,
			alloc & zero);
	return 0;
}

int q2_l2_entry_verify(const struct q2_geometry *geo, u64 word, u64 bitmap, struct q2_err *err)
{
	if (word & Q2_L2_COMPRESSED)
		return q2_l2_compressed_verify(geo, word, err);
	if (word & Q2_L2_ZERO && geo->version < 3)
		return q2_err_set(
			err, EUCLEAN,
			"L2 entry 0x%016llx has the zero flag, which version 2 does not have",
			word);
	if (q2_offset_into_cluster(geo, word & Q2_OFFSET_MASK))
		return q2_err_set(
			err, EUCLEAN,
			"L2 entry 0x%016llx: the host cluster is not at a cluster boundary", word);
	if (geo->extended_l2)
		return q2_l2_bitmap_verify(geo, word, bitmap, err);
	return 0;
}

int q2_l2_entry_check(const struct q2_geometry *geo, u64 word, u64 bitmap, struct q2_err *err)
{
	if (word & Q2_L2_COMPRESSED) {
		if (word & Q2_COPIED)
			return q2_err_set(err, EUCLEAN,
					  "L2 entry 0x%016llx is compressed and has COPIED set",
					  word);
		if (geo->extended_l2 && bitmap)
			return q2_err_set(
				err, EUCLEAN,
				"L2 entry 0x%016llx is compressed and has a subcluster bitmap 0x%016llx",
				word, bitmap);
	} else if (word & Q2_L2_RESERVED) {
		return q2_err_set(err, EUCLEAN, "L2 entry 0x%016llx has reserved bits set", word);
	}
	return q2_l2_entry_verify(geo, word, bitmap, err);
}

/* The kind of a cluster that is not compressed, from what its flags say. */
static enum q2_kind q2_l2_kind(bool zero, bool data, bool cluster)
{
	if (zero)
		return cluster ? Q2_ZERO_ALLOCATED : Q2_ZERO;
	return data ? Q2_DATA : Q2_UNALLOCATED;
}

void q2_l2_entry_decode(const struct q2_geometry *geo, u64 word, u64 bitmap,
			unsigned int subcluster, struct q2_mapping *map)
{
	bool cluster = q2_l2_has_cluster(geo, word);

	memset(map, 0, sizeof(*map));
	if (word & Q2_L2_COMPRESSED) {
		map->kind = Q2_COMPRESSED;
		map->host = q2_compressed_host(geo, word);
		map->compressed_size = q2_compressed_bytes(geo, word);
		return;
	}
	if (geo->extended_l2)
		map->kind = q2_l2_kind(bitmap >> (32 + subcluster) & 1, bitmap >> subcluster & 1,
				       cluster);
	else
		map->kind = q2_l2_kind(word & Q2_L2_ZERO, cluster, cluster);
	if (cluster) {
		map->host = word & Q2_OFFSET_MASK;
		map->copied = word & Q2_COPIED;
	}
}

unsigned int q2_l2_run(const struct q2_geometry *geo, u64 word, u64 bitmap, unsigned int subcluster)
{
	u32 alloc = bitmap, zero = bitmap >> 32, same;
	unsigned int n = 1;

	if (!geo->extended_l2)
		return 1;
	if (word & Q2_L2_COMPRESSED)
		return Q2_EXTL2_SUBCLUSTERS - subcluster;

	if (zero >> subcluster & 1)
		same = zero;
	else if (alloc >> subcluster & 1)
		same = alloc;
	else
		same = ~(alloc | zero);
	while (subcluster + n < Q2_EXTL2_SUBCLUSTERS && same >> (subcluster + n) & 1)
		n++;
	return n;
}

u64 q2_compressed_encode(const struct q2_geometry *geo, u64 host, u32 size)
{
	u64 more = ((host + size - 1) >> Q2_SECTOR_BITS) - (host >> Q2_SECTOR_BITS);

	return Q2_L2_COMPRESSED | more << geo->compressed_offset_bits | host;
}
