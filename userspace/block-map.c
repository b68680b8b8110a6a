// SPDX-License-Identifier: GPL-2.0-only
#include "block-map.h"
#include "refcounts.h"
#include "say.h"

/* What is known of a layer beyond its chain: are its data clusters perhaps holes? */
enum sparse {
	UNKNOWN,
	SPARSE,
	SOLID
};

struct mapper {
	const struct walk *walk;
	struct q2_chain *chain;
	enum sparse *sparse; /* by layer, base first */
};

static const struct link *link_of(const struct mapper *m, unsigned int layer)
{
	return &m->walk->link[m->walk->nr - 1 - layer];
}

/*
 * QEMU asks the host for holes behind data clusters only if the image looks as
 * if its metadata had been preallocated: more clusters are in use than the file
 * has blocks. So do we, or the answers would differ.
 */
static enum sparse look_at_blocks(struct q2_image *img, struct host_file *host)
{
	const struct q2_geometry *geo = q2_image_geometry(img);
	u64 clusters, used = 0, count, i, end, limit;
	struct refcounts refcounts;

	if (host->block)
		return SOLID;
	clusters = host_file_allocated(host) / geo->cluster_size;
	limit = max(clusters * 10 / 9, clusters + 2);
	end = DIV_ROUND_UP(host->file.size, geo->cluster_size);
	if (refcounts_open(&refcounts, &host->file, q2_image_header(img), geo))
		return SOLID;
	for (i = 0; i < end && used < limit; i++) {
		if (refcounts_get(&refcounts, i, &count))
			break;
		used += count > 0;
	}
	refcounts_close(&refcounts);
	return used >= limit ? SPARSE : SOLID;
}

static bool maybe_holes(struct mapper *m, unsigned int layer)
{
	const struct q2_layer *l = &m->chain->layers[layer];

	if (m->sparse[layer] == UNKNOWN)
		m->sparse[layer] = look_at_blocks(l->img, to_host_file(l->file));
	return m->sparse[layer] == SPARSE;
}

static void set_offset(const struct mapper *m, unsigned int layer, u64 offset,
		       struct block_run *run)
{
	run->has_offset = true;
	run->offset = offset;
	run->file = link_of(m, layer)->path;
}

/*
 * A host cluster may stand behind zeroes, and behind subclusters that are not
 * there: ask for one cluster. A lookup that starts there tells of it.
 */
static void find_kept_cluster(const struct mapper *m, unsigned int layer, struct block_run *run)
{
	struct q2_image *img = m->chain->layers[layer].img;
	const struct q2_geometry *geo;
	struct q2_extent ext;
	u32 in_cluster;

	if (!img)
		return;
	geo = q2_image_geometry(img);
	in_cluster = q2_offset_into_cluster(geo, run->start);
	run->length = min(run->length, (u64)geo->cluster_size - in_cluster);
	if (q2_image_lookup(img, run->start, run->length, &ext) || !ext.host)
		return;
	run->length = ext.len;
	set_offset(m, layer, ext.host + in_cluster, run);
}

/* Nobody has it: @layer is the last one that was asked. */
static void tell_absent(const struct mapper *m, unsigned int layer, struct block_run *run)
{
	const struct q2_image *img = m->chain->layers[layer].img;

	run->depth = m->chain->nr_layers - 1 - layer;
	run->zero = true;
	if (img && q2_image_geometry(img)->extended_l2)
		find_kept_cluster(m, layer, run);
}

static void tell_data(struct mapper *m, unsigned int layer, u64 host, struct block_run *run)
{
	const struct q2_layer *l = &m->chain->layers[layer];
	const struct host_file *file = to_host_file(l->file);
	bool data = true;

	set_offset(m, layer, host, run);
	if (!l->img) {
		run->length = host_file_run(file, host, run->length, &data);
		run->data = data;
		run->zero = !data;
		return;
	}
	run->data = true;
	if (maybe_holes(m, layer)) {
		run->length = host_file_run(file, host, run->length, &data);
		run->zero = !data;
	}
}

/* The run that starts at run->start. Return: 0, or -errno of the lookup. */
static int next_run(struct mapper *m, struct block_run *run)
{
	struct q2_extent ext;
	unsigned int layer;
	int ret;

	ret = q2_chain_lookup(m->chain, run->start, m->chain->size - run->start, &layer, &ext);
	if (ret)
		return ret;
	run->length = ext.len;
	if (run->start >= m->chain->layers[layer].size) {
		/* Past the end of a shorter layer: the one above has nothing below it. */
		tell_absent(m, layer + 1, run);
		return 0;
	}
	if (ext.kind == Q2_UNALLOCATED) {
		tell_absent(m, layer, run);
		return 0;
	}
	run->present = true;
	run->depth = m->chain->nr_layers - 1 - layer;
	switch (ext.kind) {
	case Q2_DATA:
		tell_data(m, layer, ext.host, run);
		break;
	case Q2_COMPRESSED:
		run->data = true;
		run->compressed = true;
		break;
	case Q2_ZERO_ALLOCATED:
		run->zero = true;
		find_kept_cluster(m, layer, run);
		break;
	default:
		run->zero = true;
	}
	return 0;
}

static bool continues(const struct block_run *a, const struct block_run *b)
{
	if (a->depth != b->depth || a->present != b->present || a->zero != b->zero ||
	    a->data != b->data || a->compressed != b->compressed || a->has_offset != b->has_offset)
		return false;
	return !a->has_offset || a->offset + a->length == b->offset;
}

int block_map(const struct walk *walk, void (*tell)(const struct block_run *run, void *context),
	      void *context)
{
	struct mapper m = {.walk = walk, .chain = walk_to_chain(walk)};
	struct block_run run = {0}, next;
	int ret = 0;

	m.sparse = xalloc(walk->nr * sizeof(*m.sparse));
	while (run.start + run.length < m.chain->size) {
		next = (struct block_run){.start = run.start + run.length};
		ret = next_run(&m, &next);
		if (ret) {
			ret = say("%s: the map cannot be read at %llu: %s", walk->link[0].path,
				  next.start,
				  ret == -EUCLEAN ? "a table entry is corrupt" : strerror(-ret));
			break;
		}
		if (run.length && continues(&run, &next)) {
			run.length += next.length;
			continue;
		}
		if (run.length)
			tell(&run, context);
		run = next;
	}
	if (!ret && run.length)
		tell(&run, context);
	free(m.sparse);
	q2_chain_free(m.chain);
	return ret;
}
