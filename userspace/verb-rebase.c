// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl rebase: another backing file for an image that is not attached. */
#include <errno.h>
#include <string.h>

#include "disk.h"
#include "image/backing.h"
#include "offline.h"
#include "progress.h"
#include "say.h"
#include "verbs.h"
#include "walk.h"

/* Compared at once, at most. */
#define CHUNK (1U << 20)

enum {
	OPT_BACKING_FORMAT = OPT_LONG,
	OPT_ALLOW
};

static const struct option_spec options[] = {
	{'b', "backing", "BACKING", "backing file to come, relative to IMAGE; '' for none", "file"},
	{'F', "format", "FORMAT", "its format", "qcow2 raw"},
	{'u', "unsafe", NULL,
	 "change the name alone: right only if the new backing file\nshows what the old one did",
	 NULL},
	{OPT_BACKING_FORMAT, "backing-format", "FORMAT",
	 "format of backing files whose format no image gives", "qcow2 raw"},
	POLICY_OPTION(OPT_ALLOW),
	{},
};

static bool is_zero(const u8 *buf, u64 len)
{
	return !*buf && !memcmp(buf, buf + 1, len - 1);
}

/* The image keeps for itself what its old backing file showed there. */
static int keep(struct q2_chain *old, u64 guest, u64 len, const u8 *buf)
{
	struct q2_image *img = old->layers[old->nr_layers - 1].img;
	u64 done = 0;
	int ret = -EOPNOTSUPP;

	if (is_zero(buf, len))
		ret = q2_image_zero(img, guest, len, false, &done);
	if (ret == -EOPNOTSUPP)
		ret = disk_write(old, guest + done, len - done, buf + done);
	return ret;
}

/* A run that the image does not hold: what differs below goes into it. @buf has room for two. */
static int compare_run(struct q2_chain *old, struct q2_chain *new, u64 guest, u64 len, u8 *buf)
{
	const struct q2_geometry *geo = q2_image_geometry(old->layers[old->nr_layers - 1].img);
	u64 unit = 1ULL << geo->subcluster_bits, at, part;
	int ret = disk_read(old, guest, len, buf);

	memset(buf + CHUNK, 0, len);
	if (!ret && new)
		ret = disk_read(new, guest, len, buf + CHUNK);
	for (at = 0; at < len && !ret; at += part) {
		part = min(len - at, unit - (guest + at) % unit);
		if (memcmp(buf + at, buf + CHUNK + at, part))
			ret = keep(old, guest + at, part, buf + at);
	}
	return ret;
}

/* Bytes from @guest on, @len at most, that read zeroes; 0: some may not. */
static u64 zero_run(struct q2_chain *chain, u64 guest, u64 len, int *ret)
{
	struct q2_extent ext;
	unsigned int layer;

	if (!chain || guest >= chain->size)
		return len;
	*ret = q2_chain_lookup(chain, guest, len, &layer, &ext);
	return !*ret && ext.kind != Q2_DATA && ext.kind != Q2_COMPRESSED ? ext.len : 0;
}

static int copy_differences(struct q2_chain *old, struct q2_chain *new)
{
	struct q2_image *img = old->layers[old->nr_layers - 1].img;
	u64 guest = 0, len, zero;
	u8 *buf = xalloc(2 * CHUNK);
	struct q2_extent ext;
	int ret = 0;

	progress_start("comparing");
	for (; guest < old->size && !ret; guest += len) {
		progress_update(guest, old->size);
		ret = q2_image_lookup(img, guest, old->size - guest, &ext);
		len = ext.len;
		if (ret || ext.kind != Q2_UNALLOCATED)
			continue;
		zero = zero_run(old, guest, len, &ret);
		if (zero && !ret)
			zero = zero_run(new, guest, zero, &ret);
		if (zero)
			len = zero;
		else
			len = min(len, CHUNK - guest % CHUNK);
		if (!zero && !ret)
			ret = compare_run(old, new, guest, len, buf);
	}
	progress_hide();
	free(buf);
	return ret ? ret : q2_image_commit(img);
}

