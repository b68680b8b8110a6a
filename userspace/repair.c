// SPDX-License-Identifier: GPL-2.0-only
/*
 * The repair of an image.
 *
 * It mends what QEMU's mends: refcounts that are not what the references make,
 * refcount tables and blocks that are missing or cannot be used, COPIED flags that
 * contradict the refcounts, entries that read zeroes and keep a cluster at an
 * impossible place, entries of the snapshot table that are too short. Reserved bits,
 * other entries at impossible places and those past the end of the file are told of
 * and left: nobody knows what they meant. A refcount table or block whose cluster
 * something else refers to is given up to that.
 *
 * Nothing in use is ever written over but with its own mended self, and each step is
 * durable before the next begins, so that the image is never worse than it was:
 *
 * 1. New tables go where nothing is, and nothing refers to them. Entries that read
 *    zeroes lose the impossible cluster; what its refcount was is a leak now.
 * 2. Refcounts go up. One that is too high is a leak; one that is too low is a
 *    cluster that will be given away while it is in use.
 * 3. One write of 24 bytes in the header switches to the new tables, refcounts and
 *    snapshots both. New refcounts are right from the start.
 * 4. COPIED goes where more than one reference is. Before step 2 it would have been
 *    wrong: without the flag a write drops a reference, of those that are counted.
 * 5. Refcounts go down: whatever referred to these clusters is gone since step 1 or 3.
 * 6. COPIED comes where one reference is and the refcount says so.
 * 7. If a new check finds no corruption, the image is marked neither dirty nor corrupt.
 *
 * Without COPIED a cluster is copied when it is written, and no more: between steps 4
 * and 6 `qemu-img check` counts the missing flags, but they endanger nothing.
 */
#include "check-internal.h"
#include "progress.h"
#include "say.h"

/**
 * struct place - where new refcount blocks and the new refcount table go
 * @first: cluster of the table
 * @table: clusters of it; the blocks follow
 * @blocks: how many
 * @needed: for each block of the file's clusters: is there anything to count?
 * @nr_needed: entries of @needed
 */
struct place {
	u64 first;
	u64 table;
	u64 blocks;
	bool *needed;
	u64 nr_needed;
};

static struct q2_file *file_of(struct check *check)
{
	return &check->bare->host->file;
}

/* Is the run of clusters free? If not, *@used is one that is not. */
static bool run_is_free(const struct check *check, u64 first, u64 nr, u64 *used)
{
	u64 i;

	for (i = first + nr; i-- > first;) {
		if (!window_has(&check->window, i) || !window_get(&check->window, i))
			continue;
		*used = i;
		return false;
	}
	return true;
}

static bool find_between(const struct check *check, u64 from, u64 end, u64 nr, u64 *first)
{
	u64 used;

	for (*first = from; *first + nr <= end; *first = used + 1)
		if (run_is_free(check, *first, nr, &used))
			return true;
	return false;
}

/*
 * A run of clusters that nothing refers to: behind the end of a file, so that not
 * even lost data are written over; on a device behind the last cluster in use; or
 * wherever it fits. What refers to clusters beyond the end stays broken: the file
 * must not grow so far, or it would refer to the new tables. Return: 0 or -ENOSPC.
 */
static int find_run(struct check *check, u64 nr, u64 *first)
{
	u64 limit = file_of(check)->limit >> check->bare->geo.cluster_bits;
	u64 from = check->bare->host->block ? check->highest + 1 : check->nr_clusters;

	limit = min(limit, check->dangling);
	if (find_between(check, from, limit, nr, first) ||
	    find_between(check, 1, min(limit, check->file_clusters), nr, first))
		return 0;
	return q2_err_set(&check->err, ENOSPC, "there is no room for new tables");
}

/* Version 3 wants each entry of the snapshot table to say how large the disk was. */
static bool snapshots_need_repair(const struct check *check)
{
	unsigned int i;

	if (check->mend_snapshots)
		return true;
	for (i = 0; i < check->snaps->nr; i++)
		if (check->snaps->snap[i].extra.length <
		    offsetof(struct q2_disk_snapshot_extra, icount))
			return check->bare->hdr.version >= 3;
	return false;
}

static size_t snapshots_encoded_size(const struct q2_snapshots *snaps)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < snaps->nr; i++)
		size += q2_snapshot_encoded_size(&snaps->snap[i]);
	return size;
}

static bool has_refblock(const struct check *check, u64 cluster)
{
	u64 offset;

	return !refcounts_block(&check->refcounts, cluster >> check->bare->geo.refblock_bits,
				&offset) &&
	       offset;
}

