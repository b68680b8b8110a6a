// SPDX-License-Identifier: GPL-2.0-only
/* The check as a whole: window after window, then the COPIED flags. */
#include <stdarg.h>

#include "check-internal.h"
#include "escape.h"
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

/* Count all references into the window and compare. */
static int check_window(struct check *check)
{
	const struct q2_header *hdr = &check->bare->hdr;
	int ret;

	memset(check->window.counts, 0,
	       check->window.nr * (check->window.wide ? sizeof(u32) : sizeof(u16)));
	window_reference(check, 0, check->bare->geo.cluster_size);
	ret = tables_reference(check, hdr->l1_offset, hdr->l1_size, true);
	if (!ret)
		ret = rest_reference(check);
	return ret ? ret : window_compare(check);
}

static int check_windows(struct check *check)
{
	struct window *window = &check->window;
	u64 counts_most, end = check->file_clusters + 1;
	int ret = 0;

	window->wide = check->bare->geo.refcount_order > 4;
	window->most = min(q2_refcount_max(&check->bare->geo), (u64)U32_MAX);
	counts_most = check->memory / (window->wide ? sizeof(u32) : sizeof(u16));
	window->nr = min(end, counts_most);
	window->counts = kvcalloc(window->nr, window->wide ? sizeof(u32) : sizeof(u16), GFP_KERNEL);
	if (!window->counts)
		return -ENOMEM;
	check->first_pass = true;
	check_snapshot_entries(check);
	for (; !ret && window->first < end; window->first += window->nr) {
		ret = check_window(check);
		check->first_pass = false;
	}
	kvfree(window->counts);
	return ret;
}

static int check_all(struct check *check)
{
	const struct q2_geometry *geo = &check->bare->geo;
	int ret;

	if (check->file_clusters > CLUSTERS_MOST)
		return -EFBIG;
	ret = refcounts_open(&check->refcounts, &check->bare->host->file, &check->bare->hdr, geo);
	if (ret)
		return ret;
	progress_start("checking");
	ret = check_windows(check);
	if (!ret)
		ret = tables_check_copied(check);
	progress_hide();
	check->res->end_offset = (check->highest + 1) << geo->cluster_bits;
	refcounts_close(&check->refcounts);
	return ret;
}

int check_image(struct bare *bare, u64 memory, struct check_result *res)
{
	struct check check = {.bare = bare, .memory = memory, .res = res};
	int ret;

	memset(res, 0, sizeof(*res));
	check.snaps = q2_snapshots_load(&bare->host->file, &bare->hdr, &check.err);
	if (IS_ERR(check.snaps))
		return say("%s: %s", bare->host->path,
			   *check.err.text ? check.err.text : strerror(-PTR_ERR(check.snaps)));
	check.file_clusters = DIV_ROUND_UP_ULL(bare->host->file.size, bare->geo.cluster_size);
	check.nr_clusters = check.file_clusters;
	res->total_clusters = DIV_ROUND_UP_ULL(bare->hdr.size, bare->geo.cluster_size);
	ret = check_all(&check);
	q2_snapshots_free(check.snaps);
	if (ret)
		return say("%s: the check could not be finished: %s", bare->host->path,
			   *check.err.text ? check.err.text : strerror(-ret));
	return 0;
}