/* The chain to come below the image; NULL after having said why not. */
static struct walk *walk_new(const struct args *args, const struct walk *walk, const char *backing)
{
	struct walk_options how = {
		.format = args_value(args, 'F'),
		.backing_format = args_value(args, OPT_BACKING_FORMAT),
		.keep = true,
	};
	const struct link *top = &walk->link[0];
	const char *slash = strrchr(top->place, '/');
	struct host_file *host;
	struct walk *new = NULL;
	char *path;

	path = *backing == '/'
		       ? xstrdup(backing)
		       : xasprintf("%.*s%s", (int)(slash + 1 - top->place), top->place, backing);
	host = host_file_open(path);
	if (host && host_file_same(host, top->host)) {
		say("%s would be its own backing file", args->word[0]);
	} else if (host) {
		how.policy = policy_new(args, OPT_ALLOW);
		if (how.policy)
			new = walk_chain(path, &how);
		policy_free(how.policy);
	}
	host_file_close(host);
	free(path);
	return new;
}

/* Put everything that @backing would show otherwise into the image. */
static int make_safe(const struct args *args, struct walk *walk, const char *backing)
{
	struct q2_chain *old, *new = NULL;
	struct walk *below = NULL;
	int ret;

	if (q2_image_header(walk->link[0].img)->nb_snapshots)
		return say("%s has internal snapshots, which show the backing file, too, and would "
			   "change: delete them, or use -u",
			   args->word[0]);
	if (*backing) {
		below = walk_new(args, walk, backing);
		if (!below)
			return -1;
		new = walk_to_chain(below);
	}
	if (new)
		q2_image_await_backing(walk->link[0].img);
	old = walk_to_chain(walk);
	ret = copy_differences(old, new);
	if (ret)
		say("%s: %s; it still has its old backing file, and shows what it did",
		    args->word[0], strerror(-ret));
	q2_chain_free(old);
	q2_chain_free(new);
	walk_free(below);
	return ret;
}

static int rebase(const struct args *args, const char *backing)
{
	struct walk_options how = {
		.backing_format = args_value(args, OPT_BACKING_FORMAT),
		.top_only = args_has(args, 'u'),
		.write = true,
		.keep = true,
	};
	struct q2_err err = {""};
	struct walk *walk;
	int ret = -1;

	how.policy = policy_new(args, OPT_ALLOW);
	if (!how.policy)
		return -1;
	walk = walk_chain(args->word[0], &how);
	if (walk && (args_has(args, 'u') || !make_safe(args, walk, backing))) {
		ret = q2_image_set_backing(walk->link[0].img, *backing ? backing : NULL,
					   args_value(args, 'F'), &err);
		if (ret)
			say("%s: %s", args->word[0], *err.text ? err.text : strerror(-ret));
	}
	walk_free(walk);
	policy_free(how.policy);
	return ret;
}

static int run(const struct args *args)
{
	const char *backing = args_value(args, 'b'), *format = args_value(args, 'F');

	if (!backing)
		return usage_error(args->verb, "rebase: -b is missing; -b '' stands for none");
	if (*backing && !format)
		return usage_error(args->verb, "rebase: -b needs -F, the format of the backing "
					       "file: it is never guessed");
	if (!*backing && format)
		return usage_error(args->verb, "rebase: -F needs a backing file");
	if (format && walk_format_known("rebase", format))
		return STATUS_USAGE;
	if (walk_name_is_protocol(backing))
		return usage_error(args->verb,
				   "rebase: \"%s\" would be taken for a protocol; write ./ before "
				   "the name of a file with a colon",
				   backing);
	if (offline_only(args->word[0]))
		return STATUS_FAILED;
	return rebase(args, backing) ? STATUS_FAILED : STATUS_DONE;
}

const struct verb verb_rebase = {
	.name = "rebase",
	.arguments = "IMAGE",
	.summary = "Give an image another backing file",
	.description =
		"The disk shows what it did: where the backing files differ, the image gets\n"
		"the old data. IMAGE must not be in use.",
	.options = options,
	.complete = "file",
	.least = 1,
	.most = 1,
	.run = run,
};
