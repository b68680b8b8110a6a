// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/merge.h"
#include "disk.h"
#include "image/backing.h"
#include "job-start.h"
#include "layers.h"
#include "merge-files.h"
#include "progress.h"
#include "say.h"
#include "size.h"

/* Guest bytes that the top forgets at once, a multiple of every cluster size ... */
#define WINDOW (4ULL << 20)
/* ... after as many bytes copied for one flush of the base. */
#define BATCH_BYTES (64ULL << 20)

/* -- the chain --------------------------------------------------------------------------------- */

static struct walk *walk(const struct args *args, const struct walk_options *options)
{
	struct walk_options how = *options;
	struct walk *chain = NULL;

	how.backing_format = args_value(args, OPT_JOB_BACKING_FORMAT);
	how.policy = policy_new(args, OPT_JOB_ALLOW);
	if (how.policy)
		chain = walk_chain(args->word[0], &how);
	policy_free(how.policy);
	return chain;
}

int merge_files_look(const struct args *args, struct merge_files *files)
{
	/* Nothing is believed of what is read here before it is locked. */
	struct walk_options how = {.force_share = true, .header_only = true};
	struct walk *seen;
	size_t i;

	memset(files, 0, sizeof(*files));
	files->args = args;
	seen = walk(args, &how);
	if (!seen)
		return -1;
	files->nr = seen->nr;
	files->path = xalloc(seen->nr * sizeof(*files->path));
	for (i = 0; i < seen->nr; i++)
		files->path[i] = xstrdup(seen->link[seen->nr - 1 - i].path);
	walk_free(seen);
	return 0;
}

static void close_files(struct merge_files *files)
{
	q2_chain_free(files->chain);
	walk_free(files->walk);
	files->chain = NULL;
	files->walk = NULL;
}

void merge_files_end(struct merge_files *files)
{
	size_t i;

	close_files(files);
	for (i = 0; i < files->nr; i++)
		free(files->path[i]);
	free(files->path);
}

int merge_files_find(const struct merge_files *files, const char *word, size_t *index)
{
	struct layer_list list = {
		.name = files->args->word[0],
		.shown_by = "info --chain",
		.nr = files->nr,
		.path = files->path,
	};

	return layers_find_in(&list, word, index);
}

const struct link *merge_files_link(const struct merge_files *files, size_t index)
{
	return &files->walk->link[files->nr - 1 - index];
}

int merge_files_hold(struct merge_files *files, size_t a, size_t b)
{
	const char *written[] = {files->path[a], files->path[b], NULL};
	struct walk_options how = {.keep = true, .written = written};
	bool same;
	size_t i;

	files->walk = walk(files->args, &how);
	if (!files->walk)
		return -1;
	same = files->walk->nr == files->nr;
	for (i = 0; i < files->nr && same; i++)
		same = !strcmp(merge_files_link(files, i)->path, files->path[i]);
	if (!same)
		return say("%s: the chain has changed just now", files->args->word[0]);
	files->chain = walk_to_chain(files->walk);
	return 0;
}

int merge_files_no_snapshots(const struct merge_files *files, size_t first, size_t last)
{
	for (; first <= last; first++) {
		const struct q2_image *img = merge_files_link(files, first)->img;

		if (img && q2_image_header(img)->nb_snapshots)
			return say("%s has internal snapshots, which show the backing file, too, "
				   "and would change: delete them first",
				   files->path[first]);
	}
	return 0;
}

/* -- merging ----------------------------------------------------------------------------------- */

static int explain(const struct merge_files *files, int ret, const struct q2_err *err)
{
	return say("%s: %s; the chain shows what it did, and the same command goes on",
		   files->args->word[0], *err->text ? err->text : strerror(-ret));
}

static int begin(struct merge_files *files, struct q2_merge *m, size_t top, size_t bottom,
		 size_t into, u64 limit)
{
	struct q2_err err = {""};
	int ret;

	*m = (struct q2_merge){
		.chain = files->chain,
		.top = top,
		.bottom = bottom,
		.into = into,
		.limit = limit,
		.expand = disk_expand,
		.arg = files->chain,
	};
	ret = q2_merge_begin(m, &err);
	if (!ret)
		return 0;
	return say("%s: %s", files->args->word[0], *err.text ? err.text : strerror(-ret));
}

static void end(struct merge_files *files, struct q2_merge *m)
{
	progress_hide();
	files->moved += m->moved;
	q2_merge_end(m);
}

/* The next bytes, nothing else than them. */
static int copy(struct q2_merge *m, u64 pos, u64 last)
{
	u64 done;
	int ret = 0;

	for (; pos < last && !ret; pos += done) {
		progress_update(pos, m->size);
		ret = q2_merge_step(m, pos, last - pos, &done);
		if (ret)
			break;
	}
	return ret;
}

