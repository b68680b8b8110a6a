// SPDX-License-Identifier: GPL-2.0-only
/* What guest requests change in an image. */
#include "env.h"
#include "image/internal.h"

/* Bytes that one step covers at most, or a cluster if that is more. */
#define MAX_STEP (1ULL << 20)

/* What a write has to do with a cluster, by its L2 entry. */
enum treatment {
	IN_PLACE,    /* host cluster is ours alone: write there, then mark what was written */
	NEW_CLUSTER, /* there is none, or others share it, or it is compressed */
};

struct entry {
	u64 word;
	u64 bitmap;
	struct q2_mapping map; /* of its first subcluster */
};

static int read_entry(struct q2_image *img, const struct q2_slice *slice, u64 guest,
		      struct entry *e)
{
	q2_table_read(img, slice, guest, &e->word, &e->bitmap);
	if (q2_l2_entry_verify(&img->geo, e->word, e->bitmap, NULL))
		return -EUCLEAN;
	q2_l2_entry_decode(&img->geo, e->word, e->bitmap, 0, &e->map);
	return 0;
}

static enum treatment treatment_of(const struct entry *e)
{
	bool ours = e->map.kind != Q2_COMPRESSED && e->map.host && e->map.copied;

	return ours ? IN_PLACE : NEW_CLUSTER;
}

static bool subcluster_is_data(const struct q2_image *img, const struct entry *e, u32 sub)
{
	struct q2_mapping map;

	q2_l2_entry_decode(&img->geo, e->word, e->bitmap, sub, &map);
	return map.kind == Q2_DATA;
}

/* Guest bytes up to the end of what the slice with @guest maps. */
static u64 slice_rest(const struct q2_image *img, u64 guest)
{
	u64 bytes = (u64)(q2_piece(img) >> img->geo.l2_entry_bits) << img->geo.cluster_bits;

	return bytes - (guest & (bytes - 1));
}

/*
 * The range around [guest, end) that must be filled: down and up to the
 * borders of subclusters (clusters without extended L2), where these have no
 * data of their own on the host cluster. A new cluster for one that had data is
 * filled whole: its other subclusters move along.
 */
static void set_fill(const struct q2_image *img, struct q2_write *w, const struct entry *first,
		     const struct entry *last, enum treatment treatment)
{
	u64 unit = 1ULL << img->geo.subcluster_bits;
	u64 end = w->guest + w->len;
	u64 last_byte = end - 1;
	u32 sub;

	w->fill_start = w->guest;
	w->fill_end = end;
	if (treatment == NEW_CLUSTER && img->geo.extended_l2 &&
	    (first->map.kind == Q2_COMPRESSED || (u32)first->bitmap))
		unit = img->geo.cluster_size;
	sub = q2_offset_into_cluster(&img->geo, w->guest) >> img->geo.subcluster_bits;
	if (treatment == NEW_CLUSTER || !subcluster_is_data(img, first, sub))
		w->fill_start = round_down(w->guest, unit);
	if (treatment == NEW_CLUSTER && img->geo.extended_l2) {
		unit = 1ULL << img->geo.subcluster_bits;
		if (last->map.kind == Q2_COMPRESSED || (u32)last->bitmap)
			unit = img->geo.cluster_size;
	}
	sub = q2_offset_into_cluster(&img->geo, last_byte) >> img->geo.subcluster_bits;
	if (treatment == NEW_CLUSTER || !subcluster_is_data(img, last, sub))
		w->fill_end = round_up(end, unit);
}

/* Does the cluster that the entry refers to lose a reference when it gets another one? */
static bool refers(const struct entry *e)
{
	return e->map.kind == Q2_COMPRESSED || e->map.host;
}

/* NO-REUSE: what an entry refers to loses a reference once the next commit is durable. */
static void record_freed(struct q2_image *img, const struct entry *e, struct q2_freed *freed)
{
	u64 end;

	freed->host = e->map.host;
	freed->clusters = 1;
	if (e->map.kind == Q2_COMPRESSED) {
		freed->host = round_down(e->map.host, (u64)img->geo.cluster_size);
		end = e->map.host + e->map.compressed_size;
		freed->clusters = q2_clusters(img, end - freed->host);
	}
	q2_add_freed(img, freed);
}

