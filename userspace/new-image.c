// SPDX-License-Identifier: GPL-2.0-only
#include "format/refcount.h"
#include "new-image.h"
#include "say.h"

/* The names of the features, for programs that do not know one of them. */
static const struct q2_disk_feature_name feature_names[] = {
	{0, 0, "dirty bit"},	    {0, 1, "corrupt bit"},	   {0, 2, "external data file"},
	{0, 3, "compression type"}, {0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
	{2, 0, "bitmaps"},	    {2, 1, "raw external data"},
};

/* As QEMU: with small clusters they would leave no room for the backing file's name. */
#define FEATURE_NAMES_ABOVE 4096U

/* Where everything goes, in clusters. */
struct layout {
	u64 table;  /* clusters of the refcount table */
	u64 blocks; /* refcount blocks */
	u64 l1_size;
	u64 l1; /* clusters of the L1 table */
	u64 clusters;
};

static int check_options(const struct new_image *image)
{
	u32 least = image->extended_l2 ? Q2_EXTL2_MIN_CLUSTER_BITS : Q2_MIN_CLUSTER_BITS;

	if (image->cluster_bits < least || image->cluster_bits > Q2_MAX_CLUSTER_BITS)
		return say("cluster_size must be from %u to 2M%s", 1U << least,
			   image->extended_l2 ? " with extended_l2" : "");
	if (image->version >= 3)
		return 0;
	if (image->extended_l2)
		return say("extended_l2 needs compat=1.1");
	if (image->lazy_refcounts)
		return say("lazy_refcounts needs compat=1.1");
	if (image->refcount_order != 4)
		return say("refcount_bits other than 16 need compat=1.1");
	if (image->compression_type != Q2_COMPRESSION_DEFLATE)
		return say("compression_type other than zlib needs compat=1.1");
	return 0;
}

static int plan(const struct q2_header *hdr, const struct q2_geometry *geo, struct layout *layout)
{
	u64 entries = geo->cluster_size / sizeof(u64), before;

	layout->l1_size = DIV_ROUND_UP_ULL(hdr->size, q2_l2_coverage(geo));
	if (layout->l1_size > Q2_MAX_L1_BYTES / sizeof(u64))
		return say(
			"a disk of %llu bytes is too large for clusters of %u bytes; give a larger "
			"cluster_size",
			hdr->size, geo->cluster_size);
	layout->l1 = DIV_ROUND_UP_ULL(layout->l1_size, entries);
	layout->table = 1;
	layout->blocks = 1;
	/* The refcounts count themselves: grow until they have room for all. */
	do {
		before = layout->clusters;
		layout->clusters = 1 + layout->table + layout->blocks + layout->l1;
		layout->blocks = DIV_ROUND_UP_ULL(layout->clusters, 1ULL << geo->refblock_bits);
		layout->table = DIV_ROUND_UP_ULL(layout->blocks, entries);
	} while (layout->clusters != before);
	return 0;
}

static void fill_header(const struct new_image *image, struct q2_header *hdr)
{
	*hdr = (struct q2_header){
		.version = image->version,
		.cluster_bits = image->cluster_bits,
		.size = image->size,
		.refcount_order = image->refcount_order,
		.compression_type = image->compression_type,
		.header_length = image->version < 3 ? Q2_V2_HEADER_LENGTH : Q2_V3_HEADER_FULL,
	};
	if (image->lazy_refcounts)
		hdr->compatible |= Q2_COMPAT_LAZY_REFCOUNTS;
	if (image->extended_l2)
		hdr->incompatible |= Q2_INCOMPAT_EXTL2;
	if (image->compression_type != Q2_COMPRESSION_DEFLATE)
		hdr->incompatible |= Q2_INCOMPAT_COMPRESSION;
}

/* Add an extension at *@at if it fits before @end. */
static bool add_extension(u8 *buf, size_t *at, size_t end, u32 type, const void *data, size_t len)
{
	struct q2_disk_ext ext = {cpu_to_be32(type), cpu_to_be32((u32)len)};
	size_t need = sizeof(ext) + round_up(len, (size_t)8);

	if (need > end - *at)
		return false;
	memcpy(buf + *at, &ext, sizeof(ext));
	if (len)
		memcpy(buf + *at + sizeof(ext), data, len);
	*at += need;
	return true;
}

/* Extensions and the backing file's name, behind the fixed header in cluster 0. */
static int write_cluster_0(const struct new_image *image, struct q2_header *hdr, u8 *buf)
{
	size_t at = hdr->header_length, end = 1UL << hdr->cluster_bits;
	size_t name = image->backing ? strlen(image->backing) : 0;
	bool fits = true;

	if (image->backing_format)
		fits = add_extension(buf, &at, end, Q2_EXT_BACKING_FORMAT, image->backing_format,
				     strlen(image->backing_format));
	if (fits && image->version >= 3 && end > FEATURE_NAMES_ABOVE)
		fits = add_extension(buf, &at, end, Q2_EXT_FEATURE_NAMES, feature_names,
				     sizeof(feature_names));
	if (fits)
		fits = add_extension(buf, &at, end, Q2_EXT_END, NULL, 0);
	if (!fits || name > end - at)
		return say(
			"the name of the backing file does not fit into the first cluster of %zu "
			"bytes; give a larger cluster_size",
			end);
	if (name) {
		memcpy(buf + at, image->backing, name);
		hdr->backing = (struct q2_span){at, name};
		hdr->has_backing = true;
	}
	q2_header_encode(hdr, buf);
	return 0;
}

static void write_refcounts(const struct layout *layout, const struct q2_header *hdr,
			    const struct q2_geometry *geo, u8 *buf)
{
	__be64 *table = (__be64 *)(buf + hdr->refcount_table_offset);
	u64 first = 1 + layout->table, i;
	u8 *blocks = buf + (first << geo->cluster_bits);

	for (i = 0; i < layout->blocks; i++)
		table[i] = cpu_to_be64((first + i) << geo->cluster_bits);
	for (i = 0; i < layout->clusters; i++)
		q2_refcount_set(geo, blocks + ((i >> geo->refblock_bits) << geo->cluster_bits),
				i & ((1U << geo->refblock_bits) - 1), 1);
}

void *new_image_build(const struct new_image *image, size_t *len)
{
	struct layout layout = {0};
	struct q2_geometry geo;
	struct q2_header hdr;
	void *buf;

	if (check_options(image))
		return NULL;
	fill_header(image, &hdr);
	q2_header_geometry(&hdr, &geo);
	if (plan(&hdr, &geo, &layout))
		return NULL;
	hdr.refcount_table_offset = geo.cluster_size;
	hdr.refcount_table_clusters = layout.table;
	hdr.l1_size = layout.l1_size;
	if (layout.l1_size)
		hdr.l1_offset = (1 + layout.table + layout.blocks) << geo.cluster_bits;

	buf = kvzalloc(round_up(layout.clusters << geo.cluster_bits, 4096ULL), GFP_KERNEL);
	if (!buf) {
		say("out of memory");
		return NULL;
	}
	if (write_cluster_0(image, &hdr, buf)) {
		kvfree(buf);
		return NULL;
	}
	write_refcounts(&layout, &hdr, &geo, buf);
	/* The last cluster need not be there whole. */
	*len = ((1 + layout.table + layout.blocks) << geo.cluster_bits) +
	       layout.l1_size * sizeof(u64);
	return buf;
}
