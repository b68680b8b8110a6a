// SPDX-License-Identifier: GPL-2.0-only
/* The check as a whole: window after window, then the COPIED flags. */
#include <stdarg.h>

#include "check-internal.h"
#include "escape.h"
#include "mend-snapshots.h"
#include "progress.h"
#include "say.h"

/* As QEMU: more clusters than this are not checked. */
#define CLUSTERS_MOST 0x7fffffffULL

static void print_line(const char *before, const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		return;
	progress_hide();
	fputs(before, stderr);
	escape_put(stderr, text);
	fputc('\n', stderr);
	free(text);
}

void check_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line("", fmt, ap);
	va_end(ap);
}

void check_found(struct check *check, const char *fmt, ...)
{
	va_list ap;

	if (check->silent)
		return;
	va_start(ap, fmt);
	print_line("ERROR: ", fmt, ap);
	va_end(ap);
	check->res->corruptions++;
}

void check_corrupt(struct check *check, const char *fmt, ...)
{
	va_list ap;

	if (!check->first_pass)
		return;
	va_start(ap, fmt);
	print_line("ERROR: ", fmt, ap);
	va_end(ap);
	check->res->corruptions++;
}

static void check_snapshot_entries(struct check *check)
{
	unsigned int i;

	if (check->bare->hdr.version < 3)
		return;
	for (i = 0; i < check->snaps->nr; i++)
		if (check->snaps->snap[i].extra.length <
		    offsetof(struct q2_disk_snapshot_extra, icount))
			check_corrupt(check, "snapshot %u: its entry is incomplete", i);
}

int check_count(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	int ret;

	memset(check->window.counts, 0,
	       check->window.nr * (check->window.wide ? sizeof(u32) : sizeof(u16)));
	window_reference(check, 0, check->bare->geo.cluster_size);
	ret = tables_reference(check, hdr->l1_offset, hdr->l1_size, true);
	return ret ? ret : rest_reference(check);
}

int check_new_window(struct check *check, u64 clusters)
{
	struct window *window = &check->window;

	window->nr = clusters;
	window->counts = kvcalloc(clusters, window->wide ? sizeof(u32) : sizeof(u16), GFP_KERNEL);
	if (!window->counts)
		return -ENOMEM;
	check->first_pass = true;
	check_snapshot_entries(check);
	return 0;
}

static int check_windows(struct check *check)
{
	struct window *window = &check->window;
	u64 end = check->file_clusters + 1;
	u64 most = check->memory / (window->wide ? sizeof(u32) : sizeof(u16));
	int ret = check_new_window(check, min(end, most));

	for (; !ret && window->first < end; window->first += window->nr) {
		ret = check_count(check);
		if (!ret)
			ret = window_compare(check);
		check->first_pass = false;
	}
	return ret;
}

int check_failed(const struct check *check, const char *what, int error)
{
	return say("%s: the %s could not be finished: %s", check->bare->host->path, what,
		   *check->err.text ? check->err.text : strerror(-error));
}

/* A repair of all reads a snapshot table that nobody else may read. */
static int load_snapshots(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	struct q2_file *file = &check->bare->host->file;
	struct mended mended;

	check->snaps = q2_snapshots_load(file, hdr, &check->err);
	if (!IS_ERR(check->snaps))
		check->snapshots_bytes = check->snaps->len;
	if (check->fix != REPAIR_ALL || PTR_ERR_OR_ZERO(check->snaps) != -EFBIG)
		return PTR_ERR_OR_ZERO(check->snaps);
	check->snaps = mend_snapshots(file, hdr, &mended, &check->err);
	if (IS_ERR(check->snaps))
		return PTR_ERR(check->snaps);
	if (mended.entries)
		check_print("Discarding too much extra data of %u entries of the snapshot table",
			    mended.entries);
	if (mended.lost)
		check_print("Discarding %u snapshots: the table is too long", mended.lost);
	check->mend_snapshots = true;
	check->snapshots_bytes = mended.bytes;
	return 0;
}

int check_begin(struct check *check, struct bare *bare, u64 memory, enum repair fix,
		struct check_result *res)
{
	int ret;

	*check = (struct check){
		.bare = bare, .memory = memory, .res = res, .fix = fix, .dangling = U64_MAX};
	memset(res, 0, sizeof(*res));
	ret = load_snapshots(check);
	if (ret) {
		check->snaps = NULL;
		return say("%s: %s", bare->host->path,
			   *check->err.text ? check->err.text : strerror(-ret));
	}
	check->snapshots_offset = bare->hdr.snapshots_offset;
	check->file_clusters = DIV_ROUND_UP_ULL(bare->host->file.size, bare->geo.cluster_size);
	check->nr_clusters = check->file_clusters;
	res->total_clusters = DIV_ROUND_UP_ULL(bare->hdr.size, bare->geo.cluster_size);
	check->window.wide = bare->geo.refcount_order > 4;
	check->window.most = min(q2_refcount_max(&bare->geo), (u64)U32_MAX);
	ret = check->file_clusters > CLUSTERS_MOST ? -EFBIG : 0;
	if (!ret)
		ret = refcounts_open(&check->refcounts, &bare->host->file, &bare->hdr, &bare->geo);
	if (!ret)
		return 0;
	check_end(check);
	return check_failed(check, "check", ret);
}

void check_end(struct check *check)
{
	refcounts_close(&check->refcounts);
	kvfree(check->window.counts);
	check->window.counts = NULL;
	q2_snapshots_free(check->snaps);
	check->snaps = NULL;
}

int check_image(struct bare *bare, u64 memory, struct check_result *res)
{
	struct check check;
	int ret = check_begin(&check, bare, memory, REPAIR_NOTHING, res);

	if (ret)
		return ret;
	progress_start("checking");
	ret = check_windows(&check);
	if (!ret)
		ret = tables_copied(&check, COPIED_JUDGE);
	progress_hide();
	res->end_offset = (check.highest + 1) << bare->geo.cluster_bits;
	if (ret)
		ret = check_failed(&check, "check", ret);
	check_end(&check);
	return ret;
}
