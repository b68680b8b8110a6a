// SPDX-License-Identifier: GPL-2.0-only
/* References counted for a window of the file, and compared with its refcounts. */
#include "check-internal.h"

bool window_has(const struct window *window, u64 cluster)
{
	return cluster >= window->first && cluster - window->first < window->nr;
}

u64 window_get(const struct window *window, u64 cluster)
{
	u64 i = cluster - window->first;

	return window->wide ? ((u32 *)window->counts)[i] : ((u16 *)window->counts)[i];
}

static void count_up(struct check *check, u64 cluster)
{
	struct window *window = &check->window;
	u64 i = cluster - window->first;

	if (window_get(window, cluster) == window->most) {
		check_found(check,
			    "more references to the cluster at 0x%llx than a refcount of %u bits "
			    "can hold",
			    cluster << check->bare->geo.cluster_bits,
			    1U << check->bare->geo.refcount_order);
	} else if (window->wide) {
		((u32 *)window->counts)[i]++;
	} else {
		((u16 *)window->counts)[i]++;
	}
}

void window_reference(struct check *check, u64 offset, u64 len)
{
	const struct q2_geometry *geo = &check->bare->geo;
	const struct window *window = &check->window;
	u64 size = check->bare->host->file.size;
	u64 first, last;

	if (!len)
		return;
	first = offset >> geo->cluster_bits;
	/* The last cluster of a file may be short, so a reference may end past it. */
	if (offset + len > size && offset + len - size >= geo->cluster_size) {
		check->dangling = min(check->dangling, first);
		check_corrupt(check,
			      "reference beyond the end of the file: offset 0x%llx, %llu bytes",
			      offset, len);
		return;
	}
	last = (offset + len - 1) >> geo->cluster_bits;
	if (last >= check->nr_clusters)
		check->nr_clusters = last + 1;
	first = max(first, window->first);
	last = min(last, window->first + window->nr - 1);
	for (; first <= last; first++)
		count_up(check, first);
}

static void compare(struct check *check, u64 cluster, u64 refcount)
{
	u64 references = window_get(&check->window, cluster);

	if (refcount || references)
		check->highest = cluster;
	if (refcount == references)
		return;
	check_print("%s cluster %llu refcount=%llu reference=%llu",
		    refcount < references ? "ERROR" : "Leaked", cluster, refcount, references);
	if (refcount > references) {
		check->res->leaks++;
		return;
	}
	check->res->corruptions++;
	check->refcounts_wrong++;
	if (!refcount)
		check->lost = true;
}

/* The clusters whose refcounts are in one refcount block, as far as the window goes. */
static int compare_block(struct check *check, u64 block, u64 first, u64 end, void *buf)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u32 mask = (1U << geo->refblock_bits) - 1;
	u64 offset, i;
	int ret;

	if (refcounts_block(&check->refcounts, block, &offset)) {
		check_print("ERROR: refcount block %llu cannot be read: no refcounts for clusters "
			    "%llu to %llu",
			    block, first, end - 1);
		check->res->errors += end - first;
		return 0;
	}
	if (offset) {
		ret = q2_file_read(&check->bare->host->file, offset, buf, geo->cluster_size);
		if (ret)
			return ret;
	}
	for (i = first; i < end; i++) {
		if (!offset && window_get(&check->window, i))
			check->rebuild = true;
		compare(check, i, offset ? q2_refcount_get(geo, buf, i & mask) : 0);
	}
	return 0;
}

int window_compare(struct check *check)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 first = check->window.first, next;
	u64 end = min(first + check->window.nr, check->nr_clusters);
	void *buf = kvmalloc(geo->cluster_size, GFP_KERNEL);
	int ret = buf ? 0 : -ENOMEM;

	for (; !ret && first < end; first = next) {
		u64 block = first >> geo->refblock_bits;

		next = min((block + 1) << geo->refblock_bits, end);
		ret = compare_block(check, block, first, next, buf);
	}
	kvfree(buf);
	return ret;
}

u64 window_target(const struct check *check, u64 cluster, u64 refcount)
{
	u64 references =
		window_has(&check->window, cluster) ? window_get(&check->window, cluster) : 0;

	return check->unfollowed ? max(references, refcount) : references;
}

/* One refcount block, which is there and can be used. */
static int repair_block(struct check *check, enum window_change change, u64 host, u64 first,
			u64 end, void *buf)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u32 mask = (1U << geo->refblock_bits) - 1;
	u64 i, refcount, target, changed = 0;
	int ret = q2_file_read(&check->bare->host->file, host, buf, geo->cluster_size);

	for (i = first; !ret && i < end; i++) {
		refcount = q2_refcount_get(geo, buf, i & mask);
		target = window_target(check, i, refcount);
		if (change == WINDOW_RAISE ? refcount >= target : refcount <= target)
			continue;
		check_print("Repairing cluster %llu refcount=%llu reference=%llu", i, refcount,
			    target);
		q2_refcount_set(geo, buf, i & mask, target);
		changed++;
	}
	if (!ret && changed)
		ret = q2_file_write(&check->bare->host->file, host, buf, geo->cluster_size);
	if (ret)
		return ret;
	if (change == WINDOW_RAISE)
		check->res->corruptions_fixed += changed;
	else
		check->res->leaks_fixed += changed;
	return 0;
}

int window_repair(struct check *check, enum window_change change)
{
	const struct q2_geometry *geo = &check->bare->geo;
	u64 first = 0, next, offset, block;
	void *buf = kvmalloc(geo->cluster_size, GFP_KERNEL);
	int ret = buf ? 0 : -ENOMEM;

	for (; !ret && first < check->nr_clusters; first = next) {
		block = first >> geo->refblock_bits;
		next = min((block + 1) << geo->refblock_bits, check->nr_clusters);
		ret = refcounts_block(&check->refcounts, block, &offset);
		if (!ret && offset)
			ret = repair_block(check, change, offset, first, next, buf);
	}
	kvfree(buf);
	return ret;
}