/* Records that were not needed. */
static void put_freed(struct q2_image *img, struct q2_write *w)
{
	struct q2_freed *freed, *next;

	list_for_each_entry_safe(freed, next, &w->freed, list)
		q2_freed_put(img, freed);
	INIT_LIST_HEAD(&w->freed);
}

/*
 * A record for each of the clusters that loses a reference, before anything can
 * fail: for as many clusters as there is memory, and for the first one surely.
 */
static int get_freed(struct q2_image *img, struct q2_write *w, struct entry *last)
{
	u64 size = img->geo.cluster_size, i;
	struct q2_freed *freed;
	struct entry e;

	for (i = 0; i < w->clusters; i++) {
		read_entry(img, w->slice, w->first + i * size, &e);
		if (refers(&e)) {
			freed = q2_freed_get(img);
			if (!freed)
				break;
			list_add(&freed->list, &w->freed);
		}
		*last = e;
	}
	w->clusters = i;
	return i ? 0 : -ENOMEM;
}

/* How far from w->first do entries want the same treatment, with host clusters in a row? */
static int measure_run(struct q2_image *img, struct q2_write *w, u64 end, struct entry *first,
		       struct entry *last, enum treatment *treatment)
{
	u64 pos, size = img->geo.cluster_size;
	int ret;

	for (pos = w->first; pos < end; pos += size) {
		struct entry e;

		ret = read_entry(img, w->slice, pos, &e);
		if (ret) {
			if (pos == w->first)
				return q2_image_corrupt(img, "an L2 entry breaks the format");
			break;
		}
		if (pos == w->first) {
			*treatment = treatment_of(&e);
			w->host_cluster = e.map.host;
			*first = e;
		} else if (treatment_of(&e) != *treatment) {
			break;
		} else if (*treatment == IN_PLACE &&
			   e.map.host != w->host_cluster + (pos - w->first)) {
			break;
		}
		*last = e;
		w->clusters++;
	}
	if (*treatment == IN_PLACE && q2_space_check(img, w->host_cluster, w->clusters))
		return q2_image_corrupt(img, "an L2 entry points at metadata");
	return 0;
}

/* Who makes metadata dirty, or frees clusters, also pays for it. */
static int pay(struct q2_image *img)
{
	u64 most = min((u64)Q2_MAX_FREED, Q2_MAX_FREED_BYTES >> img->geo.cluster_bits);

	if (READ_ONCE(img->mode) != Q2_MODE_RW)
		return -EROFS;
	if (q2_image_dirty(img) <= Q2_MAX_DIRTY && READ_ONCE(img->nr_freed) <= most)
		return 0;
	return q2_image_commit(img);
}

/* There is no room, or no memory: is there some after a commit? To be asked once. */
static bool make_room(struct q2_image *img, int *ret)
{
	if ((*ret != -ENOSPC || !READ_ONCE(img->nr_freed)) &&
	    (*ret != -ENOMEM || !q2_image_dirty(img)))
		return false;
	*ret = q2_image_commit(img);
	return !*ret;
}

