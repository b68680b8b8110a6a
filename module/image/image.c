// SPDX-License-Identifier: GPL-2.0-only
/* One open qcow2 image: open, close, and the lookup of guest bytes. */
#include "env.h"
#include "image/bitmaps.h"
#include "image/internal.h"
#include "image/snapshots.h"

#define MAX_SLICE_BYTES 4096U

/* What this code does not serve is refused by name, not misread. */
static int check_served(const struct q2_header *hdr, struct q2_err *err)
{
	if (hdr->crypt_method != Q2_CRYPT_NONE)
		return q2_err_set(err, EOPNOTSUPP,
				  "the image is encrypted (%s), which is not supported yet",
				  hdr->crypt_method == Q2_CRYPT_LUKS ? "LUKS" : "AES");
	if (hdr->incompatible & Q2_INCOMPAT_DATA_FILE)
		return q2_err_set(
			err, EOPNOTSUPP,
			"the image keeps its data in an external data file, which is not supported yet");
	return 0;
}

static int read_header(struct q2_image *img, struct q2_err *err)
{
	struct q2_header *hdr = &img->hdr;
	size_t cluster;
	void *buf;
	int ret;

	buf = kvmalloc(Q2_V3_HEADER_FULL, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = q2_file_read(img->file, 0, buf, Q2_V3_HEADER_FULL);
	if (ret)
		q2_err_set(err, -ret, "the header cannot be read");
	else
		ret = q2_header_decode(buf, min_t(u64, Q2_V3_HEADER_FULL, img->file->size), hdr,
				       err);
	kvfree(buf);
	if (ret)
		return ret;

	cluster = 1UL << hdr->cluster_bits;
	buf = kvmalloc(cluster, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = q2_file_read(img->file, 0, buf, cluster);
	if (ret)
		q2_err_set(err, -ret, "the first cluster cannot be read");
	else
		ret = q2_header_decode_extensions(buf, min_t(u64, cluster, img->file->size), hdr,
						  err);
	kvfree(buf);
	if (ret)
		return ret;
	q2_header_geometry(hdr, &img->geo);
	return check_served(hdr, err);
}

static int read_l1(struct q2_image *img, struct q2_err *err)
{
	u32 i, n = img->hdr.l1_size;
	__be64 *disk;
	int ret;

	img->l1 = kvmalloc_array(max(n, 1U), sizeof(*img->l1), GFP_KERNEL);
	if (!img->l1)
		return -ENOMEM;
	if (!n)
		return 0;
	disk = (__force __be64 *)img->l1; /* converted in place, below */
	ret = q2_file_read(img->file, img->hdr.l1_offset, disk, (size_t)n * sizeof(*disk));
	if (ret)
		return q2_err_set(err, -ret, "the L1 table at %llu cannot be read",
				  img->hdr.l1_offset);
	for (i = 0; i < n; i++)
		img->l1[i] = be64_to_cpu(disk[i]);
	return 0;
}

struct q2_image *q2_image_open(struct q2_file *file, size_t cache_bytes, struct q2_err *err)
{
	struct q2_snapshots *snaps;
	struct q2_image *img;
	int ret;

	img = kvzalloc(sizeof(*img), GFP_KERNEL);
	if (!img)
		return ERR_PTR(-ENOMEM);
	img->file = file;
	spin_lock_init(&img->words);
	q2_owned_init(&img->owned);
	ret = read_header(img, err);
	if (ret)
		goto free_image;
	ret = read_l1(img, err);
	if (ret)
		goto free_l1;
	/* QEMU refuses an image whose snapshot table, or bitmap directory, is broken; so do we. */
	snaps = q2_snapshots_load(file, &img->hdr, err);
	if (IS_ERR(snaps)) {
		ret = PTR_ERR(snaps);
		goto free_l1;
	}
	q2_snapshots_free(snaps);
	ret = q2_bitmaps_verify(file, &img->hdr, err);
	if (ret)
		goto free_l1;
	img->cache =
		q2_cache_create(file, min(img->geo.cluster_size, MAX_SLICE_BYTES),
				clamp(cache_bytes, (size_t)Q2_CACHE_MIN, (size_t)Q2_CACHE_MAX));
	if (IS_ERR(img->cache)) {
		ret = PTR_ERR(img->cache);
		goto free_l1;
	}
	return img;

free_l1:
	kvfree(img->l1);
free_image:
	kvfree(img);
	if (ret == -ENOMEM)
		q2_err_set(err, ENOMEM, "there is not enough memory to open the image");
	return ERR_PTR(ret);
}

/* Autoclear bits say "kept up to date by all who wrote": we do not, so off they go. */
static int clear_autoclear(struct q2_image *img, struct q2_err *err)
{
	int ret;

	if (!img->hdr.autoclear)
		return 0;
	img->hdr.autoclear = 0;
	ret = q2_write_header(img, &img->hdr);
	/* Durable before the first change that would make one of them a lie. */
	if (!ret)
		ret = q2_file_flush(img->file);
	return ret ? q2_err_set(err, -ret, "the header cannot be written") : 0;
}

static int check_writable(const struct q2_image *img, struct q2_err *err)
{
	if (!img->file->ops->write)
		return q2_err_set(err, EROFS, "the file cannot be written");
	if (img->hdr.incompatible & Q2_INCOMPAT_CORRUPT)
		return q2_err_set(
			err, EUCLEAN,
			"the image is marked corrupt: repair it with qcowctl check -r all, or attach it read-only");
	if (img->hdr.incompatible & Q2_INCOMPAT_DIRTY)
		return q2_err_set(
			err, EUCLEAN,
			"the image was not closed properly and its refcounts may be wrong: repair it with qcowctl check -r all, or attach it read-only");
	return 0;
}

/* Every table that L1 names is metadata that must not be handed out. */
static int own_tables(struct q2_image *img)
{
	u32 i;
	int ret = 0;

	for (i = 0; i < img->hdr.l1_size && !ret; i++) {
		if (img->l1[i] & Q2_OFFSET_MASK)
			ret = q2_owned_add(&img->owned, img->l1[i] & Q2_OFFSET_MASK);
		/* Reserved on disk, and ours in memory. */
		img->l1[i] &= ~Q2_L1_FRESH;
	}
	return ret;
}

/* What writing needs when there is no memory. */
static int fill_reserves(struct q2_image *img)
{
	struct q2_freed *freed;

	img->scratch = kvmalloc(img->geo.cluster_size, GFP_KERNEL);
	if (!img->scratch)
		return -ENOMEM;
	while (img->nr_spare_freed < Q2_RESERVED_FREED) {
		freed = kmalloc(sizeof(*freed), GFP_KERNEL);
		if (!freed)
			return -ENOMEM;
		list_add(&freed->list, &img->spare_freed);
		img->nr_spare_freed++;
	}
	return q2_cache_reserve(img->cache, Q2_RESERVED_SLICES);
}

static void free_writing(struct q2_image *img)
{
	struct q2_freed *freed, *next;

	list_for_each_entry_safe(freed, next, &img->spare_freed, list)
		kfree(freed);
	kvfree(img->scratch);
	kvfree(img->l1_dirty);
	kvfree(img->reftable);
	q2_owned_destroy(&img->owned);
	img->scratch = NULL;
	img->l1_dirty = NULL;
	img->reftable = NULL;
}

int q2_image_make_writable(struct q2_image *img, const struct q2_image_hooks *hooks, void *arg,
			   struct q2_err *err)
{
	struct q2_snapshots *snaps;
	u64 pieces;
	int ret;

	ret = check_writable(img, err);
	if (ret)
		return ret;
	if (img->writable)
		return img->mode == Q2_MODE_RW
			       ? 0
			       : q2_err_set(err, EROFS,
					    "the image has become read-only after an error");
	INIT_LIST_HEAD(&img->spare_freed);
	snaps = q2_snapshots_load(img->file, &img->hdr, err);
	if (IS_ERR(snaps))
		return PTR_ERR(snaps);
	img->snapshots_bytes = snaps->len;
	q2_snapshots_free(snaps);
	ret = q2_space_open(img, err);
	if (!ret)
		ret = own_tables(img);
	if (ret)
		goto fail;
	pieces = DIV_ROUND_UP_ULL((u64)img->hdr.l1_size * sizeof(u64), q2_piece(img));
	INIT_LIST_HEAD(&img->dirty_refcounts);
	INIT_LIST_HEAD(&img->dirty_fresh);
	INIT_LIST_HEAD(&img->dirty_l2);
	INIT_LIST_HEAD(&img->freed);
	img->l1_dirty = kvcalloc(pieces / 64 + 1, sizeof(u64), GFP_KERNEL);
	ret = img->l1_dirty ? fill_reserves(img) : -ENOMEM;
	if (!ret)
		ret = clear_autoclear(img, err);
	if (ret)
		goto fail;
	mutex_init(&img->lock);
	mutex_init(&img->committing);
	img->hooks = hooks;
	img->hooks_arg = arg;
	img->mode = Q2_MODE_RW;
	/* Whoever looks up may be asking already. */
	smp_store_release(&img->writable, true);
	return 0;

fail:
	free_writing(img);
	return ret;
}

enum q2_mode q2_image_mode(const struct q2_image *img)
{
	return img->writable ? READ_ONCE(img->mode) : Q2_MODE_RO;
}

/* Forget what no commit has written: after a failure, or nothing at all. */
static void drop_dirty(struct q2_image *img)
{
	struct list_head *lists[] = {&img->dirty_refcounts, &img->dirty_fresh, &img->dirty_l2};
	struct q2_slice *slice, *next;
	struct q2_freed *freed, *next_freed;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		list_for_each_entry_safe(slice, next, lists[i], dirty) {
			list_del_init(&slice->dirty);
			q2_cache_put(img->cache, slice);
		}
	}
	list_for_each_entry_safe(freed, next_freed, &img->freed, list)
		kfree(freed);
}

void q2_image_close(struct q2_image *img)
{
	if (img->writable) {
		q2_image_commit_all(img);
		drop_dirty(img);
		free_writing(img);
		mutex_destroy(&img->lock);
		mutex_destroy(&img->committing);
	}
	q2_cache_destroy(img->cache);
	kvfree(img->l1);
	kvfree(img);
}

const struct q2_header *q2_image_header(const struct q2_image *img)
{
	return &img->hdr;
}

const struct q2_geometry *q2_image_geometry(const struct q2_image *img)
{
	return &img->geo;
}

u64 q2_image_size(const struct q2_image *img)
{
	return img->hdr.size;
}

struct q2_file *q2_image_file(const struct q2_image *img)
{
	return img->file;
}

int q2_image_span(struct q2_image *img, const struct q2_span *span, char *buf)
{
	int ret = span->length ? q2_file_read(img->file, span->offset, buf, span->length) : 0;

	buf[ret ? 0 : span->length] = '\0';
	return ret;
}

/* Bytes from @guest up to the end of the aligned block of @block bytes around it, cut to @len. */
static u64 rest_of(u64 guest, u64 len, u64 block)
{
	return min(len, block - (guest & (block - 1)));
}

/* One run over all neighbouring L1 entries without a table. */
static u64 absent_run(const struct q2_image *img, u64 guest, u64 len)
{
	u64 coverage = q2_l2_coverage(&img->geo);
	u64 index = q2_l1_index(&img->geo, guest);
	u64 run = rest_of(guest, len, coverage);

	while (run < len && ++index < img->hdr.l1_size && !READ_ONCE(img->l1[index]))
		run += min(coverage, len - run);
	return run;
}

/* Is @map at guest offset @pos the continuation of the run in @ext? */
static bool continues(const struct q2_image *img, const struct q2_extent *ext,
		      const struct q2_mapping *map, u64 host)
{
	if (map->kind != ext->kind || map->kind == Q2_COMPRESSED)
		return false;
	/* Only who writes wants to know. */
	if (img->writable && map->copied != ext->copied)
		return false;
	return map->kind != Q2_DATA || host == ext->host + ext->len;
}

/* Collect the run that starts at ext->guest from entries of one slice, up to @end. */
static int scan_slice(const struct q2_image *img, const __be64 *entries, u64 end,
		      struct q2_extent *ext)
{
	const struct q2_geometry *geo = &img->geo;
	unsigned int per_slice = q2_cache_slice_bytes(img->cache) >> geo->l2_entry_bits;
	unsigned int words = 1U << (geo->l2_entry_bits - 3);
	u64 pos = ext->guest;

	ext->len = 0;
	while (pos < end) {
		unsigned int entry = q2_l2_index(geo, pos) & (per_slice - 1);
		u64 word = be64_to_cpu(entries[entry * words]);
		u64 bitmap = geo->extended_l2 ? be64_to_cpu(entries[entry * words + 1]) : 0;
		u32 in_cluster = q2_offset_into_cluster(geo, pos);
		unsigned int sub = in_cluster >> geo->subcluster_bits;
		struct q2_mapping map;
		u64 host, run_end;

		if (q2_l2_entry_verify(geo, word, bitmap, NULL)) {
			if (ext->len)
				break;
			ext->len = rest_of(pos, end - pos, geo->cluster_size);
			return -EUCLEAN;
		}
		q2_l2_entry_decode(geo, word, bitmap, sub, &map);
		host = map.kind == Q2_DATA ? map.host + in_cluster : map.host;
		if (ext->len && !continues(img, ext, &map, host))
			break;
		if (!ext->len) {
			ext->kind = map.kind;
			ext->copied = map.copied;
			ext->compressed_size = map.compressed_size;
			ext->host = host;
		} else {
			ext->copied &= map.copied;
		}
		run_end = pos - in_cluster +
			  ((u64)(sub + q2_l2_run(geo, word, bitmap, sub)) << geo->subcluster_bits);
		run_end = min(run_end, end);
		ext->len += run_end - pos;
		pos = run_end;
	}
	return 0;
}

int q2_image_lookup(struct q2_image *img, u64 guest, u64 len, struct q2_extent *ext)
{
	const struct q2_geometry *geo = &img->geo;
	u64 index = q2_l1_index(geo, guest);
	u32 slice_bytes = q2_cache_slice_bytes(img->cache);
	u64 l2_offset, slice_guest_bytes;
	struct q2_slice *slice;
	int ret;

	memset(ext, 0, sizeof(*ext));
	ext->guest = guest;
	len = min(len, img->hdr.size - guest);
	ext->len = rest_of(guest, len, q2_l2_coverage(geo));
	ret = q2_l1_entry_decode(geo, READ_ONCE(img->l1[index]), &l2_offset, NULL, NULL);
	if (ret)
		return ret;
	if (!l2_offset) {
		ext->kind = Q2_UNALLOCATED;
		ext->len = absent_run(img, guest, len);
		return 0;
	}
	slice_guest_bytes = (u64)(slice_bytes >> geo->l2_entry_bits) << geo->cluster_bits;
	ext->len = rest_of(guest, len, slice_guest_bytes);
	slice = q2_cache_get(img->cache, l2_offset + round_down((u64)q2_l2_index(geo, guest)
									<< geo->l2_entry_bits,
								(u64)slice_bytes));
	if (IS_ERR(slice))
		return PTR_ERR(slice);
	/* A writer changes both words of an extended entry under the same lock. */
	spin_lock(&img->words);
	ret = scan_slice(img, slice->data, guest + ext->len, ext);
	spin_unlock(&img->words);
	q2_cache_put(img->cache, slice);
	return ret;
}

void q2_image_cache_stats(struct q2_image *img, struct q2_cache_stats *stats)
{
	q2_cache_stats(img->cache, stats);
}

u64 q2_image_end(const struct q2_image *img)
{
	return READ_ONCE(img->end) << img->geo.cluster_bits;
}

unsigned long q2_image_shrink(struct q2_image *img, unsigned long nr)
{
	return q2_cache_shrink(img->cache, nr);
}

unsigned long q2_image_shrinkable(struct q2_image *img)
{
	return q2_cache_shrinkable(img->cache);
}
