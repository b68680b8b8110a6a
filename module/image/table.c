// SPDX-License-Identifier: GPL-2.0-only
/*
 * L2 tables that are being written.
 *
 * A table that L1 does not mark COPIED is shared with an internal snapshot and
 * is copied before its first change. A new table is written whole at once, and
 * nothing on the disk names it until a commit has made it durable.
 */
#include "env.h"
#include "image/internal.h"

static u64 slice_offset(const struct q2_image *img, u64 l2_offset, u64 guest)
{
	u64 byte = (u64)q2_l2_index(&img->geo, guest) << img->geo.l2_entry_bits;

	return l2_offset + round_down(byte, (u64)q2_piece(img));
}

/* Fill the cluster at @to with zeroes, or with the table at @from. */
static int write_table(struct q2_image *img, u64 from, u64 to)
{
	int ret = 0;

	/* Never dirty in memory: a shared table is not changed. */
	if (from)
		ret = q2_file_read(img->file, from, img->scratch, img->geo.cluster_size);
	else
		memset(img->scratch, 0, img->geo.cluster_size);
	if (ret)
		return ret;
	ret = q2_file_write(img->file, to, img->scratch, img->geo.cluster_size);
	return ret ? q2_image_write_failed(img, ret, "an L2 table cannot be written") : 0;
}

/* A new table for L1 entry @index, with the content of @old if that is not 0. */
static int new_table(struct q2_image *img, u64 index, u64 old)
{
	struct q2_freed *freed = NULL;
	u64 host, got, bit;
	bool untouched;
	int ret;

	if (old) {
		freed = q2_freed_get(img);
		if (!freed)
			return -ENOMEM;
		freed->host = old;
		freed->clusters = 1;
	}
	ret = q2_space_alloc(img, 1, &host, &got, &untouched);
	if (ret)
		goto free_record;
	q2_cache_forget(img->cache, host, img->geo.cluster_size);
	ret = write_table(img, old, host);
	if (!ret)
		ret = q2_owned_add(&img->owned, host);
	if (ret)
		goto put_cluster;
	spin_lock(&img->words);
	WRITE_ONCE(img->l1[index], host | Q2_COPIED | Q2_L1_FRESH);
	spin_unlock(&img->words);
	bit = index * sizeof(u64) / q2_piece(img);
	img->l1_dirty[bit / 64] |= BIT_ULL(bit % 64);
	img->any_l1_dirty = true;
	/* NO-REUSE: the old table loses its reference when L1 is durable without it. */
	if (freed)
		q2_add_freed(img, freed);
	return 0;

put_cluster:
	q2_space_put(img, host, 1);
free_record:
	q2_freed_put(img, freed);
	return ret;
}

struct q2_slice *q2_table_get(struct q2_image *img, u64 guest)
{
	u64 index = q2_l1_index(&img->geo, guest);
	u64 l2_offset;
	bool copied;
	int ret;

	lockdep_assert_held(&img->lock);
	ret = q2_l1_entry_decode(&img->geo, img->l1[index], &l2_offset, &copied, NULL);
	if (ret) {
		q2_image_corrupt(img, "an L1 entry breaks the format");
		return ERR_PTR(ret);
	}
	if (!l2_offset || !copied) {
		ret = new_table(img, index, l2_offset);
		if (ret)
			return ERR_PTR(ret);
		l2_offset = img->l1[index] & Q2_OFFSET_MASK;
	}
	return q2_cache_get(img->cache, slice_offset(img, l2_offset, guest));
}

void q2_table_dirty(struct q2_image *img, struct q2_slice *slice, u64 guest)
{
	bool fresh = img->l1[q2_l1_index(&img->geo, guest)] & Q2_L1_FRESH;

	q2_mark_dirty(img, slice, fresh ? &img->dirty_fresh : &img->dirty_l2);
}

static __be64 *entry_of(const struct q2_image *img, const struct q2_slice *slice, u64 guest)
{
	u64 byte = (u64)q2_l2_index(&img->geo, guest) << img->geo.l2_entry_bits;

	return (__be64 *)((u8 *)slice->data + (byte & (q2_piece(img) - 1)));
}

void q2_table_read(struct q2_image *img, const struct q2_slice *slice, u64 guest, u64 *word,
		   u64 *bitmap)
{
	const __be64 *entry = entry_of(img, slice, guest);

	*word = be64_to_cpu(entry[0]);
	*bitmap = img->geo.extended_l2 ? be64_to_cpu(entry[1]) : 0;
}

void q2_table_write(struct q2_image *img, struct q2_slice *slice, u64 guest, u64 word, u64 bitmap)
{
	__be64 *entry = entry_of(img, slice, guest);

	lockdep_assert_held(&img->lock);
	/* Before anyone can look the new words up: see q2_image_stable(). */
	WRITE_ONCE(img->unstable, true);
	/* A lookup sees both words of an entry, or neither. */
	spin_lock(&img->words);
	entry[0] = cpu_to_be64(word);
	if (img->geo.extended_l2)
		entry[1] = cpu_to_be64(bitmap);
	spin_unlock(&img->words);
}