/* Step 1 for the snapshot table. Its clusters are counted, those of the old one no more. */
static int write_snapshots(struct check *check)
{
	const struct q2_snapshots *snaps = check->snaps;
	size_t size = snapshots_encoded_size(snaps), at = 0;
	u64 first;
	unsigned int i;
	u8 *buf;
	int ret;

	if (size > Q2_MAX_SNAPSHOT_TABLE_BYTES)
		return 0;
	ret = find_run(check, DIV_ROUND_UP_ULL(size, check->bare->geo.cluster_size), &first);
	if (ret)
		return ret;
	check_print("Repairing the snapshot table");
	buf = kvmalloc(size, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	for (i = 0; i < snaps->nr; i++) {
		q2_snapshot_encode(&snaps->snap[i], snaps->table, buf + at);
		at += q2_snapshot_encoded_size(&snaps->snap[i]);
	}
	check->snapshots_offset = first << check->bare->geo.cluster_bits;
	check->snapshots_bytes = size;
	ret = q2_file_write(file_of(check), check->snapshots_offset, buf, size);
	kvfree(buf);
	if (ret)
		return ret;
	/* From here on the window has them, so that nothing else is put there. */
	window_reference(check, check->snapshots_offset, size);
	for (i = 0; i < DIV_ROUND_UP_ULL(size, check->bare->geo.cluster_size); i++)
		if (!has_refblock(check, first + i))
			check->rebuild = true;
	check->res->corruptions_fixed++;
	return 0;
}

/* Count again what a repair leaves. What is wrong has been told. */
static int recount(struct check *check)
{
	check->silent = true;
	return check_count(check);
}

/* What the old refcounts say, where they can be read. */
static u64 old_refcount(struct check *check, u64 cluster)
{
	u64 refcount;

	return refcounts_get(&check->refcounts, cluster, &refcount) ? 0 : refcount;
}

static u64 new_refcount(struct check *check, const struct place *place, u64 cluster)
{
	if (cluster >= place->first && cluster - place->first < place->table + place->blocks)
		return 1;
	/* If nothing is unfollowed the old one does not matter: spare the reading. */
	return window_target(check, cluster, check->unfollowed ? old_refcount(check, cluster) : 0);
}

static int find_needed(struct check *check, struct place *place)
{
	u32 bits = check->bare->geo.refblock_bits;
	u64 i;

	place->nr_needed = (check->nr_clusters >> bits) + 1;
	place->needed = kvcalloc(place->nr_needed, sizeof(bool), GFP_KERNEL);
	if (!place->needed)
		return -ENOMEM;
	for (i = 0; i < check->nr_clusters; i++)
		if (new_refcount(check, place, i))
			place->needed[i >> bits] = true;
	return 0;
}

static bool block_needed(const struct check *check, const struct place *place, u64 block)
{
	u32 bits = check->bare->geo.refblock_bits;
	u64 last = place->first + place->table + place->blocks - 1;

	if (block < place->nr_needed && place->needed[block])
		return true;
	return place->table && block >= place->first >> bits && block <= last >> bits;
}

/* The blocks count themselves, and the table: grow until there is room for all. */
static int find_place(struct check *check, struct place *place)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 entries = geo->cluster_size / sizeof(u64), blocks, block, end, table;
	int ret = find_needed(check, place);

	while (!ret) {
		end = max(place->nr_needed,
			  ((place->first + place->table + place->blocks) >> geo->refblock_bits) +
				  1);
		for (block = 0, blocks = 0; block < end; block++)
			blocks += block_needed(check, place, block);
		table = max(DIV_ROUND_UP_ULL(end, entries), place->table);
		if (table == place->table && blocks <= place->blocks)
			break;
		place->table = table;
		place->blocks = max(blocks, place->blocks);
		ret = find_run(check, table + place->blocks, &place->first);
	}
	if (!ret && place->table << geo->cluster_bits > Q2_MAX_REFTABLE_BYTES)
		return q2_err_set(&check->err, EFBIG,
				  "the refcount table would need more than %u bytes",
				  Q2_MAX_REFTABLE_BYTES);
	return ret;
}

static int write_block(struct check *check, const struct place *place, u64 block, u64 host,
		       void *buf)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 first = block << geo->refblock_bits;
	u32 i;

	memset(buf, 0, geo->cluster_size);
	for (i = 0; i < 1U << geo->refblock_bits; i++)
		q2_refcount_set(geo, buf, i, new_refcount(check, place, first + i));
	return q2_file_write(file_of(check), host, buf, geo->cluster_size);
}

