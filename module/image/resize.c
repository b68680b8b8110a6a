// SPDX-License-Identifier: GPL-2.0-only
/* The size of a writable image's disk. */
#include "env.h"
#include "image/resize.h"
#include "image/turn.h"

static int check(const struct q2_image *img, u64 size, u64 backing_size, struct q2_err *err)
{
	if (!img->writable)
		return q2_err_set(err, EROFS, "the image is read-only");
	if (!size || size % Q2_SECTOR_SIZE || size > Q2_MAX_OFFSET)
		return q2_err_set(err, EINVAL, "the size must be a multiple of %u bytes, and not 0",
				  Q2_SECTOR_SIZE);
	if (img->hdr.version < 3 && img->hdr.nb_snapshots)
		return q2_err_set(
			err, EOPNOTSUPP,
			"an image of version 2 does not know the sizes of its snapshots: it cannot be resized while there are any");
	if (img->hdr.version < 3 && size > img->hdr.size && backing_size > img->hdr.size)
		return q2_err_set(
			err, EOPNOTSUPP,
			"the backing file is longer than the disk, and an image of version 2 cannot say that the new part reads zeroes");
	return 0;
}

/* Bytes of the file become zeroes from @host to the end of the cluster, unless they are. */
static int zero_host(struct q2_image *img, u64 host)
{
	u64 cluster = round_down(host, (u64)img->geo.cluster_size);
	u64 from = round_down(host, (u64)q2_piece(img)), skip = host - from;
	u64 len = cluster + img->geo.cluster_size - from;
	u8 *buf = img->scratch;
	int ret;

	lockdep_assert_held(&img->lock);
	ret = q2_file_read(img->file, from, buf, len);
	if (ret || (!buf[skip] && !memcmp(buf + skip, buf + skip + 1, len - skip - 1)))
		return ret;
	memset(buf + skip, 0, len - skip);
	ret = q2_file_write(img->file, from, buf, len);
	return ret ? q2_image_write_failed(img, ret, "zeroes cannot be written") : 0;
}

/*
 * What lies behind the end of the disk in its last cluster may be anything: what a
 * backing file has there, or what a longer disk had. Before the disk grows it
 * becomes zeroes, where that can be done in place.
 */
static int zero_tail(struct q2_image *img, bool longer)
{
	u64 size = img->hdr.size;
	struct q2_extent ext;
	int ret;

	if (!q2_offset_into_cluster(&img->geo, size))
		return 0;
	ret = q2_image_lookup(img, size - 1, 1, &ext);
	if (ret)
		return ret;
	switch (ext.kind) {
	case Q2_COMPRESSED:
		return -EAGAIN;
	case Q2_DATA:
		if (!ext.copied || !q2_image_may_overwrite(img, ext.host, 1))
			return -EAGAIN;
		ret = q2_image_hold(img);
		if (ret)
			return ret;
		ret = zero_host(img, ext.host + 1);
		q2_image_release(img);
		return ret;
	case Q2_UNALLOCATED:
		/* A whole subcluster can be marked, not the rest of one. */
		return longer && size & ((1ULL << img->geo.subcluster_bits) - 1) ? -EAGAIN : 0;
	default:
		return 0;
	}
}

/* Tables for a disk of @needed bytes, with nothing in them from @keep bytes on. */
static int turn_tables(struct q2_image *img, u64 size, u64 needed, u64 keep, struct q2_err *err)
{
	u64 coverage = q2_l2_coverage(&img->geo);
	struct q2_turn turn;
	u32 tables;
	int ret;

	ret = q2_turn_begin(&turn, img, err);
	if (ret)
		return ret;
	tables = DIV_ROUND_UP_ULL(keep, coverage);
	/* The size that the tables are for. */
	turn.hdr.size = needed;
	ret = q2_turn_set_l1(&turn, img->l1, min(tables, img->hdr.l1_size));
	turn.hdr.size = size;
	if (!ret)
		ret = q2_turn_count_l1(&turn, img->l1, tables, img->hdr.l1_size, Q2_TURN_UNREF);
	if (!ret && keep % coverage)
		ret = q2_turn_cut_table(&turn, tables - 1, q2_l2_index(&img->geo, keep - 1) + 1);
	return q2_turn_end(&turn, ret);
}

/* The new range says zero where the backing file would show through. */
static int zero_new(struct q2_image *img, u64 size, u64 backing_size, struct q2_err *err)
{
	u64 from = round_up(img->hdr.size, 1ULL << img->geo.subcluster_bits);
	u64 end = round_up(min(size, backing_size), (u64)img->geo.cluster_size);
	u64 done;
	int ret = 0;

	if (end > from)
		ret = q2_image_zero(img, from, end - from, false, &done);
	if (!ret)
		ret = q2_image_commit(img);
	return ret ? q2_err_set(err, -ret, "the new range cannot be marked as zeroes") : 0;
}

int q2_image_resize(struct q2_image *img, u64 size, u64 backing_size, struct q2_err *err)
{
	u64 old = img->hdr.size, cluster = img->geo.cluster_size;
	bool longer = backing_size > old;
	int ret = check(img, size, backing_size, err);

	if (ret || size == old)
		return ret;
	if (size < old)
		return turn_tables(img, size, size, round_up(size, cluster), err);
	ret = zero_tail(img, longer);
	if (ret == -EAGAIN)
		return q2_err_set(err, EAGAIN,
				  "the last cluster of the disk must be written first");
	if (ret)
		return q2_err_set(err, -ret,
				  "the last cluster of the disk cannot be read or written");
	/* Subclusters behind the end in the last cluster count as new. */
	if (!longer && !(img->geo.extended_l2 && old & (cluster - 1)))
		return turn_tables(img, size, size, round_up(old, cluster), err);
	ret = turn_tables(img, old, size, round_up(old, cluster), err);
	if (!ret)
		ret = zero_new(img, size, max(backing_size, old + 1), err);
	return ret ? ret : turn_tables(img, size, size, size, err);
}
