// SPDX-License-Identifier: GPL-2.0-only
/* Refcounts of every width, and refcount table entries. */
#include "format/refcount.h"

u64 q2_refcount_get(const struct q2_geometry *geo, const void *block, u32 index)
{
	const u8 *bytes = block;
	unsigned int bits = 1U << geo->refcount_order;
	size_t at = (size_t)index << geo->refcount_order >> 3;
	__be16 v16;
	__be32 v32;
	__be64 v64;

	switch (geo->refcount_order) {
	case 4:
		memcpy(&v16, bytes + at, sizeof(v16));
		return be16_to_cpu(v16);
	case 5:
		memcpy(&v32, bytes + at, sizeof(v32));
		return be32_to_cpu(v32);
	case 6:
		memcpy(&v64, bytes + at, sizeof(v64));
		return be64_to_cpu(v64);
	default:
		return bytes[at] >> (index * bits & 7) & ((1U << bits) - 1);
	}
}

void q2_refcount_set(const struct q2_geometry *geo, void *block, u32 index, u64 value)
{
	u8 *bytes = block;
	unsigned int bits = 1U << geo->refcount_order;
	size_t at = (size_t)index << geo->refcount_order >> 3;
	unsigned int shift, mask;
	__be16 v16;
	__be32 v32;
	__be64 v64;

	switch (geo->refcount_order) {
	case 4:
		v16 = cpu_to_be16(value);
		memcpy(bytes + at, &v16, sizeof(v16));
		break;
	case 5:
		v32 = cpu_to_be32(value);
		memcpy(bytes + at, &v32, sizeof(v32));
		break;
	case 6:
		v64 = cpu_to_be64(value);
		memcpy(bytes + at, &v64, sizeof(v64));
		break;
	default:
		shift = index * bits & 7;
		mask = (1U << bits) - 1;
		bytes[at] = (bytes[at] & ~(mask << shift)) | (value & mask) << shift;
		break;
	}
}

int q2_reftable_entry_decode(const struct q2_geometry *geo, u64 word, u64 *offset,
			     struct q2_err *err)
{
	u64 block = word & Q2_REFTABLE_OFFSET_MASK;

	if (word != block)
		return q2_err_set(err, EUCLEAN,
				  "refcount table entry 0x%016llx has reserved bits set", word);
	if (q2_offset_into_cluster(geo, block))
		return q2_err_set(
			err, EUCLEAN,
			"refcount table entry 0x%016llx: the block is not at a cluster boundary",
			word);
	if (block > Q2_MAX_OFFSET - geo->cluster_size)
		return q2_err_set(
			err, EUCLEAN,
			"refcount table entry 0x%016llx: the block is beyond any possible file",
			word);
	*offset = block;
	return 0;
}
