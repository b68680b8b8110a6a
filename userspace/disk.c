// SPDX-License-Identifier: GPL-2.0-only
/* Guest bytes of a chain of files that is not attached. */
#include "disk.h"
#include "expand.h"
#include "say.h"

int disk_expand(void *chain, unsigned int nr, const struct q2_extent *ext, u32 skip, void *buf,
		u32 len)
{
	const struct q2_layer *layer = &((struct q2_chain *)chain)->layers[nr];
	const struct q2_geometry *geo = q2_image_geometry(layer->img);
	void *stored = xalloc(ext->compressed_size), *cluster = xalloc(geo->cluster_size);
	int ret = q2_file_read(layer->file, ext->host, stored, ext->compressed_size);

	if (!ret)
		ret = expand(q2_image_header(layer->img)->compression_type, stored,
			     ext->compressed_size, cluster, geo->cluster_size);
	if (!ret)
		memcpy(buf, (u8 *)cluster + skip, len);
	free(stored);
	free(cluster);
	return ret;
}

int disk_read(struct q2_chain *chain, u64 guest, u64 len, void *buf)
{
	u64 inside = guest < chain->size ? min(len, chain->size - guest) : 0;
	u8 *to = buf;

	memset(to + inside, 0, len - inside);
	while (inside) {
		struct q2_extent ext;
		unsigned int layer;
		int ret = q2_chain_lookup(chain, guest, inside, &layer, &ext);

		if (!ret && ext.kind == Q2_DATA)
			ret = q2_file_read(chain->layers[layer].file, ext.host, to, ext.len);
		else if (!ret && ext.kind == Q2_COMPRESSED)
			ret = disk_expand(
				chain, layer, &ext,
				q2_offset_into_cluster(q2_image_geometry(chain->layers[layer].img),
						       ext.guest),
				to, ext.len);
		else
			memset(to, 0, ext.len);
		if (ret)
			return ret;
		guest += ext.len;
		to += ext.len;
		inside -= ext.len;
	}
	return 0;
}

/* One step: what is written, and what fills its clusters up. */
static int write_step(struct q2_chain *chain, const struct q2_write *w, const void *buf)
{
	u64 head = w->guest - w->fill_start, tail = w->fill_end - w->guest - w->len;
	struct q2_file *file = chain->layers[chain->nr_layers - 1].file;
	u8 *bytes = xalloc(head + w->len + tail);
	int ret;

	ret = disk_read(chain, w->fill_start, head, bytes);
	if (!ret)
		ret = disk_read(chain, w->guest + w->len, tail, bytes + head + w->len);
	memcpy(bytes + head, buf, w->len);
	if (!ret)
		ret = q2_file_write(file, w->host - head, bytes, head + w->len + tail);
	free(bytes);
	return ret;
}

int disk_write(struct q2_chain *chain, u64 guest, u64 len, const void *buf)
{
	struct q2_image *img = chain->layers[chain->nr_layers - 1].img;
	const u8 *from = buf;

	while (len) {
		struct q2_write w;
		int ret = q2_write_begin(img, guest, len, &w);

		if (ret)
			return ret;
		ret = write_step(chain, &w, from);
		q2_write_end(img, &w, !ret);
		if (ret)
			return ret;
		guest += w.len;
		from += w.len;
		len -= w.len;
	}
	return 0;
}
