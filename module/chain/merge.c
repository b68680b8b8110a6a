// SPDX-License-Identifier: GPL-2.0-only
/* Copying what some layers of a chain hold into another layer. */
#include "env.h"
#include "chain/merge.h"
#include "image/resize.h"

/* Down, into the base; otherwise up, into an overlay. */
static bool is_commit(const struct q2_merge *m)
{
	return m->into < m->bottom;
}

static struct q2_layer *into_layer(const struct q2_merge *m)
{
	return &m->chain->layers[m->into];
}

static u32 room(const struct q2_merge *m)
{
	const struct q2_image *img = into_layer(m)->img;

	return max(Q2_MERGE_BYTES, img ? q2_image_geometry(img)->cluster_size : 0);
}

/*
 * An overlay above the merged layers reads zeroes beyond their end: where the base is
 * longer, it must become so.
 */
static u64 size_of(const struct q2_merge *m)
{
	u64 size = m->chain->layers[m->top].size;
	unsigned int overlay = q2_chain_above(m->chain, m->top);

	if (!is_commit(m))
		return into_layer(m)->size;
	if (overlay != Q2_NO_LAYER)
		size = max(size, min(into_layer(m)->size, m->chain->layers[overlay].size));
	return m->limit ? min(size, m->limit) : size;
}

/* Bytes that the base has to have. */
static u64 needed(const struct q2_merge *m)
{
	u64 size = m->chain->layers[m->top].size;

	return m->limit ? min(size, m->limit) : size;
}

bool q2_merge_grows(const struct q2_merge *m)
{
	return is_commit(m) && into_layer(m)->size < needed(m);
}

/*
 * Reading: what layers @top and below show.
 */

static int read_extent(struct q2_merge *m, unsigned int layer, const struct q2_extent *ext, u64 len,
		       void *buf)
{
	struct q2_layer *l = &m->chain->layers[layer];

	switch (ext->kind) {
	case Q2_DATA:
		return q2_file_read(l->file, ext->host, buf, len);
	case Q2_COMPRESSED:
		return m->expand(m->arg, layer, ext,
				 q2_offset_into_cluster(q2_image_geometry(l->img), ext->guest), buf,
				 len);
	default:
		memset(buf, 0, len);
		return 0;
	}
}

static int read_view(struct q2_merge *m, unsigned int top, u64 guest, u64 len, u8 *buf)
{
	while (len) {
		struct q2_extent ext;
		unsigned int layer;
		int ret;

		ret = q2_chain_lookup_in(m->chain, top, 0, guest, len, &layer, &ext);
		if (!ret)
			ret = read_extent(m, layer, &ext, ext.len, buf);
		if (ret)
			return ret;
		guest += ext.len;
		buf += ext.len;
		len -= ext.len;
	}
	return 0;
}

/*
 * Writing to @into
 */

/* A raw layer: whole blocks of its host, with what is beside the bytes in them. */
static int write_raw(struct q2_merge *m, u64 guest, u64 len, const u8 *buf)
{
	struct q2_file *file = into_layer(m)->file;
	u64 block = max_t(u64, file->align, Q2_SECTOR_SIZE);
	u64 start = round_down(guest, block), end = round_up(guest + len, block);
	int ret;

	if (start == guest && end == guest + len)
		return q2_file_write(file, guest, buf, len);
	while (start < guest + len) {
		u64 stop = min(end, start + Q2_MERGE_BYTES);
		u64 from = max(start, guest), to = min(stop, guest + len);

		ret = q2_file_read(file, start, m->fill, stop - start);
		if (ret)
			return ret;
		memcpy(m->fill + (from - start), buf + (from - guest), to - from);
		ret = q2_file_write(file, start, m->fill, stop - start);
		if (ret)
			return ret;
		start = stop;
	}
	return 0;
}

/* How far to be ahead of small pieces. */
#define RESERVE_BYTES (1U << 20)

/* Small pieces are for the sake of others who use the file: neither shall they wait for its end. */
static void reserve(struct q2_merge *m, u64 host, u64 len)
{
	struct q2_file *file = into_layer(m)->file;

	if (!m->piece || !file->ops->reserve || host + len <= m->reserved)
		return;
	m->reserved = host + max_t(u64, len, RESERVE_BYTES);
	file->ops->reserve(file, host, m->reserved - host);
}

