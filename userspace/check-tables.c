// SPDX-License-Identifier: GPL-2.0-only
/* L1 and L2 tables: what they refer to, and what is wrong with their entries. */
#include "check-internal.h"
#include "format/l2.h"
#include "format/overlap.h"
#include "progress.h"

/* Tables of the image, whose entries are told apart by their bits alone, as QEMU does here. */
struct l2_table {
	__be64 *words;
	u32 nr;
	u32 words_each;
	bool active;
	u64 offset;   /* of the table */
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
		check->unfollowed = true;
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

/* May a table be written there, or would that be over another structure? */
static int verify_place(struct check *check, unsigned int which, u64 offset, u64 len)
{
	const struct q2_geometry *geo = &check->bare->geo;
	struct q2_err err;
	u64 block, i;

	if (q2_verify_overlap(&check->bare->hdr, check->snaps->len, which, offset, len, &err))
		return q2_err_set(&check->err, EUCLEAN, "a table is not written: %s", err.text);
	for (i = 0; i < check->snaps->nr; i++) {
		const struct q2_snapshot *snap = &check->snaps->snap[i];

		if (offset < snap->l1_offset + (u64)snap->l1_size * sizeof(u64) &&
		    snap->l1_offset < offset + len)
			return q2_err_set(&check->err, EUCLEAN,
					  "the table at 0x%llx is the L1 table of a snapshot, too",
					  offset);
	}
	for (i = 0; i < check->refcounts.nr_blocks; i++)
		if (!refcounts_block(&check->refcounts, i, &block) && block &&
		    offset < block + geo->cluster_size && block < offset + len)
			return q2_err_set(&check->err, EUCLEAN,
					  "the table at 0x%llx is a refcount block, too", offset);
	return 0;
}

static int write_l2(struct check *check, const struct l2_table *table)
{
	int ret = verify_place(check, Q2_OVERLAP_ALL, table->offset, check->bare->geo.cluster_size);

	return ret ? ret
		   : q2_file_write(&check->bare->host->file, table->offset, table->words,
				   check->bare->geo.cluster_size);
}

/*
 * An entry that reads zeroes and keeps a cluster at an impossible place: without
 * that cluster it reads the same. As QEMU: subclusters that were allocated would
 * become zeroes, but there are none (see the caller).
 */
static int zero_entry(struct check *check, struct l2_table *table, u32 i)
{
	__be64 *word = &table->words[i * table->words_each];
	int ret;

	check_print("Repairing L2 entry 0x%llx: it reads zeroes, and its cluster is not aligned",
		    be64_to_cpu(*word));
	*word = cpu_to_be64(table->words_each > 1 ? 0 : Q2_L2_ZERO);
	ret = write_l2(check, table);
	if (!ret)
		check->res->corruptions_fixed++;
	return ret;
}

/* Can the entry be mended by zero_entry()? */
static bool is_misplaced_zero(const struct q2_geometry *geo, u64 word, u64 bitmap)
{
	if (!q2_offset_into_cluster(geo, word & Q2_OFFSET_MASK))
		return false;
	return geo->extended_l2 ? !(u32)bitmap : word & Q2_L2_ZERO;
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

static int check_entry(struct check *check, struct l2_table *table, u32 i)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 word = word_at(table, i), bitmap = bitmap_at(table, i);

	if (word & Q2_L2_COMPRESSED) {
		check_compressed(check, table, word, bitmap);
		return 0;
	}
	if (word & Q2_L2_RESERVED)
		check_corrupt(check, "L2 entry 0x%llx has reserved bits set", word);
	if (has_cluster(geo, word)) {
		if (check->fix == REPAIR_ALL && is_misplaced_zero(geo, word, bitmap))
			return zero_entry(check, table, i);
		check_cluster(check, table, word, bitmap);
	} else if ((u32)bitmap) {
		check_corrupt(check, "L2 entry 0x%llx has allocated subclusters and no cluster",
			      word);
	}
	return 0;
}

static int reference_l2(struct check *check, u64 offset, struct l2_table *table)
{
	int ret = q2_file_read(&check->bare->host->file, offset, table->words,
			       check->bare->geo.cluster_size);
	u32 i;

	table->offset = offset;
	table->expected = 0;
	for (i = 0; !ret && i < table->nr; i++)
		ret = check_entry(check, table, i);
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

/* The refcount that the flag must agree with. Return: 0 or -errno, if nobody can tell. */
static int refcount_for(struct check *check, enum copied_pass pass, u64 cluster, u64 *refcount)
{
	int ret = refcounts_get(&check->refcounts, cluster, refcount);

	if (pass == COPIED_JUDGE || cluster >= check->nr_clusters)
		return ret;
	*refcount = window_target(check, cluster, ret ? 0 : *refcount);
	return 0;
}

/*
 * COPIED must say that the refcount is one. What cannot be looked up was told
 * when refcounts were compared. Return: true if *@word has been changed.
 */
static bool copied_flag(struct check *check, enum copied_pass pass, bool l2, u64 *word)
{
	const char *what = l2 ? "L2" : "L1";
	u64 refcount = 1;

	/* Clusters of an external data file have no refcounts: nobody shares them. */
	if (!(l2 && check->bare->geo.data_file) &&
	    refcount_for(check, pass, (*word & Q2_OFFSET_MASK) >> check->bare->geo.cluster_bits,
			 &refcount))
		return false;
	if ((refcount == 1) == !!(*word & Q2_COPIED))
		return false;
	if (pass == COPIED_JUDGE) {
		check_found(check, "%s entry 0x%llx has COPIED %s, refcount=%llu", what, *word,
			    *word & Q2_COPIED ? "set" : "clear", refcount);
		return false;
	}
	if ((pass == COPIED_CLEAR) != !!(*word & Q2_COPIED))
		return false;
	check_print("Repairing %s entry 0x%llx: COPIED %s, refcount=%llu", what, *word,
		    *word & Q2_COPIED ? "set" : "clear", refcount);
	*word ^= Q2_COPIED;
	return true;
}

static int copied_flags_of_l2(struct check *check, enum copied_pass pass, u64 offset,
			      struct l2_table *table)
{
	const struct q2_geometry *geo = &check->bare->geo;
	int ret = q2_file_read(&check->bare->host->file, offset, table->words, geo->cluster_size);
	u64 word, changed = 0;
	u32 i;

	table->offset = offset;
	for (i = 0; !ret && i < table->nr; i++) {
		word = word_at(table, i);
		if (!has_cluster(geo, word) || !copied_flag(check, pass, true, &word))
			continue;
		table->words[i * table->words_each] = cpu_to_be64(word);
		changed++;
	}
	if (!ret && changed)
		ret = write_l2(check, table);
	if (!ret)
		check->res->corruptions_fixed += changed;
	return ret;
}

static int write_l1_entry(struct check *check, u32 i, u64 word)
{
	u64 offset = check->bare->hdr.l1_offset + (u64)i * sizeof(u64);
	__be64 disk = cpu_to_be64(word);
	int ret = verify_place(check, Q2_OVERLAP_ALL & ~Q2_OVERLAP_L1, offset, sizeof(disk));

	if (!ret)
		ret = q2_file_write(&check->bare->host->file, offset, &disk, sizeof(disk));
	if (!ret)
		check->res->corruptions_fixed++;
	return ret;
}

/* One L1 entry and the table behind it. */
static int copied_flags(struct check *check, enum copied_pass pass, u32 i, u64 word,
			struct l2_table *table)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 refcount;
	int ret = 0;

	if (refcount_for(check, pass, (word & Q2_OFFSET_MASK) >> geo->cluster_bits, &refcount))
		return 0;
	/* A table at an impossible place is not written: who knows what is there. */
	if (pass != COPIED_JUDGE && q2_offset_into_cluster(geo, word & Q2_OFFSET_MASK))
		return 0;
	if (copied_flag(check, pass, false, &word))
		ret = write_l1_entry(check, i, word);
	return ret ? ret : copied_flags_of_l2(check, pass, word & Q2_OFFSET_MASK, table);
}

int tables_copied(struct check *check, enum copied_pass pass)
{
	const struct q2_header *hdr = &check->bare->hdr;
	struct l2_table table;
	u64 word;
	__be64 *l1;
	u32 i;
	int ret;

	if (!hdr->l1_size)
		return 0;
	ret = read_l1(check, hdr->l1_offset, hdr->l1_size, &l1);
	if (ret)
		return ret;
	ret = new_table(&check->bare->geo, &table, true);
	for (i = 0; !ret && i < hdr->l1_size; i++) {
		progress_update(i, hdr->l1_size);
		word = be64_to_cpu(l1[i]);
		if (word & Q2_OFFSET_MASK)
			ret = copied_flags(check, pass, i, word, &table);
	}
	kvfree(table.words);
	kvfree(l1);
	return ret;
}