static int write_refcounts(struct check *check, const struct place *place)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 bytes = place->table << geo->cluster_bits, block, nr = 0;
	__be64 *table = kvzalloc(bytes, GFP_KERNEL);
	void *buf = kvmalloc(geo->cluster_size, GFP_KERNEL);
	int ret = table && buf ? 0 : -ENOMEM;

	/* Blocks that turned out not to be needed are there all the same, for later clusters. */
	for (block = 0; !ret && nr < place->blocks && block < bytes / sizeof(*table); block++) {
		u64 host = (place->first + place->table + nr) << geo->cluster_bits;

		if (!block_needed(check, place, block) && block < place->nr_needed)
			continue;
		table[block] = cpu_to_be64(host);
		ret = write_block(check, place, block, host, buf);
		nr++;
	}
	if (!ret)
		ret = q2_file_write(file_of(check), place->first << geo->cluster_bits, table,
				    bytes);
	kvfree(buf);
	kvfree(table);
	return ret;
}

/* Step 1 for refcounts: a whole new structure, right from the start. */
static int rebuild_refcounts(struct check *check, struct place *place)
{
	u64 wrong = check->refcounts_wrong, leaks = check->unfollowed ? 0 : check->res->leaks;
	int ret;

	check_print("Rebuilding refcount structure");
	ret = find_place(check, place);
	if (ret)
		return ret;
	check->new_refcounts = true;
	ret = recount(check);
	if (!ret)
		ret = write_refcounts(check, place);
	if (ret)
		return ret;
	check->res->corruptions_fixed += wrong;
	check->res->leaks_fixed += leaks;
	return 0;
}

/* Step 3. The places of both tables are neighbours in the header. */
static int switch_tables(struct check *check, const struct place *place)
{
	struct q2_header *hdr = &check->bare->hdr;
	struct q2_disk_header disk;
	size_t at = offsetof(struct q2_disk_header, refcount_table_offset);
	size_t end = offsetof(struct q2_disk_header, incompatible_features);
	int ret;

	static_assert(offsetof(struct q2_disk_header, incompatible_features) -
			      offsetof(struct q2_disk_header, refcount_table_offset) ==
		      24);
	if (check->new_refcounts) {
		hdr->refcount_table_offset = place->first << hdr->cluster_bits;
		hdr->refcount_table_clusters = place->table;
	}
	hdr->snapshots_offset = check->snapshots_offset;
	hdr->nb_snapshots = check->snaps->nr;
	disk.refcount_table_offset = cpu_to_be64(hdr->refcount_table_offset);
	disk.refcount_table_clusters = cpu_to_be32(hdr->refcount_table_clusters);
	disk.nb_snapshots = cpu_to_be32(hdr->nb_snapshots);
	disk.snapshots_offset = cpu_to_be64(hdr->snapshots_offset);
	ret = q2_file_flush(file_of(check));
	if (!ret)
		ret = q2_file_write(file_of(check), at, (u8 *)&disk + at, end - at);
	return ret ? ret : q2_file_flush(file_of(check));
}

/* Refcount table and header agree again, and nothing that was read before counts. */
static int reopen_refcounts(struct check *check)
{
	refcounts_close(&check->refcounts);
	return refcounts_open(&check->refcounts, file_of(check), &check->bare->hdr,
			      &check->bare->geo);
}

/* Steps 1 to 3. */
static int repair_up(struct check *check)
{
	struct place place = {0};
	bool snapshots = snapshots_need_repair(check);
	int ret = 0;

	if (snapshots)
		ret = write_snapshots(check);
	if (!ret && snapshots && !check->rebuild)
		ret = recount(check);
	if (!ret)
		ret = check->rebuild ? rebuild_refcounts(check, &place)
				     : window_repair(check, WINDOW_RAISE);
	if (!ret && (snapshots || check->rebuild))
		ret = switch_tables(check, &place);
	if (!ret)
		ret = q2_file_flush(file_of(check));
	kvfree(place.needed);
	return ret ? ret : reopen_refcounts(check);
}

/* Steps 4 to 6; @flags: flags, too, otherwise only step 5. */
static int repair_down(struct check *check, bool flags)
{
	int ret = flags ? tables_copied(check, COPIED_CLEAR) : 0;

	if (!ret)
		ret = q2_file_flush(file_of(check));
	/* New refcounts are not too high. */
	if (!ret && !check->new_refcounts)
		ret = window_repair(check, WINDOW_LOWER);
	if (!ret)
		ret = q2_file_flush(file_of(check));
	if (!ret && flags)
		ret = tables_copied(check, COPIED_SET);
	return ret ? ret : q2_file_flush(file_of(check));
}