static int begin(struct q2_image *img, u64 guest, u64 len, struct q2_write *w)
{
	struct entry first, last;
	enum treatment treatment = NEW_CLUSTER;
	u64 end, got;
	int ret;

	memset(w, 0, sizeof(*w));
	INIT_LIST_HEAD(&w->freed);
	w->guest = guest;
	w->first = round_down(guest, (u64)img->geo.cluster_size);
	/* Cut at a cluster: the rest of it would be filled with what comes next. */
	end = w->first + max_t(u64, MAX_STEP, img->geo.cluster_size);
	end = min(min(guest + len, end), guest + slice_rest(img, guest));

	mutex_lock(&img->lock);
	ret = -EROFS;
	if (img->mode != Q2_MODE_RW)
		goto unlock;
	w->slice = q2_table_get(img, guest);
	if (IS_ERR(w->slice)) {
		ret = PTR_ERR(w->slice);
		goto unlock;
	}
	ret = measure_run(img, w, end, &first, &last, &treatment);
	if (ret)
		goto put_slice;
	if (treatment == NEW_CLUSTER) {
		ret = get_freed(img, w, &last);
		if (ret)
			goto put_slice;
		ret = q2_space_alloc(img, w->clusters, &w->host_cluster, &got, &w->untouched);
		if (ret)
			goto put_slice;
		w->fresh = true;
		if (got < w->clusters) {
			w->clusters = got;
			read_entry(img, w->slice, w->first + ((got - 1) << img->geo.cluster_bits),
				   &last);
		}
	}
	end = min(end, w->first + (w->clusters << img->geo.cluster_bits));
	w->len = end - guest;
	w->host = w->host_cluster + (guest - w->first);
	set_fill(img, w, &first, &last, treatment);
	mutex_unlock(&img->lock);
	return 0;

put_slice:
	put_freed(img, w);
	q2_cache_put(img->cache, w->slice);
unlock:
	mutex_unlock(&img->lock);
	return ret;
}

int q2_write_begin(struct q2_image *img, u64 guest, u64 len, struct q2_write *w)
{
	int ret = pay(img);

	if (!ret)
		ret = begin(img, guest, len, w);
	if (make_room(img, &ret))
		ret = begin(img, guest, len, w);
	return ret;
}

/* Bits of the subclusters of the cluster at @cluster that lie in [start, end). */
static u32 subclusters_in(const struct q2_image *img, u64 cluster, u64 start, u64 end)
{
	u32 from, to;

	start = max(start, cluster);
	end = min(end, cluster + img->geo.cluster_size);
	from = (start - cluster) >> img->geo.subcluster_bits;
	to = (end - 1 - cluster) >> img->geo.subcluster_bits;
	return (~0U << from) & (~0U >> (31 - to));
}

/* DATA-BEFORE-LINK: the entry after the bytes of the step are on the host. */
static void link_cluster(struct q2_image *img, struct q2_write *w, u64 i)
{
	u64 pos = w->first + (i << img->geo.cluster_bits);
	u64 host = w->host_cluster + (i << img->geo.cluster_bits);
	u64 bitmap = 0;
	struct entry e;

	read_entry(img, w->slice, pos, &e);
	if (img->geo.extended_l2) {
		u32 bits = subclusters_in(img, pos, w->fill_start, w->fill_end);
		u32 alloc = e.map.kind == Q2_COMPRESSED ? 0 : (u32)e.bitmap;
		u32 zero = e.map.kind == Q2_COMPRESSED ? 0 : (u32)(e.bitmap >> 32);

		bitmap = (u64)(zero & ~bits) << 32 | (alloc | bits);
	}
	if (w->fresh && refers(&e) && !list_empty(&w->freed)) {
		struct q2_freed *freed = list_first_entry(&w->freed, struct q2_freed, list);

		list_del(&freed->list);
		record_freed(img, &e, freed);
	}
	if (!w->fresh && e.word == (host | Q2_COPIED) && e.bitmap == bitmap)
		return; /* data, as before */
	q2_table_write(img, w->slice, pos, host | Q2_COPIED, bitmap);
	q2_table_dirty(img, w->slice, pos);
}

void q2_write_end(struct q2_image *img, struct q2_write *w, bool done)
{
	u64 i;

	mutex_lock(&img->lock);
	if (done) {
		for (i = 0; i < w->clusters; i++)
			link_cluster(img, w, i);
		/* MAP-FOLLOWS: before the lock goes: a commit may give the old clusters back. */
		if (img->hooks && img->hooks->mapped)
			img->hooks->mapped(img->hooks_arg, w->fill_start,
					   w->fill_end - w->fill_start,
					   w->host - (w->guest - w->fill_start));
	} else if (w->fresh) {
		/* Never referred to, so free at once. A failure here leaks. */
		q2_space_put(img, w->host_cluster, w->clusters);
	}
	q2_cache_put(img->cache, w->slice);
	put_freed(img, w);
	mutex_unlock(&img->lock);
}

/* What discard and zero make of one entry. */
struct change {
	u64 word;
	u64 bitmap;
	bool free; /* what the entry refers to loses a reference */
	bool none; /* nothing to do */
};

