// SPDX-License-Identifier: GPL-2.0-only
/* L1 and L2 tables: what they refer to, and what is wrong with their entries. */
#include "check-internal.h"
#include "format/l2.h"
#include "progress.h"

/* Tables of the image, whose entries are told apart by their bits alone, as QEMU does here. */
struct l2_table {
	__be64 *words;
	u32 nr;
	u32 words_each;
	bool active;
	u64 expected; /* where the next cluster would not be a fragment; 0: anywhere */
};

static u64 word_at(const struct l2_table *table, u32 i)
{
	return be64_to_cpu(table->words[i * table->words_each]);
}

static u64 bitmap_at(const struct l2_table *table, u32 i)
{
	return table->words_each > 1 ? be64_to_cpu(table->words[i * 2 + 1]) : 0;
}

/* Is there a host cluster, as distinct from a compressed one or none? */
static bool has_cluster(const struct q2_geometry *geo, u64 word)
{
	if (word & Q2_L2_COMPRESSED)
		return false;
	if (word & Q2_OFFSET_MASK)
		return true;
	/* In an external data file offset 0 is a place like any other. */
	return geo->data_file && word & Q2_COPIED && (geo->extended_l2 || !(word & Q2_L2_ZERO));
}

static int new_table(const struct q2_geometry *geo, struct l2_table *table, bool active)
{
	*table = (struct l2_table){
		.words = kvmalloc(geo->cluster_size, GFP_KERNEL),
		.nr = 1U << geo->l2_bits,
		.words_each = 1U << (geo->l2_entry_bits - 3),
		.active = active,
	};
	return table->words ? 0 : -ENOMEM;
}

static void check_compressed(struct check *check, struct l2_table *table, u64 word, u64 bitmap)
{
	const struct q2_geometry *geo = &check->bare->geo;
	struct q2_mapping map;

	if (word & Q2_COPIED)
		check_corrupt(check, "L2 entry 0x%llx is compressed and has COPIED set", word);
	if (geo->data_file) {
		check_corrupt(check, "L2 entry 0x%llx is compressed beside an external data file",
			      word);
		return;
	}
	if (bitmap) {
		check_corrupt(check, "L2 entry 0x%llx is compressed and has a subcluster bitmap",
			      word);
		return;
	}
	q2_l2_entry_decode(geo, word, 0, 0, &map);
	window_reference(check, map.host, map.compressed_size);
	if (!table->active || !check->first_pass)
		return;
	check->res->allocated_clusters++;
	check->res->compressed_clusters++;
	check->res->fragmented_clusters++; /* by nature */
}

static void check_cluster(struct check *check, struct l2_table *table, u64 word, u64 bitmap)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 offset = word & Q2_OFFSET_MASK;

	if (bitmap >> 32 & bitmap)
		check_corrupt(check, "L2 entry 0x%llx has subclusters both allocated and zero",
			      word);
	if (q2_offset_into_cluster(geo, offset))
		check_corrupt(check, "L2 entry 0x%llx: host cluster 0x%llx is not aligned", word,
			      offset);
	if (table->active && check->first_pass) {
		check->res->allocated_clusters++;
		if (table->expected && table->expected != offset)
			check->res->fragmented_clusters++;
		table->expected = offset + geo->cluster_size;
	}
	if (!geo->data_file)
		window_reference(check, offset, geo->cluster_size);
}

static void check_entry(struct check *check, struct l2_table *table, u64 word, u64 bitmap)
{
	const struct q2_geometry *geo = &check->bare->geo;

	if (word & Q2_L2_COMPRESSED) {
		check_compressed(check, table, word, bitmap);
		return;
	}
	if (word & Q2_L2_RESERVED)
		check_corrupt(check, "L2 entry 0x%llx has reserved bits set", word);
	if (has_cluster(geo, word))
		check_cluster(check, table, word, bitmap);
	else if ((u32)bitmap)
		check_corrupt(check, "L2 entry 0x%llx has allocated subclusters and no cluster",
			      word);
}

static int reference_l2(struct check *check, u64 offset, struct l2_table *table)
{
	int ret = q2_file_read(&check->bare->host->file, offset, table->words,
			       check->bare->geo.cluster_size);
	u32 i;

	table->expected = 0;
	for (i = 0; !ret && i < table->nr; i++)
		check_entry(check, table, word_at(table, i), bitmap_at(table, i));
	return ret;
}

