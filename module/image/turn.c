// SPDX-License-Identifier: GPL-2.0-only
/* The tables of an image become others by one write of its header. */
#include "env.h"
#include "format/refcount.h"
#include "image/turn.h"

/* What one L2 entry refers to. */
struct reference {
	u64 cluster;
	u64 clusters; /* 0: nothing */
	bool data;    /* not compressed: says COPIED, or not */
	bool copied;
};

static int read_reference(const struct q2_turn *turn, u32 entry, struct reference *ref)
{
	const struct q2_geometry *geo = &turn->img->geo;
	u32 words = 1U << (geo->l2_entry_bits - 3);
	u64 word = be64_to_cpu(turn->table[entry * words]);
	u64 bitmap = geo->extended_l2 ? be64_to_cpu(turn->table[entry * words + 1]) : 0;
	struct q2_mapping map;
	u64 end;

	memset(ref, 0, sizeof(*ref));
	if (q2_l2_entry_verify(geo, word, bitmap, turn->err))
		return -EUCLEAN;
	q2_l2_entry_decode(geo, word, bitmap, 0, &map);
	ref->cluster = map.host >> geo->cluster_bits;
	if (map.kind == Q2_COMPRESSED) {
		end = map.host + map.compressed_size;
		ref->clusters = q2_clusters(turn->img, end) - ref->cluster;
	} else if (map.host) {
		ref->clusters = 1;
		ref->data = true;
		ref->copied = map.copied;
	}
	return 0;
}

static int read_table(struct q2_turn *turn, u64 l2_offset)
{
	struct q2_image *img = turn->img;
	int ret = q2_file_read(img->file, l2_offset, turn->table, img->geo.cluster_size);

	return ret ? q2_err_set(turn->err, -ret, "the L2 table at %llu cannot be read", l2_offset)
		   : 0;
}

/* Put an error of the refcounts into words. */
static int explain(struct q2_turn *turn, int ret, u64 cluster)
{
	struct q2_err *err = turn->err;
	u64 offset = cluster << turn->img->geo.cluster_bits;

	switch (ret) {
	case 0:
		return 0;
	case -ERANGE:
		return q2_err_set(
			err, ERANGE,
			"the cluster at %llu has %llu references, and refcounts of %u bits hold no more",
			offset, q2_refcount_max(&turn->img->geo),
			1U << turn->img->geo.refcount_order);
	case -EUCLEAN:
		return q2_err_set(
			err, EUCLEAN,
			"the cluster at %llu is in use, and its refcount is 0: qcowctl check -r all repairs that",
			offset);
	case -ENOSPC:
		return q2_err_set(err, ENOSPC, "there is no room for the new tables");
	case -ENOMEM:
		return q2_err_set(err, ENOMEM, "there is not enough memory");
	default:
		return q2_err_set(err, -ret, "the refcounts cannot be read or written");
	}
}

static int count_run(struct q2_turn *turn, u64 cluster, u64 clusters, enum q2_turn_count how)
{
	int ret = 0;

	for (; clusters && !ret; clusters--, cluster++)
		ret = explain(turn,
			      how == Q2_TURN_REF ? q2_shadow_ref(&turn->sh, cluster)
						 : q2_shadow_unref(&turn->sh, cluster),
			      cluster);
	return ret;
}

/* Count what the entries of the table that has been read refer to, from @from on. */
static int count_table(struct q2_turn *turn, u32 from, enum q2_turn_count how)
{
	u32 n = 1U << turn->img->geo.l2_bits;
	struct reference ref;
	int ret = 0;

	for (; from < n && !ret; from++) {
		ret = read_reference(turn, from, &ref);
		if (!ret)
			ret = count_run(turn, ref.cluster, ref.clusters, how);
	}
	return ret;
}

int q2_turn_count_l1(struct q2_turn *turn, const u64 *words, u32 from, u32 to,
		     enum q2_turn_count how)
{
	const struct q2_geometry *geo = &turn->img->geo;
	u64 offset;
	int ret = 0;