static int repair(struct check *check)
{
	const struct check_result *res = check->res;
	int ret;

	if (check->unfollowed && res->leaks)
		check_print("Leaks are left: what cannot be read may refer to them");
	if (check->fix == REPAIR_LEAKS) {
		if (check->rebuild || check->lost)
			return q2_err_set(&check->err, EUCLEAN,
					  "refcounts are broken, not only too high; -r all mends "
					  "them");
		/* As QEMU: flags are safe to mend if the refcounts are beyond doubt. */
		return repair_down(check, !res->corruptions && !res->errors);
	}
	/* The next writer of the other's cluster would write over the refcounts. */
	check->rebuild |= check->shared;
	ret = repair_up(check);
	return ret ? ret : repair_down(check, true);
}

/* The features of the header, durable. */
static int write_features(struct bare *bare)
{
	struct q2_disk_header disk;
	size_t at = offsetof(struct q2_disk_header, incompatible_features);
	size_t end = offsetof(struct q2_disk_header, refcount_order);
	int ret;

	disk.incompatible_features = cpu_to_be64(bare->hdr.incompatible);
	disk.compatible_features = cpu_to_be64(bare->hdr.compatible);
	disk.autoclear_features = cpu_to_be64(bare->hdr.autoclear);
	ret = q2_file_write(&bare->host->file, at, (u8 *)&disk + at, end - at);
	return ret ? ret : q2_file_flush(&bare->host->file);
}

/* Whoever writes clears what it does not know. Bitmaps stay true: the disk reads the same. */
static int clear_unknown_features(struct bare *bare)
{
	u64 known = Q2_AUTOCLEAR_BITMAPS | Q2_AUTOCLEAR_RAW_DATA;

	if (!(bare->hdr.autoclear & ~known))
		return 0;
	bare->hdr.autoclear &= known;
	return write_features(bare);
}

/* Step 7. */
static int mark_clean(struct bare *bare, const struct check_result *res)
{
	u64 marks = Q2_INCOMPAT_DIRTY | Q2_INCOMPAT_CORRUPT;

	if (res->errors || res->corruptions || !(bare->hdr.incompatible & marks))
		return 0;
	bare->hdr.incompatible &= ~marks;
	return write_features(bare);
}

/* All counts in one window, with room for a new snapshot table behind them. */
static int count_all(struct check *check)
{
	u64 each = check->window.wide ? sizeof(u32) : sizeof(u16);
	u64 nr = check->file_clusters + 1;
	int ret;

	if (snapshots_need_repair(check))
		nr += DIV_ROUND_UP_ULL(snapshots_encoded_size(check->snaps),
				       check->bare->geo.cluster_size);
	if (nr * each > check->memory)
		return q2_err_set(
			&check->err, ENOMEM,
			"it needs %llu bytes of memory for counts; allow them by --memory",
			nr * each);
	ret = check_new_window(check, nr);
	if (!ret)
		ret = check_count(check);
	if (!ret)
		ret = window_compare(check);
	check->first_pass = false;
	return ret;
}

/* Check and repair. Return: 0 or -1, said. */
static int check_and_repair(struct bare *bare, u64 memory, enum repair fix,
			    struct check_result *res)
{
	struct check check;
	int ret = check_begin(&check, bare, memory, fix, res);

	if (ret)
		return ret;
	progress_start("repairing");
	ret = clear_unknown_features(bare);
	if (!ret)
		ret = count_all(&check);
	if (!ret)
		ret = repair(&check);
	if (!ret && !res->corruptions_fixed && !res->leaks_fixed)
		ret = tables_copied(&check, COPIED_JUDGE);
	progress_hide();
	res->end_offset = (check.highest + 1) << bare->geo.cluster_bits;
	if (ret)
		ret = check_failed(&check, "repair", ret);
	check_end(&check);
	return ret;
}

int repair_image(struct bare *bare, u64 memory, enum repair fix, struct check_result *res)
{
	struct check_result fixed;
	int ret = check_and_repair(bare, memory, fix, res);

	if (ret)
		return ret;
	fixed = *res;
	if (fixed.corruptions_fixed || fixed.leaks_fixed) {
		ret = check_image(bare, memory, res);
		if (ret)
			return ret;
		res->corruptions_fixed = fixed.corruptions_fixed;
		res->leaks_fixed = fixed.leaks_fixed;
	}
	ret = mark_clean(bare, res);
	return ret ? say("%s: cannot be marked clean: %s", bare->host->path, strerror(-ret)) : 0;
}