/* Apply @change to the entry for @pos. */
static int apply(struct q2_image *img, struct q2_slice *slice, u64 pos, const struct entry *e,
		 const struct change *change)
{
	struct q2_freed *freed;

	if (change->free) {
		freed = q2_freed_get(img);
		if (!freed)
			return -ENOMEM;
		record_freed(img, e, freed);
	}
	q2_table_write(img, slice, pos, change->word, change->bitmap);
	q2_table_dirty(img, slice, pos);
	return 0;
}

static void zero_entry(const struct q2_image *img, struct change *c)
{
	c->word = img->geo.extended_l2 ? 0 : Q2_L2_ZERO;
	c->bitmap = img->geo.extended_l2 ? (u64)U32_MAX << 32 : 0;
}

static void discard_change(const struct q2_image *img, const struct entry *e, struct change *c)
{
	memset(c, 0, sizeof(*c));
	c->free = e->map.host;
	if (!c->free) {
		/*
		 * Nothing here to free. What a backing file shows may go on
		 * showing: a discarded range has no promised content, and an
		 * fstrim must not fill the overlay with tables.
		 */
		c->none = true;
	} else if (img->geo.version >= 3) {
		zero_entry(img, c);
	} else {
		/* "Unallocated" is all there is; over a backing file that would show its data. */
		c->none = q2_has_below(img);
	}
}

/* As if the image had never held anything there. */
static void unallocate_change(const struct entry *e, struct change *c)
{
	memset(c, 0, sizeof(*c));
	c->free = refers(e);
	c->none = !e->word && !e->bitmap;
}

/*
 * The clusters from *@pos to @end that lie in one slice; *@pos moves along. @zero:
 * they read zeroes afterwards, otherwise what is below.
 */
static int discard_slice(struct q2_image *img, u64 *pos, u64 end, bool zero)
{
	u64 coverage = q2_l2_coverage(&img->geo);
	struct q2_slice *slice;
	int ret = 0;

	lockdep_assert_held(&img->lock);
	if (!(img->l1[q2_l1_index(&img->geo, *pos)] & Q2_OFFSET_MASK)) {
		*pos = round_down(*pos, coverage) + coverage;
		return 0;
	}
	slice = q2_table_get(img, *pos);
	if (IS_ERR(slice))
		return PTR_ERR(slice);
	end = min(end, *pos + slice_rest(img, *pos));
	for (; *pos < end && !ret; *pos += img->geo.cluster_size) {
		struct change change;
		struct entry e;

		if (read_entry(img, slice, *pos, &e)) {
			ret = q2_image_corrupt(img, "an L2 entry breaks the format");
			break;
		}
		if (zero)
			discard_change(img, &e, &change);
		else
			unallocate_change(&e, &change);
		if (!change.none)
			ret = apply(img, slice, *pos, &e, &change);
		if (ret)
			break;
	}
	q2_cache_put(img->cache, slice);
	return ret;
}

/* Do @step for one slice after the other: the lock is free in between, and memory bounded. */
static int by_slices(struct q2_image *img, u64 *pos, u64 end, bool how,
		     int (*step)(struct q2_image *img, u64 *pos, u64 end, bool how))
{
	u64 from, retried = U64_MAX;
	int ret = 0;

	while (*pos < end && !ret) {
		ret = pay(img);
		if (ret)
			break;
		mutex_lock(&img->lock);
		from = *pos;
		ret = img->mode == Q2_MODE_RW ? step(img, pos, end, how) : -EROFS;
		/* MAP-FOLLOWS: before the lock goes: a commit may give the clusters back. */
		if (img->hooks && img->hooks->forget)
			img->hooks->forget(img->hooks_arg, from,
					   min(*pos + img->geo.cluster_size, end) - from);
		mutex_unlock(&img->lock);
		if (*pos != retried && make_room(img, &ret))
			retried = *pos;
		cond_resched();
	}
	return ret;
}

