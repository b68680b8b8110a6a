// SPDX-License-Identifier: GPL-2.0-only
/* Input: a byte for the geometry, then entries of 16 bytes. L1, L2, refcount and bitmap table. */
#include "format/bitmap.h"
#include "format/header.h"
#include "format/l2.h"
#include "format/refcount.h"
#include "fuzz.h"

static void mapping_holds(const struct q2_geometry *geo, const struct q2_mapping *map)
{
	HOLDS(map->host < 1ULL << 56);
	if (map->kind == Q2_COMPRESSED) {
		HOLDS(map->compressed_size >= 1 && map->compressed_size <= 2 * geo->cluster_size);
		HOLDS((map->host + map->compressed_size) % 512 == 0);
		HOLDS(!map->copied);
	} else {
		HOLDS(!q2_offset_into_cluster(geo, map->host));
		HOLDS(!map->compressed_size);
	}
	if (map->kind == Q2_ZERO)
		HOLDS(!map->host);
	if (map->kind == Q2_ZERO_ALLOCATED || map->kind == Q2_DATA)
		HOLDS(map->host || geo->data_file);
}

static void l2_entry(const struct q2_geometry *geo, u64 word, u64 bitmap)
{
	unsigned int sub, n, subs = geo->extended_l2 ? 32 : 1;
	struct q2_err err = {""};
	int ret = q2_l2_entry_verify(geo, word, bitmap, &err);

	if (ret) {
		refused(ret, &err);
		HOLDS(q2_l2_entry_check(geo, word, bitmap, NULL) == ret);
		return;
	}
	HOLDS(!err.text[0]);
	ret = q2_l2_entry_check(geo, word, bitmap, &err);
	if (ret)
		refused(ret, &err);
	for (sub = 0; sub < subs; sub += n) {
		struct q2_mapping first, map;
		unsigned int i;

		n = q2_l2_run(geo, word, bitmap, sub);
		HOLDS(n >= 1 && n <= subs - sub);
		q2_l2_entry_decode(geo, word, bitmap, sub, &first);
		mapping_holds(geo, &first);
		for (i = 1; i < n; i++) {
			q2_l2_entry_decode(geo, word, bitmap, sub + i, &map);
			HOLDS(!memcmp(&map, &first, sizeof(map)));
		}
		if (sub + n < subs) {
			q2_l2_entry_decode(geo, word, bitmap, sub + n, &map);
			HOLDS(map.kind != first.kind);
		}
	}
}

static void other_entries(const struct q2_header *hdr, const struct q2_geometry *geo, u64 word)
{
	struct q2_err err = {""};
	bool copied;
	u64 offset;
	int ret;

	ret = q2_l1_entry_decode(geo, word, &offset, &copied, &err);
	if (ret)
		refused(ret, &err);
	else
		HOLDS(!q2_offset_into_cluster(geo, offset) && offset < 1ULL << 56);
	HOLDS(!ret || q2_l1_entry_check(geo, word, NULL));
	ret = q2_reftable_entry_decode(geo, word, &offset, &err);
	if (ret)
		refused(ret, &err);
	else
		HOLDS(offset <= Q2_MAX_OFFSET - geo->cluster_size);
	ret = q2_bitmap_table_entry_decode(hdr, word, &offset, &err);
	if (ret)
		refused(ret, &err);
	else
		HOLDS(!q2_offset_into_cluster(geo, offset) && offset < 1ULL << 56);
}

/* Blocks of 4 KiB at most: larger ones cost time and show nothing more. */
static void refcount(const struct q2_geometry *geo, u64 word, u64 value)
{
	u8 *block;
	u32 index = word & ((1U << geo->refblock_bits) - 1);

	if (geo->cluster_bits > 12)
		return;
	block = malloc(geo->cluster_size);
	memset(block, 0xa5, geo->cluster_size);
	value &= q2_refcount_max(geo);
	q2_refcount_set(geo, block, index, value);
	HOLDS(q2_refcount_get(geo, block, index) == value);
	free(block);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct q2_header hdr = {.version = 3};
	struct q2_geometry geo;
	u32 choice = take(&data, &len, 2);

	hdr.cluster_bits = 9 + choice % 13;
	hdr.refcount_order = choice / 13 % 7;
	hdr.version = choice >> 13 & 1 ? 2 : 3;
	if (hdr.version == 3 && hdr.cluster_bits >= 14 && choice >> 14 & 1)
		hdr.incompatible |= Q2_INCOMPAT_EXTL2;
	if (hdr.version == 3 && choice >> 15 & 1)
		hdr.incompatible |= Q2_INCOMPAT_DATA_FILE;
	q2_header_geometry(&hdr, &geo);
	while (len) {
		u64 word = take(&data, &len, 8), bitmap = take(&data, &len, 8);

		l2_entry(&geo, word, bitmap);
		other_entries(&hdr, &geo, word);
		refcount(&geo, word, bitmap);
	}
	return 0;
}
