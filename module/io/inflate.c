// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pool of places to inflate in.
 *
 * The compressed bytes are read before a place is taken: the file may lie on
 * another device of this module, whose reads need places too. So no I/O happens
 * while one is held, and waiting for a place always ends.
 */
#include <linux/cpumask.h>

#include "env.h"
#include "io/codec.h"
#include "io/inflate.h"

struct place {
	struct list_head list; /* idle places, last used first; protected by pool.lock */
	u64 image;	       /* whose cluster is in out; 0 none */
	u64 host;
	void *out;
	size_t out_bytes;
	void *workspace;
	size_t workspace_bytes;
};

static struct {
	spinlock_t lock;
	struct list_head idle;
	wait_queue_head_t wait;
	unsigned int nr;
	struct place *places;
} pool;

static const struct q2_codec *codec_of(const struct q2_image *img)
{
	return q2_image_header(img)->compression_type == Q2_COMPRESSION_ZSTD ? &q2_codec_zstd
									     : &q2_codec_zlib;
}

int q2_inflate_init(void)
{
	unsigned int i;

	spin_lock_init(&pool.lock);
	INIT_LIST_HEAD(&pool.idle);
	init_waitqueue_head(&pool.wait);
	/* Twice the CPUs: as many work, and their last results stay for a while. */
	pool.nr = 2 * num_possible_cpus();
	pool.places = kvcalloc(pool.nr, sizeof(*pool.places), GFP_KERNEL);
	if (!pool.places)
		return -ENOMEM;
	for (i = 0; i < pool.nr; i++)
		list_add(&pool.places[i].list, &pool.idle);
	return 0;
}

static void place_free(struct place *place)
{
	kvfree(place->out);
	kvfree(place->workspace);
	place->out = NULL;
	place->workspace = NULL;
	place->out_bytes = 0;
	place->workspace_bytes = 0;
	place->image = 0;
}

void q2_inflate_exit(void)
{
	unsigned int i;

	for (i = 0; i < pool.nr; i++)
		place_free(&pool.places[i]);
	kvfree(pool.places);
}

/* An idle place that holds the cluster, or NULL. */
static struct place *take_with(u64 image, u64 host)
{
	struct place *place, *found = NULL;

	spin_lock(&pool.lock);
	list_for_each_entry(place, &pool.idle, list) {
		if (place->image == image && place->host == host) {
			list_del_init(&place->list);
			found = place;
			break;
		}
	}
	spin_unlock(&pool.lock);
	return found;
}

/* The place that has been idle longest, or NULL. */
static struct place *take_oldest(void)
{
	struct place *place = NULL;

	spin_lock(&pool.lock);
	if (!list_empty(&pool.idle)) {
		place = list_last_entry(&pool.idle, struct place, list);
		list_del_init(&place->list);
	}
	spin_unlock(&pool.lock);
	return place;
}

static void put_place(struct place *place)
{
	spin_lock(&pool.lock);
	list_add(&place->list, &pool.idle);
	spin_unlock(&pool.lock);
	wake_up(&pool.wait);
}

static int make_room(void **buf, size_t *have, size_t want)
{
	if (*have >= want)
		return 0;
	kvfree(*buf);
	*have = 0;
	*buf = kvmalloc(want, GFP_NOIO);
	if (!*buf)
		return -ENOMEM;
	*have = want;
	return 0;
}

/* Inflate @src into @place, which remembers whose cluster it holds. */
static int fill_place(struct place *place, struct q2_shared *shared, u64 host, const void *src,
		      size_t size)
{
	const struct q2_codec *codec = codec_of(shared->img);
	u32 cluster = q2_image_geometry(shared->img)->cluster_size;
	int ret;

	place->image = 0;
	ret = make_room(&place->out, &place->out_bytes, cluster);
	if (!ret)
		ret = make_room(&place->workspace, &place->workspace_bytes,
				codec->workspace_bytes());
	if (!ret)
		ret = codec->inflate(place->workspace, src, size, place->out, cluster);
	if (!ret) {
		place->image = shared->id;
		place->host = host;
	}
	return ret;
}

static int copy_out(const struct place *place, u32 skip, struct iov_iter *to)
{
	size_t len = iov_iter_count(to);

	return copy_to_iter(place->out + skip, len, to) == len ? 0 : -EFAULT;
}

int q2_inflate_read(struct q2_shared *shared, u64 host, u32 size, u32 skip, struct iov_iter *to)
{
	struct place *place = take_with(shared->id, host);
	void *src;
	int ret;

	if (place) {
		ret = copy_out(place, skip, to);
		put_place(place);
		return ret;
	}
	src = kvmalloc(size, GFP_NOIO);
	if (!src)
		return -ENOMEM;
	ret = q2_file_read(shared->file, host, src, size);
	if (!ret) {
		wait_event(pool.wait, (place = take_oldest()));
		ret = fill_place(place, shared, host, src, size);
		if (!ret)
			ret = copy_out(place, skip, to);
		put_place(place);
	}
	kvfree(src);
	return ret;
}

unsigned long q2_inflate_shrinkable(void)
{
	struct place *place;
	unsigned long pages = 0;

	spin_lock(&pool.lock);
	list_for_each_entry(place, &pool.idle, list)
		pages += (place->out_bytes + place->workspace_bytes) >> PAGE_SHIFT;
	spin_unlock(&pool.lock);
	return pages;
}

unsigned long q2_inflate_shrink(void)
{
	unsigned long pages = 0;
	struct place *place;
	unsigned int i;

	for (i = 0; i < pool.nr; i++) {
		place = take_oldest();
		if (!place)
			break;
		pages += (place->out_bytes + place->workspace_bytes) >> PAGE_SHIFT;
		place_free(place);
		put_place(place);
	}
	return pages;
}