	for (; from < to && !ret; from++) {
		ret = q2_l1_entry_decode(geo, words[from], &offset, NULL, turn->err);
		if (ret || !offset)
			continue;
		ret = read_table(turn, offset);
		if (!ret)
			ret = count_table(turn, 0, how);
		if (!ret && how == Q2_TURN_UNREF)
			ret = count_run(turn, offset >> geo->cluster_bits, 1, how);
		cond_resched();
	}
	return ret;
}

int q2_turn_unref(struct q2_turn *turn, u64 host, u64 bytes)
{
	return count_run(turn, host >> turn->img->geo.cluster_bits, q2_clusters(turn->img, bytes),
			 Q2_TURN_UNREF);
}

int q2_turn_write(struct q2_turn *turn, const void *data, u64 bytes, u64 *host)
{
	struct q2_image *img = turn->img;
	int ret;

	ret = explain(turn, q2_shadow_alloc(&turn->sh, q2_clusters(img, bytes), host), 0);
	if (ret)
		return ret;
	ret = q2_file_write(img->file, *host, data, bytes);
	if (!ret)
		return 0;
	q2_err_set(turn->err, -ret, "a new table cannot be written");
	return q2_image_write_failed(img, ret, "a new table cannot be written");
}

/* The table that has been read, changed by now, takes the place of that of entry @index. */
static int replace_table(struct q2_turn *turn, u32 index, bool counted)
{
	u64 old = turn->l1[index] & Q2_OFFSET_MASK;
	int ret;

	ret = q2_turn_write(turn, turn->table, turn->img->geo.cluster_size, &turn->l1[index]);
	if (!ret && counted)
		ret = q2_turn_unref(turn, old, 1);
	return ret;
}

int q2_turn_cut_table(struct q2_turn *turn, u32 index, u32 entry)
{
	u32 bytes = 1U << turn->img->geo.l2_entry_bits;
	u8 *from, *end;
	u64 offset;
	int ret;

	ret = q2_l1_entry_decode(&turn->img->geo, turn->l1[index], &offset, NULL, turn->err);
	if (ret || !offset)
		return ret;
	ret = read_table(turn, offset);
	if (ret)
		return ret;
	from = (u8 *)turn->table + (size_t)entry * bytes;
	end = (u8 *)turn->table + turn->img->geo.cluster_size;
	/* Most often there is nothing. */
	if (from == end || (!*from && !memcmp(from, from + 1, end - from - 1)))
		return 0;
	ret = count_table(turn, entry, Q2_TURN_UNREF);
	if (ret)
		return ret;
	memset(from, 0, end - from);
	return replace_table(turn, index, true);
}

/* As q2_turn_settle_tables(), for one of them. */
static int settle_table(struct q2_turn *turn, u32 index, bool counted)
{
	const struct q2_geometry *geo = &turn->img->geo;
	u32 i, n = 1U << geo->l2_bits, words = 1U << (geo->l2_entry_bits - 3);
	u64 offset, count;
	bool wrong = false;
	int ret;

	ret = q2_l1_entry_decode(geo, turn->l1[index], &offset, NULL, turn->err);
	if (ret || !offset)
		return ret;
	ret = read_table(turn, offset);
	for (i = 0; i < n && !ret; i++) {
		struct reference ref;

		ret = read_reference(turn, i, &ref);
		if (ret || !ref.data)
			continue;
		ret = explain(turn, q2_shadow_get(&turn->sh, ref.cluster, &count), ref.cluster);
		if (ret || ref.copied == (count == 1))
			continue;
		turn->table[i * words] ^= cpu_to_be64(Q2_COPIED);
		wrong = true;
	}
	if (ret)
		return ret;
	if (wrong)
		return replace_table(turn, index, counted);
	return counted ? 0 : count_run(turn, offset >> geo->cluster_bits, 1, Q2_TURN_REF);
}