/* One step of writing to an image: whole clusters, or a part of one. */
static int write_image_step(struct q2_merge *m, u64 guest, u64 len, const u8 *buf, u64 *done)
{
	struct q2_layer *l = into_layer(m);
	u64 size = q2_image_geometry(l->img)->cluster_size, head, tail;
	u64 in_cluster = guest & (size - 1);
	struct q2_write w;
	int ret;

	if (in_cluster || len < size)
		len = min(len, size - in_cluster);
	else
		len = round_down(len, size);
	ret = q2_write_begin(l->img, guest, len, &w);
	if (ret)
		return ret;
	head = guest - w.fill_start;
	tail = w.fill_end - guest - w.len;
	reserve(m, w.host - head, head + w.len + tail);
	if (!head && !tail) {
		ret = q2_file_write(l->file, w.host, buf, w.len);
	} else {
		ret = read_view(m, m->into, w.fill_start, head, m->fill);
		if (!ret)
			ret = read_view(m, m->into, guest + w.len, tail, m->fill + head + w.len);
		memcpy(m->fill + head, buf, w.len);
		if (!ret)
			ret = q2_file_write(l->file, w.host - head, m->fill, head + w.len + tail);
	}
	/* DATA-BEFORE-LINK: they are in the file before any lookup can find them there. */
	q2_write_end(l->img, &w, !ret);
	*done = w.len;
	return ret;
}

static int write_into(struct q2_merge *m, u64 guest, u64 len, const u8 *buf)
{
	u64 done;
	int ret = 0;

	m->moved += len;
	if (!into_layer(m)->img)
		return write_raw(m, guest, len, buf);
	while (len && !ret) {
		ret = write_image_step(m, guest, len, buf, &done);
		if (ret)
			break;
		guest += done;
		buf += done;
		len -= done;
	}
	return ret;
}

/* Write zeroes as data: the first bytes of a range, as many as the buffer has. */
static int write_zeroes(struct q2_merge *m, u64 guest, u64 len, u64 *done)
{
	*done = min_t(u64, len, room(m));
	memset(m->buf, 0, *done);
	return write_into(m, guest, *done, m->buf);
}

/* Zeroes of one step at most: what waits for a step shall not wait long. */
#define MAX_ZERO (16ULL << 20)

/* The first bytes of a range shall read zeroes. */
static int zero_into(struct q2_merge *m, u64 guest, u64 len, u64 *done)
{
	struct q2_layer *l = into_layer(m);
	u64 unit, end;
	int ret;

	len = min(len, MAX_ZERO);
	end = guest + len;
	if (!l->img) {
		ret = l->file->ops->zero ? l->file->ops->zero(l->file, guest, len) : -EOPNOTSUPP;
		*done = len;
		return ret == -EOPNOTSUPP ? write_zeroes(m, guest, len, done) : ret;
	}
	unit = 1ULL << q2_image_geometry(l->img)->subcluster_bits;
	/* Up to a border of subclusters, or from one to another one. */
	if (guest & (unit - 1))
		return write_zeroes(m, guest, min(len, unit - (guest & (unit - 1))), done);
	if (end != l->size)
		end = round_down(end, unit);
	if (end <= guest)
		return write_zeroes(m, guest, len, done);
	ret = q2_image_zero(l->img, guest, end - guest, true, done);
	if (ret != -EOPNOTSUPP || *done)
		return *done ? 0 : ret;
	/* An entry that cannot say so: up to the end of its cluster. */
	unit = q2_image_geometry(l->img)->cluster_size;
	return write_zeroes(m, guest, min(end - guest, unit - (guest & (unit - 1))), done);
}

/*
 * A step
 */

static int copy_extent(struct q2_merge *m, unsigned int layer, const struct q2_extent *ext,
		       u64 *done)
{
	u64 most = room(m);
	int ret;

	if (m->piece)
		most = min(most, m->piece);
	*done = min(ext->len, most);
	ret = read_extent(m, layer, ext, *done, m->buf);
	return ret ? ret : write_into(m, ext->guest, *done, m->buf);
}

/*
 * What there is to do at @guest: the extent of the layers that are merged, cut to where
 * the answer is the same; Q2_UNALLOCATED: nothing.
 */
