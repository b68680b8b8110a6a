// SPDX-License-Identifier: GPL-2.0-only
#include <sys/resource.h>

#include "bare.h"
#include "lock.h"
#include "say.h"
#include "walk.h"

/* Layers of a chain that stay open together may want this much for their L1 tables. */
#define L1_BYTES_MOST (1ULL << 30)

bool walk_name_is_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

int walk_format_known(const char *what, const char *format)
{
	if (!strcmp(format, "qcow2") || !strcmp(format, "raw"))
		return 0;
	return say("%s: format \"%s\" is not served, only qcow2 and raw are", what, format);
}

/* @path with its directory resolved and its last part as it is. NULL: errno. */
static char *place_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash ? xstrndup(path, slash == path ? 1 : slash - path) : xstrdup(".");
	char *dir = realpath(parent, NULL), *place;

	free(parent);
	if (!dir)
		return NULL;
	place = xasprintf("%s/%s", strcmp(dir, "/") ? dir : "", slash ? slash + 1 : path);
	free(dir);
	return place;
}

/* A span of the header as a string, NULL if there is none. */
static int read_span(const struct link *link, const struct q2_span *span, const char *what,
		     char **text)
{
	char *buf;
	int ret;

	*text = NULL;
	if (!span->length)
		return 0;
	buf = xalloc(span->length + 1);
	ret = q2_file_read(&link->host->file, span->offset, buf, span->length);
	if (ret) {
		free(buf);
		return say("%s: %s cannot be read: %s", link->path, what, strerror(-ret));
	}
	*text = buf;
	return 0;
}

static int learn_header(struct link *link, const struct q2_header *hdr)
{
	link->size = hdr->size;
	if (read_span(link, &hdr->backing, "the name of the backing file", &link->backing))
		return -1;
	return read_span(link, &hdr->backing_format, "the format of the backing file",
			 &link->backing_format);
}

static int open_image(struct link *link)
{
	struct q2_err err = {""};

	link->img = q2_image_open(&link->host->file, Q2_CACHE_MIN, &err);
	if (IS_ERR(link->img)) {
		int ret = PTR_ERR(link->img);

		link->img = NULL;
		return say("%s: %s", link->path, *err.text ? err.text : strerror(-ret));
	}
	return learn_header(link, q2_image_header(link->img));
}

static int open_bare(struct link *link, bool force_share)
{
	struct bare bare;

	if (bare_open(link->path, force_share, &bare))
		return -1;
	link->host = bare.host;
	return learn_header(link, &bare.hdr);
}

static int open_file(struct link *link, bool force_share)
{
	link->host = host_file_open(link->path);
	if (!link->host)
		return -1;
	return force_share ? 0 : lock_for_reading(link->host);
}

/* An image that is to be changed. */
static int open_writable(struct link *link)
{
	struct q2_err err = {""};
	int ret;

	link->host = host_file_open_write(link->path);
	if (!link->host || lock_for_writing(link->host))
		return -1;
	if (link->raw)
		return 0;
	if (open_image(link))
		return -1;
	ret = q2_image_make_writable(link->img, NULL, NULL, &err);
	return ret ? say("%s: %s", link->path, *err.text ? err.text : strerror(-ret)) : 0;
}

static bool is_written(const struct link *link, const struct walk_options *options, bool top)
{
	const char *const *path = options->written;

	if (options->write && top)
		return true;
	while (path && *path && strcmp(*path, link->path))
		path++;
	return path && *path;
}

/* Open the image behind link->path and learn what it says of itself. */
static int open_link(struct link *link, const struct walk_options *options, bool top)
{
	int ret;

	if (is_written(link, options, top)) {
		ret = open_writable(link);
	} else if (options->header_only && !link->raw) {
		ret = open_bare(link, options->force_share);
	} else {
		ret = open_file(link, options->force_share);
		if (!ret && !link->raw)
			ret = open_image(link);
	}
	if (ret)
		return ret;
	/* QEMU reads a raw file to the end of its last sector. */
	if (link->raw)
		link->size = round_up(link->host->file.size, (u64)Q2_SECTOR_SIZE);
	link->block = link->host->block;
	link->dev = link->host->dev;
	link->ino = link->host->ino;
	return 0;
}

static void close_link(struct link *link)
{
	if (link->img)
		q2_image_close(link->img);
	host_file_close(link->host);
	link->img = NULL;
	link->host = NULL;
}

static struct link *add_link(struct walk *walk)
{
	struct link *link;

	walk->link = xrealloc(walk->link, walk->nr + 1, sizeof(*walk->link));
	link = &walk->link[walk->nr++];
	memset(link, 0, sizeof(*link));
	return link;
}

static int find_loop(const struct walk *walk)
{
	const struct link *last = &walk->link[walk->nr - 1];
	unsigned int i;

	for (i = 0; i + 1 < walk->nr; i++) {
		const struct link *link = &walk->link[i];

		if (link->block == last->block && link->dev == last->dev && link->ino == last->ino)
			return say("%s is in the chain twice: %s has it as its backing file again",
				   last->path, walk->link[walk->nr - 2].path);
	}
	return 0;
}