int q2_image_discard(struct q2_image *img, u64 guest, u64 len)
{
	u64 size = img->geo.cluster_size;
	u64 end = guest + len, pos = round_up(guest, size);

	/* The last cluster of the disk may be a part. */
	if (end < img->hdr.size)
		end = round_down(end, size);
	return by_slices(img, &pos, end, true, discard_slice);
}

int q2_image_unallocate(struct q2_image *img, u64 guest, u64 len)
{
	u64 pos = guest;

	return by_slices(img, &pos, guest + len, false, discard_slice);
}

/*
 * What makes the bytes [start, end) of the cluster at @cluster read zeroes, or
 * -EOPNOTSUPP if zeroes must be written.
 */
static int zero_change(const struct q2_image *img, const struct entry *e, u64 cluster, u64 start,
		       u64 end, bool unmap, struct change *c)
{
	bool whole = start == cluster && end == cluster + img->geo.cluster_size;
	u32 bits, alloc, zero;

	memset(c, 0, sizeof(*c));
	if (!e->map.host && !img->geo.extended_l2 && e->map.kind == Q2_UNALLOCATED &&
	    !q2_has_below(img)) {
		c->none = true;
		return 0;
	}
	if (img->geo.version < 3) {
		c->free = e->map.host;
		return q2_has_below(img) || !whole ? -EOPNOTSUPP : 0;
	}
	if (whole && (unmap || e->map.kind == Q2_COMPRESSED || !e->map.copied)) {
		zero_entry(img, c);
		c->free = e->map.host;
		c->none = c->word == e->word && c->bitmap == e->bitmap;
		return 0;
	}
	if (!img->geo.extended_l2) {
		if (!whole)
			return -EOPNOTSUPP;
		c->word = e->word | Q2_L2_ZERO;
		c->none = c->word == e->word;
		return 0;
	}
	if (e->map.kind == Q2_COMPRESSED)
		return -EOPNOTSUPP;
	bits = subclusters_in(img, cluster, start, end);
	alloc = (u32)e->bitmap & ~bits;
	zero = (u32)(e->bitmap >> 32) | bits;
	c->word = e->word;
	c->bitmap = (u64)zero << 32 | alloc;
	if (zero == U32_MAX && unmap) {
		c->word = 0;
		c->free = e->map.host;
	}
	c->none = c->word == e->word && c->bitmap == e->bitmap;
	return 0;
}

/* The bytes from *@pos to @end that lie in one slice; *@pos moves along. */
static int zero_slice(struct q2_image *img, u64 *pos, u64 end, bool unmap)
{
	u64 size = img->geo.cluster_size, coverage = q2_l2_coverage(&img->geo);
	struct q2_slice *slice;
	int ret = 0;

	lockdep_assert_held(&img->lock);
	if (!(img->l1[q2_l1_index(&img->geo, *pos)] & Q2_OFFSET_MASK) && !q2_has_below(img)) {
		/* Reads zeroes as it is. */
		*pos = min(end, round_down(*pos, coverage) + coverage);
		return 0;
	}
	slice = q2_table_get(img, *pos);
	if (IS_ERR(slice))
		return PTR_ERR(slice);
	end = min(end, *pos + slice_rest(img, *pos));
	while (*pos < end) {
		u64 cluster = round_down(*pos, size), stop = min(end, cluster + size);
		struct change change;
		struct entry e;

		if (read_entry(img, slice, *pos, &e)) {
			ret = q2_image_corrupt(img, "an L2 entry breaks the format");
			break;
		}
		ret = zero_change(img, &e, cluster, *pos, stop, unmap, &change);
		if (!ret && !change.none)
			ret = apply(img, slice, *pos, &e, &change);
		if (ret)
			break;
		*pos = stop;
	}
	q2_cache_put(img->cache, slice);
	return ret;
}

int q2_image_zero(struct q2_image *img, u64 guest, u64 len, bool unmap, u64 *done)
{
	u64 pos = guest, end = guest + len;
	int ret;

	/* What is beyond the end of the disk in its last cluster may be zero, too. */
	if (end >= img->hdr.size)
		end = round_up(end, (u64)img->geo.cluster_size);
	ret = by_slices(img, &pos, end, unmap, zero_slice);
	*done = min(pos, guest + len) - guest;
	return ret;
}