static int find(struct q2_merge *m, u64 guest, u64 len, unsigned int *layer, struct q2_extent *ext)
{
	int ret;

	if (!is_commit(m)) {
		ret = q2_image_lookup(into_layer(m)->img, guest, len, ext);
		if (ret)
			return ret;
		if (ext->kind != Q2_UNALLOCATED) {
			ext->kind = Q2_UNALLOCATED;
			return 0;
		}
		len = ext->len;
	}
	ret = q2_chain_lookup_in(m->chain, m->top, m->bottom, guest, len, layer, ext);
	if (ret)
		return ret;
	/* An overlay that will stand alone reads zeroes where it has nothing. */
	if (ext->kind != Q2_DATA && ext->kind != Q2_COMPRESSED && !is_commit(m) &&
	    q2_chain_below(m->chain, m->bottom) == Q2_NO_LAYER)
		ext->kind = Q2_UNALLOCATED;
	return 0;
}

int q2_merge_idle(struct q2_merge *m, u64 guest, u64 *len)
{
	struct q2_extent ext;
	unsigned int layer;
	int ret;

	*len = 0;
	while (guest + *len < m->size) {
		ret = find(m, guest + *len, m->size - guest - *len, &layer, &ext);
		if (ret)
			return *len ? 0 : ret;
		if (ext.kind != Q2_UNALLOCATED)
			break;
		*len += ext.len;
		cond_resched();
		if (m->stop && m->stop(m->stop_arg))
			break;
	}
	return 0;
}

int q2_merge_step(struct q2_merge *m, u64 guest, u64 len, u64 *done)
{
	struct q2_extent ext;
	unsigned int layer;
	int ret;

	ret = find(m, guest, min(len, m->size - guest), &layer, &ext);
	if (ret)
		return ret;
	*done = ext.len;
	switch (ext.kind) {
	case Q2_UNALLOCATED:
		return 0;
	case Q2_DATA:
	case Q2_COMPRESSED:
		return copy_extent(m, layer, &ext, done);
	default:
		return zero_into(m, guest, ext.len, done);
	}
}

/*
 * Beginning and end
 */

/* What the base has in its last sector is written again, so that zeroes lie behind it. */
static int write_last_sector(struct q2_merge *m)
{
	u64 guest = into_layer(m)->size - Q2_SECTOR_SIZE;
	int ret = read_view(m, m->into, guest, Q2_SECTOR_SIZE, m->buf);

	return ret ? ret : write_into(m, guest, Q2_SECTOR_SIZE, m->buf);
}

static int grow_image(struct q2_merge *m, u64 size, struct q2_err *err)
{
	unsigned int below = q2_chain_below(m->chain, m->into);
	u64 backing = below == Q2_NO_LAYER ? 0 : m->chain->layers[below].size;
	int ret = q2_image_resize(into_layer(m)->img, size, backing, err);

	if (ret != -EAGAIN)
		return ret;
	err->text[0] = '\0';
	ret = write_last_sector(m);
	return ret ? ret : q2_image_resize(into_layer(m)->img, size, backing, err);
}

/* A raw file grows when its last block is written; what is before it reads zeroes. */
static int grow_raw(struct q2_merge *m, u64 size, struct q2_err *err)
{
	struct q2_file *file = into_layer(m)->file;
	int ret;

	if (size > file->limit)
		return q2_err_set(err, ENOSPC,
				  "%s: has %llu bytes, and %llu are to be merged into it",
				  file->name, file->limit, size);
	memset(m->buf, 0, Q2_SECTOR_SIZE);
	ret = write_raw(m, size - Q2_SECTOR_SIZE, Q2_SECTOR_SIZE, m->buf);
	/* Who builds another chain of it goes by this. */
	if (!ret && file->size < size)
		WRITE_ONCE(file->size, size);
	return ret;
}

int q2_merge_begin(struct q2_merge *m, struct q2_err *err)
{
	u64 size = needed(m);
	int ret = 0;

	m->moved = 0;
	m->reserved = 0;
	m->buf = kvmalloc(room(m), GFP_KERNEL);
	m->fill = kvmalloc(room(m), GFP_KERNEL);
	if (!m->buf || !m->fill)
		ret = q2_err_set(err, ENOMEM, "there is not enough memory");
	if (!ret && q2_merge_grows(m)) {
		err->text[0] = '\0';
		ret = into_layer(m)->img ? grow_image(m, size, err) : grow_raw(m, size, err);
		if (ret && !err->text[0])
			q2_err_set(err, -ret, "%s: cannot be made longer (error %d)",
				   into_layer(m)->file->name, -ret);
		if (!ret)
			WRITE_ONCE(into_layer(m)->size, size);
	}
	m->size = size_of(m);
	if (ret)
		q2_merge_end(m);
	return ret;
}

void q2_merge_end(struct q2_merge *m)
{
	kvfree(m->buf);
	kvfree(m->fill);
	m->buf = NULL;
	m->fill = NULL;
}
