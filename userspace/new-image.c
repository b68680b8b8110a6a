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

static int check_options(const struct new_image *image)
{
	u32 least = image->extended_l2 ? Q2_EXTL2_MIN_CLUSTER_BITS : Q2_MIN_CLUSTER_BITS;

	if (image->cluster_bits < least || image->cluster_bits > Q2_MAX_CLUSTER_BITS)
		return say("cluster_size must be from %u to 2M%s", 1U << least,
			   image->extended_l2 ? " with extended_l2" : "");
	if (image->preallocation != PREALLOC_OFF && image->backing && !image->extended_l2)
		return say("preallocation with a backing file needs extended_l2=on: without "
			   "subclusters the clusters would hide the backing file");
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

static int lay_out(struct image_plan *plan)
{
	const struct q2_geometry *geo = &plan->geo;
	u64 entries = geo->cluster_size / sizeof(u64), before, clusters = 0;
	u64 l1_size = DIV_ROUND_UP_ULL(plan->hdr.size, q2_l2_coverage(geo));

	if (l1_size > Q2_MAX_L1_BYTES / sizeof(u64))
		return say(
			"a disk of %llu bytes is too large for clusters of %u bytes; give a larger "
			"cluster_size",
			plan->hdr.size, geo->cluster_size);
	plan->hdr.l1_size = l1_size;
	plan->l1 = DIV_ROUND_UP_ULL(l1_size, entries);
	if (plan->image->preallocation != PREALLOC_OFF) {
		plan->l2 = l1_size;
		plan->data = DIV_ROUND_UP_ULL(plan->hdr.size, geo->cluster_size);
	}
	plan->table = 1;
	plan->blocks = 1;
	/* The refcounts count themselves: grow until they have room for all. */
	do {
		before = clusters;
		clusters = 1 + plan->table + plan->blocks + plan->l1 + plan->l2 + plan->data;
		plan->blocks = DIV_ROUND_UP_ULL(clusters, 1ULL << geo->refblock_bits);
		plan->table = DIV_ROUND_UP_ULL(plan->blocks, entries);
	} while (clusters != before);
	if (plan->table << geo->cluster_bits > Q2_MAX_REFTABLE_BYTES)
		return say("storage for %llu bytes needs a refcount table of more than %u MiB; "
			   "give a larger cluster_size",
			   plan->hdr.size, Q2_MAX_REFTABLE_BYTES >> 20);
	plan->bytes = clusters << geo->cluster_bits;
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

/* Words of a table whose entries are consecutive clusters from @first on, which ends after @nr. */
static void fill_words(const struct q2_geometry *geo, void *buf, u64 index, u64 first, u64 nr,
		       u64 flags)
{
	__be64 *words = buf;
	u64 entries = geo->cluster_size / sizeof(u64), i;

	for (i = 0; i < entries && index + i < nr; i++)
		words[i] = cpu_to_be64((first + index + i) << geo->cluster_bits | flags);
}

static void fill_refblock(const struct image_plan *plan, void *buf, u64 first)
{
	const struct q2_geometry *geo = &plan->geo;
	u64 end = DIV_ROUND_UP_ULL(plan->bytes, geo->cluster_size);
	u32 i;

	for (i = 0; i < 1U << geo->refblock_bits && first + i < end; i++)
		q2_refcount_set(geo, buf, i, 1);
}

/*
 * Each guest cluster has a host cluster. With subclusters none of them is
 * allocated yet: what is below shows, and nothing has to be zeroed.
 */
static void fill_l2(const struct image_plan *plan, void *buf, u64 first, u64 data)
{
	const struct q2_geometry *geo = &plan->geo;
	u32 each = 1U << (geo->l2_entry_bits - 3), i;
	u64 flags = Q2_COPIED;
	__be64 *words = buf;

	if (plan->image->zero_flags && !geo->extended_l2)
		flags |= Q2_L2_ZERO;
	for (i = 0; i < 1U << geo->l2_bits && first + i < plan->data; i++)
		words[i * each] = cpu_to_be64((data + first + i) << geo->cluster_bits | flags);
}

static void fill_cluster(const struct image_plan *plan, u64 cluster, void *buf)
{
	const struct q2_geometry *geo = &plan->geo;
	u64 entries = geo->cluster_size / sizeof(u64), blocks = 1 + plan->table;
	u64 l1 = blocks + plan->blocks, l2 = l1 + plan->l1, data = l2 + plan->l2;

	memset(buf, 0, geo->cluster_size);
	if (!cluster)
		memcpy(buf, plan->cluster_0, geo->cluster_size);
	else if (cluster < blocks)
		fill_words(geo, buf, (cluster - 1) * entries, blocks, plan->blocks, 0);
	else if (cluster < l1)
		fill_refblock(plan, buf, (cluster - blocks) << geo->refblock_bits);
	else if (cluster < l2)
		fill_words(geo, buf, (cluster - l1) * entries, l2, plan->l2, Q2_COPIED);
	else if (cluster < data)
		fill_l2(plan, buf, (cluster - l2) << geo->l2_bits, data);
}

void image_plan_bytes(const struct image_plan *plan, u64 offset, void *buf, size_t len)
{
	u32 size = plan->geo.cluster_size;
	u8 *to = buf;

	for (; len; len -= size, offset += size, to += size)
		fill_cluster(plan, offset >> plan->geo.cluster_bits, to);
}

int image_plan_make(const struct new_image *image, struct image_plan *plan)
{
	struct q2_header *hdr = &plan->hdr;

	*plan = (struct image_plan){.image = image};
	if (check_options(image))
		return -1;
	fill_header(image, hdr);
	q2_header_geometry(hdr, &plan->geo);
	if (lay_out(plan))
		return -1;
	hdr->refcount_table_offset = plan->geo.cluster_size;
	hdr->refcount_table_clusters = plan->table;
	if (hdr->l1_size)
		hdr->l1_offset = (1 + plan->table + plan->blocks) << hdr->cluster_bits;
	plan->meta_bytes = plan->bytes - (plan->data << hdr->cluster_bits);
	if (!plan->l2) {
		/* The last cluster need not be there whole. */
		plan->meta_bytes = ((1 + plan->table + plan->blocks) << hdr->cluster_bits) +
				   hdr->l1_size * sizeof(u64);
		plan->bytes = plan->meta_bytes;
	}
	plan->cluster_0 = xalloc(plan->geo.cluster_size);
	if (!write_cluster_0(image, hdr, plan->cluster_0))
		return 0;
	image_plan_free(plan);
	return -1;
}

void image_plan_free(struct image_plan *plan)
{
	free(plan->cluster_0);
	plan->cluster_0 = NULL;
}