int q2_turn_settle_tables(struct q2_turn *turn, bool counted)
{
	u32 i;
	int ret = 0;

	for (i = 0; i < turn->hdr.l1_size && !ret; i++) {
		ret = settle_table(turn, i, counted);
		cond_resched();
	}
	return ret;
}

int q2_turn_set_l1(struct q2_turn *turn, const u64 *words, u32 nr)
{
	struct q2_image *img = turn->img;
	u64 needed = DIV_ROUND_UP_ULL(turn->hdr.size, q2_l2_coverage(&img->geo));
	u64 pieces, i;

	if (needed * sizeof(u64) > Q2_MAX_L1_BYTES)
		return q2_err_set(turn->err, EFBIG,
				  "a disk of %llu bytes is too large for clusters of %u bytes",
				  turn->hdr.size, img->geo.cluster_size);
	pieces = DIV_ROUND_UP_ULL(needed * sizeof(u64), q2_piece(img));
	turn->l1 = kvcalloc(max(needed, 1ULL), sizeof(u64), GFP_NOIO);
	turn->l1_dirty = kvcalloc(pieces / 64 + 1, sizeof(u64), GFP_NOIO);
	if (!turn->l1 || !turn->l1_dirty)
		return explain(turn, -ENOMEM, 0);
	turn->hdr.l1_size = needed;
	for (i = 0; i < min_t(u64, needed, nr); i++)
		turn->l1[i] = words[i];
	return 0;
}

int q2_turn_begin(struct q2_turn *turn, struct q2_image *img, struct q2_err *err)
{
	int ret;

	memset(turn, 0, sizeof(*turn));
	turn->img = img;
	turn->err = err;
	ret = q2_image_hold(img);
	if (ret)
		return q2_err_set(err, -ret,
				  ret == -EROFS ? "the image is read-only"
						: "metadata cannot be written");
	turn->hdr = img->hdr;
	turn->snapshots_bytes = img->snapshots_bytes;
	q2_owned_init(&turn->owned);
	turn->table = kvmalloc(img->geo.cluster_size, GFP_NOIO);
	ret = turn->table ? q2_shadow_init(&turn->sh, img) : -ENOMEM;
	if (!ret)
		return 0;
	kvfree(turn->table);
	ret = explain(turn, ret, 0);
	q2_image_release(img);
	return ret;
}

/* COPIED in L1, where the L2 table has one reference. */
static int mark_l1(struct q2_turn *turn)
{
	u64 count, offset;
	int ret = 0;
	u32 i;

	for (i = 0; i < turn->hdr.l1_size && !ret; i++) {
		offset = turn->l1[i] & Q2_OFFSET_MASK;
		if (!offset)
			continue;
		ret = explain(
			turn,
			q2_shadow_get(&turn->sh, offset >> turn->img->geo.cluster_bits, &count),
			offset >> turn->img->geo.cluster_bits);
		turn->l1[i] = offset | (!ret && count == 1 ? Q2_COPIED : 0);
	}
	return ret;
}

/* The active L1 goes to a place of its own, unless it is what it was. */
static int write_l1(struct q2_turn *turn)
{
	struct q2_image *img = turn->img;
	u64 bytes = (u64)turn->hdr.l1_size * sizeof(u64);
	int ret = mark_l1(turn);

	if (ret)
		return ret;
	if (!turn->keep_l1) {
		if (turn->hdr.l1_size == img->hdr.l1_size && !memcmp(turn->l1, img->l1, bytes))
			return 0;
		ret = q2_turn_unref(turn, img->hdr.l1_offset, (u64)img->hdr.l1_size * sizeof(u64));
	}
	if (ret)
		return ret;
	if (!bytes) {
		turn->hdr.l1_offset = turn->keep_l1 ? turn->hdr.l1_offset : 0;
		return 0;
	}
	ret = explain(turn,
		      q2_shadow_alloc(&turn->sh, q2_clusters(img, bytes), &turn->hdr.l1_offset), 0);
	if (ret)
		return ret;
	ret = q2_write_words(img, turn->hdr.l1_offset, turn->l1, turn->hdr.l1_size);
	if (!ret)
		return 0;
	q2_err_set(turn->err, -ret, "the new L1 table cannot be written");
	return q2_image_write_failed(img, ret, "an L1 table cannot be written");
}