static int make_durable(struct merge_files *files, size_t layer)
{
	const struct q2_layer *l = &files->chain->layers[layer];

	return l->img ? q2_image_commit(l->img) : q2_file_flush(l->file);
}

/*
 * What @over is to call its backing file: never what it would not be found by, with
 * links followed or not.
 */
static char *name_of(const struct link *over, const struct link *base)
{
	char *name = layers_name(over->path, base->path);

	if (name && strcmp(name, base->path)) {
		free(name);
		name = layers_name(over->place, base->path);
	}
	return name;
}

/* The layer's header names another backing file; those between answer for nothing any more. */
static int name_backing(struct merge_files *files, size_t over, const size_t *base)
{
	const struct link *link = merge_files_link(files, over), *below;
	struct q2_err err = {""};
	char *name = NULL;
	size_t i;
	int ret;

	below = base ? merge_files_link(files, *base) : NULL;
	if (below) {
		name = name_of(link, below);
		if (!name)
			return -1;
	}
	ret = q2_image_set_backing(link->img, name,
				   !below	? NULL
				   : below->raw ? "raw"
						: "qcow2",
				   &err);
	free(name);
	if (ret)
		return explain(files, ret, &err);
	for (i = base ? *base + 1 : 0; i < over; i++)
		files->chain->layers[i].gone = true;
	return 0;
}

/* Copy all of it, make it durable, and let @over's header pass over what was merged. */
static int merge_below(struct merge_files *files, struct q2_merge *m, size_t over,
		       const size_t *base)
{
	struct q2_err err = {""};
	int ret;

	progress_start("merging");
	ret = copy(m, 0, m->size);
	if (!ret)
		ret = make_durable(files, m->into);
	end(files, m);
	return ret ? explain(files, ret, &err) : name_backing(files, over, base);
}

/*
 * Windows from *@pos on: copied, and when that is durable in the base, forgotten by the
 * top. A power cut in between shows the copy in the top.
 */
static int empty_batch(struct merge_files *files, struct q2_merge *m, u64 *pos)
{
	u64 start = *pos, before = m->moved, skip, last;
	int ret = 0;

	while (*pos < m->size && m->moved - before < BATCH_BYTES && !ret) {
		ret = q2_merge_idle(m, *pos, &skip);
		if (ret)
			break;
		*pos += skip;
		last = min(round_down(*pos, WINDOW) + WINDOW, m->size);
		ret = copy(m, *pos, last);
		*pos = last;
	}
	if (!ret)
		ret = make_durable(files, m->into);
	if (!ret && *pos > start)
		ret = q2_image_unallocate(files->chain->layers[m->top].img, start, *pos - start);
	return ret;
}

static int empty_top(struct merge_files *files, struct q2_merge *m)
{
	struct q2_err err = {""};
	u64 pos = 0;
	int ret = 0;

	progress_start("merging");
	while (pos < m->size && !ret)
		ret = empty_batch(files, m, &pos);
	if (!ret)
		ret = make_durable(files, m->top);
	end(files, m);
	return ret ? explain(files, ret, &err) : 0;
}

int merge_files_commit(struct merge_files *files, size_t top, size_t base)
{
	bool active = top == files->nr - 1;
	size_t first = active ? top - 1 : top;
	/* What goes beyond the end of the top is not to be in the disk either. */
	u64 limit = active ? files->chain->layers[top].size : 0;
	struct q2_merge m;

	if (first > base && (begin(files, &m, first, base + 1, base, limit) ||
			     merge_below(files, &m, first + 1, &base)))
		return -1;
	if (!active)
		return 0;
	return begin(files, &m, top, top, base, 0) || empty_top(files, &m) ? -1 : 0;
}

int merge_files_stream(struct merge_files *files, size_t into, const size_t *base)
{
	struct q2_merge m;

	if (begin(files, &m, into - 1, base ? *base + 1 : 0, into, 0))
		return -1;
	return merge_below(files, &m, into, base);
}

/* -- the end ----------------------------------------------------------------------------------- */

int merge_files_done(struct merge_files *files, size_t first, size_t nr)
{
	const struct args *args = files->args;
	char *moved = size_text(files->moved);
	int ret = 0;
	size_t i;

	printf("%s: %s done, %s copied\n", args->word[0], args->verb->name, moved);
	free(moved);
	close_files(files);
	for (i = first; i < first + nr; i++) {
		if (layers_unneeded_file(files->path[i], args_has(args, OPT_JOB_DELETE)))
			ret = -1;
	}
	return ret;
}
