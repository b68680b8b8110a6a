// SPDX-License-Identifier: GPL-2.0-only
/* Input: cluster 0. The header, its extensions, and the header written again. */
#include "format/header.h"
#include "format/overlap.h"
#include "fuzz.h"

static void in_first_cluster(const struct q2_header *hdr, const struct q2_span *span)
{
	HOLDS(!span->length || (u64)span->offset + span->length <= 1U << hdr->cluster_bits);
}

static void below_the_end(u64 offset, u64 bytes)
{
	HOLDS(offset <= Q2_MAX_OFFSET && bytes <= Q2_MAX_OFFSET - offset);
}

/* What the header promises of its members. */
static void members_hold(const struct q2_header *hdr)
{
	struct q2_geometry geo;

	HOLDS(hdr->version == 2 || hdr->version == 3);
	HOLDS(hdr->cluster_bits >= 9 && hdr->cluster_bits <= 21);
	HOLDS(hdr->refcount_order <= 6);
	HOLDS(hdr->size <= Q2_MAX_OFFSET && hdr->size % 512 == 0);
	HOLDS(!(hdr->incompatible & ~Q2_INCOMPAT_KNOWN));
	below_the_end(hdr->l1_offset, hdr->l1_size * 8ULL);
	below_the_end(hdr->refcount_table_offset,
		      (u64)hdr->refcount_table_clusters << hdr->cluster_bits);
	below_the_end(hdr->snapshots_offset, hdr->nb_snapshots * 40ULL);
	q2_header_geometry(hdr, &geo);
	HOLDS(!hdr->size || q2_l1_index(&geo, hdr->size - 1) < hdr->l1_size);
	HOLDS(geo.subcluster_bits >= 9);
	HOLDS(hdr->has_backing == (hdr->backing.length > 0));
	in_first_cluster(hdr, &hdr->backing);
}

static void extensions_hold(const struct q2_header *hdr)
{
	in_first_cluster(hdr, &hdr->backing);
	in_first_cluster(hdr, &hdr->backing_format);
	in_first_cluster(hdr, &hdr->data_file);
	in_first_cluster(hdr, &hdr->extensions);
	HOLDS(hdr->backing_format.length <= 15);
	HOLDS(hdr->has_backing == (hdr->backing.length > 0));
	below_the_end(hdr->crypto_offset, hdr->crypto_length);
	below_the_end(hdr->bitmap_directory_offset, hdr->bitmap_directory_size);
	HOLDS((hdr->crypt_method == Q2_CRYPT_LUKS) == (hdr->crypto_length > 0));
}

/* Written again, it reads the same. */
static void survives_writing(const struct q2_header *hdr)
{
	u8 buf[Q2_V3_HEADER_FULL] = {0};
	struct q2_header again;

	q2_header_encode(hdr, buf);
	HOLDS(!q2_header_decode(buf, sizeof(buf), &again, NULL));
	HOLDS(!memcmp(&again, hdr, sizeof(again)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct q2_err err = {""};
	struct q2_header hdr;
	int ret;

	ret = q2_header_decode(data, len, &hdr, &err);
	if (ret) {
		refused(ret, &err);
		return 0;
	}
	members_hold(&hdr);
	survives_writing(&hdr);
	ret = q2_header_decode_extensions(data, min(len, (size_t)1 << hdr.cluster_bits), &hdr,
					  &err);
	if (ret) {
		refused(ret, &err);
		return 0;
	}
	extensions_hold(&hdr);
	ret = q2_verify_overlap(&hdr, hdr.size, Q2_OVERLAP_ALL, hdr.compatible, hdr.autoclear,
				&err);
	if (ret)
		refused(ret, &err);
	return 0;
}
