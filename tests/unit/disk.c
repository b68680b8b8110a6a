// SPDX-License-Identifier: GPL-2.0-only
/* A chain of files in memory and its bytes. */
#include <zlib.h>
#include <zstd.h>
#include "disk.h"

struct disk disk_open(struct mem_file **files, const bool *raw, unsigned int nr)
{
	struct disk disk = {.chain = q2_chain_alloc(nr)};
	unsigned int i;

	if (!disk.chain) {
		disk.ret = -ENOMEM;
		return disk;
	}
	for (i = 0; i < nr; i++) {
		struct q2_layer *layer = &disk.chain->layers[i];

		layer->file = &files[i]->file;
		layer->size = round_down(layer->file->size, 512);
		if (raw && raw[i])
			continue;
		layer->img = q2_image_open(layer->file, Q2_CACHE_MIN, &disk.err);
		if (IS_ERR(layer->img)) {
			disk.ret = PTR_ERR(layer->img);
			layer->img = NULL;
			disk_close(&disk);
			return disk;
		}
		layer->size = q2_image_size(layer->img);
	}
	q2_chain_init(disk.chain);
	return disk;
}

void disk_close(struct disk *disk)
{
	unsigned int i;

	if (!disk->chain)
		return;
	for (i = 0; i < disk->chain->nr_layers; i++) {
		if (disk->chain->layers[i].img)
			q2_image_close(disk->chain->layers[i].img);
	}
	q2_chain_free(disk->chain);
	disk->chain = NULL;
}

static int inflate_cluster(void *out, size_t out_len, const void *in, size_t in_len)
{
	z_stream z = {.next_in = (void *)in, .avail_in = in_len, .next_out = out};
	int ret;

	z.avail_out = out_len;
	if (inflateInit2(&z, -12) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && !z.avail_out ? 0 : -EIO;
}

static int unzstd_cluster(void *out, size_t out_len, const void *in, size_t in_len)
{
	ZSTD_inBuffer from = {in, in_len, 0};
	ZSTD_outBuffer to = {out, out_len, 0};
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	int ret = 0;

	while (to.pos < to.size && !ret) {
		size_t before = from.pos + to.pos;

		if (ZSTD_isError(ZSTD_decompressStream(ctx, &to, &from)) ||
		    from.pos + to.pos == before)
			ret = -EIO;
	}
	ZSTD_freeDCtx(ctx);
	return ret;
}

/* Part of a compressed cluster. */
static int read_compressed(struct q2_image *img, const struct q2_extent *ext, void *buf, size_t len)
{
	size_t cluster = q2_image_geometry(img)->cluster_size;
	u8 *out = malloc(cluster), *in = malloc(ext->compressed_size);
	int ret = q2_file_read(q2_image_file(img), ext->host, in, ext->compressed_size);

	if (!ret && q2_image_header(img)->compression_type == Q2_COMPRESSION_ZSTD)
		ret = unzstd_cluster(out, cluster, in, ext->compressed_size);
	else if (!ret)
		ret = inflate_cluster(out, cluster, in, ext->compressed_size);
	if (!ret)
		memcpy(buf, out + (ext->guest & (cluster - 1)), len);
	free(in);
	free(out);
	return ret;
}

static int read_extent(const struct q2_layer *layer, const struct q2_extent *ext, void *buf,
		       size_t len)
{
	switch (ext->kind) {
	case Q2_DATA:
		return q2_file_read(layer->file, ext->host, buf, len);
	case Q2_COMPRESSED:
		return read_compressed(layer->img, ext, buf, len);
	default:
		memset(buf, 0, len);
		return 0;
	}
}

int disk_read(struct q2_chain *chain, u64 guest, void *buf, size_t len)
{
	while (len) {
		struct q2_extent ext;
		unsigned int layer;
		int ret = q2_chain_lookup(chain, guest, len, &layer, &ext);

		/* Whatever the answer is, it is one for these bytes and for some of them. */
		if (ext.guest != guest || !ext.len || ext.len > len || layer >= chain->nr_layers)
			return -ERANGE;
		if (!ret)
			ret = read_extent(&chain->layers[layer], &ext, buf, ext.len);
		if (ret)
			return ret;
		guest += ext.len;
		len -= ext.len;
		buf = (u8 *)buf + ext.len;
	}
	return 0;
}

/* A run of compressed clusters that the map says @layer answers with. */
static int read_compressed_run(const struct q2_layer *layer, u64 guest, u64 len, u8 *buf)
{
	while (len) {
		struct q2_extent ext;
		int ret = q2_image_lookup(layer->img, guest, len, &ext);

		if (!ret && ext.kind != Q2_COMPRESSED)
			ret = -ERANGE;
		if (!ret)
			ret = read_extent(layer, &ext, buf, ext.len);
		if (ret)
			return ret;
		guest += ext.len;
		len -= ext.len;
		buf += ext.len;
	}
	return 0;
}

/* One run of the map. */
static int read_run(struct q2_chain *chain, u64 guest, const struct q2_run *run, void *buf)
{
	const struct q2_layer *layer = &chain->layers[run->layer];

	switch (run->kind) {
	case Q2_MAP_DATA:
		return q2_file_read(layer->file, run->host, buf, run->len);
	case Q2_MAP_ZERO:
		memset(buf, 0, run->len);
		return 0;
	case Q2_MAP_COMPRESSED:
		return read_compressed_run(layer, guest, run->len, buf);
	default:
		return disk_read(chain, guest, buf, run->len);
	}
}

int disk_read_map(struct q2_chain *chain, struct q2_map *map, u64 guest, void *buf, size_t len)
{
	bool filled = false;

	while (len) {
		struct q2_run run;
		int ret;

		memset(&run, 0, sizeof(run));
		q2_map_lookup(map, guest, len, &run);
		if (!run.len || run.len > len)
			return -ERANGE;
		if (run.kind == Q2_MAP_MISS && !filled) {
			filled = true;
			if (!q2_map_fill(map, guest))
				continue;
		}
		/* Not to be had, or gone again at once: ask the chain, like everyone. */
		ret = read_run(chain, guest, &run, buf);
		if (ret)
			return ret;
		filled = false;
		guest += run.len;
		len -= run.len;
		buf = (u8 *)buf + run.len;
	}
	return 0;
}