static int reference_entries(struct check *check, const __be64 *l1, u32 l1_size, bool active)
{
	const struct q2_geometry *geo = &check->bare->geo;
	struct l2_table table;
	u64 word, offset;
	u32 i;
	int ret = new_table(geo, &table, active);

	for (i = 0; !ret && i < l1_size; i++) {
		progress_update(i, l1_size);
		word = be64_to_cpu(l1[i]);
		if (!word)
			continue;
		if (word & Q2_L1_RESERVED)
			check_corrupt(check, "L1 entry 0x%llx has reserved bits set", word);
		offset = word & Q2_OFFSET_MASK;
		window_reference(check, offset, geo->cluster_size);
		if (q2_offset_into_cluster(geo, offset))
			check_corrupt(check, "L1 entry 0x%llx: the L2 table is not aligned", word);
		ret = reference_l2(check, offset, &table);
	}
	kvfree(table.words);
	return ret;
}

static int read_l1(struct check *check, u64 offset, u32 size, __be64 **l1)
{
	int ret;

	*l1 = kvmalloc_array(size, sizeof(**l1), GFP_KERNEL);
	if (!*l1)
		return -ENOMEM;
	ret = q2_file_read(&check->bare->host->file, offset, *l1, (size_t)size * sizeof(**l1));
	if (ret)
		kvfree(*l1);
	return ret;
}

int tables_reference(struct check *check, u64 l1_offset, u32 l1_size, bool active)
{
	__be64 *l1;
	int ret;

	if (!l1_size)
		return 0;
	window_reference(check, l1_offset, (u64)l1_size * sizeof(*l1));
	ret = read_l1(check, l1_offset, l1_size, &l1);
	if (ret)
		return ret;
	ret = reference_entries(check, l1, l1_size, active);
	kvfree(l1);
	return ret;
}

/*
 * COPIED must say that the refcount is one. What cannot be looked up was told
 * when refcounts were compared.
 */
static void check_flag(struct check *check, const char *what, u64 word)
{
	u64 refcount;

	if (refcounts_get(&check->refcounts,
			  (word & Q2_OFFSET_MASK) >> check->bare->geo.cluster_bits, &refcount))
		return;
	if ((refcount == 1) == !!(word & Q2_COPIED))
		return;
	check_print("ERROR: %s entry 0x%llx has COPIED %s, refcount=%llu", what, word,
		    word & Q2_COPIED ? "set" : "clear", refcount);
	check->res->corruptions++;
}

static int check_flags(struct check *check, u64 offset, struct l2_table *table)
{
	const struct q2_geometry *geo = &check->bare->geo;
	int ret = q2_file_read(&check->bare->host->file, offset, table->words, geo->cluster_size);
	u64 word;
	u32 i;

	for (i = 0; !ret && i < table->nr; i++) {
		word = word_at(table, i);
		if (!has_cluster(geo, word))
			continue;
		if (!geo->data_file) {
			check_flag(check, "L2", word);
		} else if (!(word & Q2_COPIED)) {
			check_print("ERROR: L2 entry 0x%llx of an external data file has COPIED "
				    "clear",
				    word);
			check->res->corruptions++;
		}
	}
	return ret;
}

int tables_check_copied(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	const struct q2_geometry *geo = &check->bare->geo;
	struct l2_table table;
	u64 word, refcount;
	__be64 *l1;
	u32 i;
	int ret;

	if (!hdr->l1_size)
		return 0;
	ret = read_l1(check, hdr->l1_offset, hdr->l1_size, &l1);
	if (ret)
		return ret;
	ret = new_table(geo, &table, true);
	for (i = 0; !ret && i < hdr->l1_size; i++) {
		progress_update(i, hdr->l1_size);
		word = be64_to_cpu(l1[i]);
		if (!(word & Q2_OFFSET_MASK))
			continue;
		if (refcounts_get(&check->refcounts, (word & Q2_OFFSET_MASK) >> geo->cluster_bits,
				  &refcount))
			continue;
		check_flag(check, "L1", word);
		ret = check_flags(check, word & Q2_OFFSET_MASK, &table);
	}
	kvfree(table.words);
	kvfree(l1);
	return ret;
}