/* Which format the backing file of @link has, by the image or the user. */
static const char *backing_format(const struct link *link, const struct walk_options *options)
{
	const char *format = link->backing_format ? link->backing_format : options->backing_format;
	char *what;
	int ret;

	if (!format) {
		say("%s names the backing file \"%s\" but not its format, which is never guessed; "
		    "give it with --backing-format qcow2 or --backing-format raw, or store it with "
		    "qemu-img rebase -u -b BACKING -F FORMAT",
		    link->path, link->backing);
		return NULL;
	}
	what = xasprintf("%s: backing file \"%s\"", link->path, link->backing);
	ret = walk_format_known(what, format);
	free(what);
	return ret ? NULL : format;
}

/* Add the backing file of the last link. */
static int step_down(struct walk *walk, const struct walk_options *options)
{
	struct link *over = &walk->link[walk->nr - 1], *link;
	const char *format, *slash;
	char *joined;
	int ret;

	if (walk->nr == Q2_MAX_LAYERS)
		return say("%s: a chain of more than %u images is not served", walk->link[0].path,
			   Q2_MAX_LAYERS);
	if (walk_name_is_protocol(over->backing))
		return say("%s names the backing file \"%s\": json: and protocol: names are never "
			   "followed; give it the name of a file with qemu-img rebase -u",
			   over->path, over->backing);
	format = backing_format(over, options);
	if (!format)
		return -1;
	slash = strrchr(over->place, '/');
	joined = *over->backing == '/' ? xstrdup(over->backing)
				       : xasprintf("%.*s%s", (int)(slash + 1 - over->place),
						   over->place, over->backing);
	link = add_link(walk);
	over = link - 1;
	link->named = xstrdup(over->backing);
	link->raw = !strcmp(format, "raw");
	link->place = place_of(joined);
	link->path = link->place ? policy_resolve(joined) : NULL;
	if (link->path)
		ret = policy_judge(options->policy, over->path, over->backing, link->path);
	else
		ret = say("%s names the backing file \"%s\": %s: %s", over->path, over->backing,
			  joined, strerror(errno));
	free(joined);
	if (ret)
		return ret;
	return open_link(link, options, false) || find_loop(walk) ? -1 : 0;
}

/* Thousands of open files are fine for us: nothing here uses select(). */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int walk_down(struct walk *walk, const struct walk_options *options)
{
	u64 l1_bytes = 0;
	struct link *link;
	int ret;

	for (;;) {
		link = &walk->link[walk->nr - 1];
		if (link->img && options->keep) {
			l1_bytes += q2_image_header(link->img)->l1_size * sizeof(u64);
			if (l1_bytes > L1_BYTES_MOST)
				return say("%s: the L1 tables of the chain need more than 1 GiB",
					   walk->link[0].path);
		} else if (!options->keep) {
			close_link(link);
		}
		if (!link->backing || options->top_only)
			return 0;
		ret = step_down(walk, options);
		if (ret)
			return ret;
	}
}

struct walk *walk_chain(const char *path, const struct walk_options *options)
{
	const char *format = options->format ? options->format : "qcow2";
	struct walk *walk = xalloc(sizeof(*walk));
	struct link *top = add_link(walk);
	int ret;

	ret = walk_format_known(path, format);
	if (ret)
		goto fail;
	raise_file_limit();
	top->raw = !strcmp(format, "raw");
	top->named = xstrdup(path);
	top->place = place_of(path);
	top->path = top->place ? policy_resolve(path) : NULL;
	if (!top->path) {
		say("%s: %s", path, strerror(errno));
		goto fail;
	}
	if (options->policy && policy_trust_top(options->policy, top->place))
		goto fail;
	if (open_link(top, options, true) || walk_down(walk, options))
		goto fail;
	return walk;
fail:
	walk_free(walk);
	return NULL;
}

void walk_free(struct walk *walk)
{
	unsigned int i;

	if (!walk)
		return;
	for (i = 0; i < walk->nr; i++) {
		struct link *link = &walk->link[i];

		close_link(link);
		free(link->named);
		free(link->place);
		free(link->path);
		free(link->backing);
		free(link->backing_format);
	}
	free(walk->link);
	free(walk);
}

struct q2_chain *walk_to_chain(const struct walk *walk)
{
	struct q2_chain *chain = q2_chain_alloc(walk->nr);
	unsigned int i;

	if (!chain) {
		say("out of memory");
		exit(STATUS_FAILED);
	}
	for (i = 0; i < walk->nr; i++) {
		const struct link *link = &walk->link[i];
		struct q2_layer *layer = &chain->layers[walk->nr - 1 - i];

		layer->img = link->img;
		layer->file = &link->host->file;
		layer->size = link->size;
	}
	q2_chain_init(chain);
	return chain;
}
