// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that are open, each once.
 *
 * Lock order: shared->opening (held over I/O) -> registry. The registry is never
 * held over I/O, so an image on a device that does not answer delays nobody else.
 */
#include "env.h"
#include "io/share.h"

static DEFINE_MUTEX(registry);
static LIST_HEAD(shared_images); /* protected by registry */
static u64 next_id;		 /* protected by registry */

static struct q2_shared *find(const struct q2_host *host, enum q2_format format)
{
	struct q2_shared *s;

	lockdep_assert_held(&registry);
	list_for_each_entry(s, &shared_images, list) {
		if (s->format == format && q2_host_same(s->host, host))
			return s;
	}
	return NULL;
}

/* The entry for @host, which it takes over: a new one, or the one that is there. */
static struct q2_shared *enter(struct q2_host *host, enum q2_format format)
{
	struct q2_shared *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	struct q2_shared *s;

	if (!fresh) {
		q2_host_close(host);
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&registry);
	s = find(host, format);
	if (s) {
		s->users++;
		mutex_unlock(&registry);
		kfree(fresh);
		q2_host_close(host);
		return s;
	}
	fresh->host = host;
	fresh->format = format;
	fresh->users = 1;
	fresh->id = ++next_id;
	fresh->error = -EINPROGRESS;
	mutex_init(&fresh->opening);
	list_add(&fresh->list, &shared_images);
	mutex_unlock(&registry);
	return fresh;
}

struct q2_shared *q2_shared_get(const char *path, enum q2_format format, size_t cache_bytes,
				bool lock, struct q2_err *err)
{
	struct q2_host *host = q2_host_open(path, err);
	struct q2_err why = {};
	struct q2_shared *s;
	int ret = 0;

	if (IS_ERR(host))
		return ERR_CAST(host);
	s = enter(host, format);
	if (IS_ERR(s)) {
		q2_err_set(err, ENOMEM, "%s: there is not enough memory to open it", path);
		return s;
	}
	mutex_lock(&s->opening);
	/* Locked before the header is read: what is read then stays true. */
	if (lock)
		ret = q2_host_lock(s->host, err);
	if (!ret && s->error == -EINPROGRESS && format == Q2_FORMAT_QCOW2) {
		struct q2_image *img = q2_image_open(&s->host->file, cache_bytes, &why);

		if (IS_ERR(img)) {
			ret = PTR_ERR(img);
			q2_err_set(err, -ret, "%s: %s", path, why.text);
		} else {
			mutex_lock(&registry); /* the shrinker looks */
			s->img = img;
			mutex_unlock(&registry);
		}
	}
	/* After a failure the next one to come tries again. */
	if (!ret)
		s->error = 0;
	mutex_unlock(&s->opening);
	if (ret) {
		q2_shared_put(s);
		return ERR_PTR(ret);
	}
	return s;
}

void q2_shared_put(struct q2_shared *s)
{
	bool last;

	mutex_lock(&registry);
	last = !--s->users;
	if (last)
		list_del(&s->list);
	mutex_unlock(&registry);
	if (!last)
		return;
	if (s->img)
		q2_image_close(s->img);
	q2_host_close(s->host);
	mutex_destroy(&s->opening);
	kfree(s);
}

bool q2_shared_same_host(const struct q2_shared *a, const struct q2_shared *b)
{
	return q2_host_same(a->host, b->host);
}

unsigned long q2_shared_shrink(unsigned long nr)
{
	unsigned long done = 0;
	struct q2_shared *s;

	if (!mutex_trylock(&registry))
		return 0;
	list_for_each_entry(s, &shared_images, list) {
		if (s->img)
			done += q2_image_shrink(s->img, nr - done);
		if (done >= nr)
			break;
	}
	mutex_unlock(&registry);
	return done;
}

unsigned long q2_shared_shrinkable(void)
{
	unsigned long n = 0;
	struct q2_shared *s;

	if (!mutex_trylock(&registry))
		return 0;
	list_for_each_entry(s, &shared_images, list) {
		if (s->img)
			n += q2_image_shrinkable(s->img);
	}
	mutex_unlock(&registry);
	return n;
}