/* The clusters of L2 tables and refcount blocks to come. */
static int own_all(struct q2_turn *turn)
{
	struct q2_shadow *sh = &turn->sh;
	int ret = 0;
	u64 i;

	for (i = 0; i < turn->hdr.l1_size && !ret; i++) {
		if (turn->l1[i] & Q2_OFFSET_MASK)
			ret = q2_owned_add(&turn->owned, turn->l1[i] & Q2_OFFSET_MASK);
	}
	for (i = 0; i < sh->entries && !ret; i++) {
		if (sh->reftable[i] & Q2_REFTABLE_OFFSET_MASK)
			ret = q2_owned_add(&turn->owned, sh->reftable[i] & Q2_REFTABLE_OFFSET_MASK);
	}
	return explain(turn, ret, 0);
}

/* Everything that is new becomes durable, then the header that names it. */
static int switch_header(struct q2_turn *turn)
{
	struct q2_image *img = turn->img;
	int ret;

	turn->hdr.refcount_table_offset = turn->sh.offset;
	turn->hdr.refcount_table_clusters = turn->sh.clusters;
	ret = q2_image_flush(img);
	if (ret)
		return q2_err_set(turn->err, -ret, "the file cannot be flushed");
	ret = q2_write_header(img, &turn->hdr);
	if (!ret)
		ret = q2_file_flush(img->file);
	if (!ret)
		return 0;
	/* Old or new, nobody knows; the old state goes on being read, and is whole. */
	q2_err_set(turn->err, -ret, "the header cannot be written");
	return q2_image_fail(img, ret, "the header cannot be written");
}

/* The image in memory is the new one, too. */
static void adopt(struct q2_turn *turn)
{
	struct q2_image *img = turn->img;
	u64 size = max(turn->hdr.size, img->hdr.size);
	u64 *l1 = img->l1, *l1_dirty = img->l1_dirty;

	q2_shadow_adopt(&turn->sh);
	q2_owned_swap(&img->owned, &turn->owned);
	spin_lock(&img->words);
	img->hdr = turn->hdr;
	img->snapshots_bytes = turn->snapshots_bytes;
	img->l1 = turn->l1;
	img->l1_dirty = turn->l1_dirty;
	spin_unlock(&img->words);
	turn->l1 = l1;
	turn->l1_dirty = l1_dirty;
	/* MAP-FOLLOWS: what may be written in place is not what it was, if nothing else. */
	if (img->hooks && img->hooks->forget && size)
		img->hooks->forget(img->hooks_arg, 0, size);
}

int q2_turn_end(struct q2_turn *turn, int ret)
{
	struct q2_image *img = turn->img;

	lockdep_assert_held(&img->lock);
	if (!ret)
		ret = write_l1(turn);
	if (!ret)
		ret = explain(turn, q2_shadow_seal(&turn->sh), 0);
	if (!ret)
		ret = own_all(turn);
	if (!ret)
		ret = switch_header(turn);
	if (!ret) {
		adopt(turn);
		q2_shadow_discard(&turn->sh);
	} else if (ret == -ENOMEM) {
		explain(turn, ret, 0);
	}
	q2_shadow_destroy(&turn->sh);
	q2_owned_destroy(&turn->owned);
	kvfree(turn->table);
	kvfree(turn->l1);
	kvfree(turn->l1_dirty);
	q2_image_release(img);
	return ret;
}
