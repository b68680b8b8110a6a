// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that are open, each once.
 *
 * Lock order: shared->opening (held over I/O) -> registry. The registry is never
 * held over I/O, so an image on a device that does not answer delays nobody else.
 */
#include "env.h"
#include "serve/shared.h"

static DEFINE_MUTEX(registry);
static LIST_HEAD(shared_images); /* protected by registry */
static u64 next_id;		 /* protected by registry */

/*
 * The entry for @host that can be shared, NULL if there is none, ERR_PTR(-EBUSY)
 * if somebody's use of it stands against this one.
 */
static struct q2_shared *find(const struct q2_host *host, const struct q2_share_params *params,
			      struct q2_err *err)
{
	struct q2_shared *s, *found = NULL;

	lockdep_assert_held(&registry);
	list_for_each_entry(s, &shared_images, list) {
		if (q2_host_compare(s->host, host))
			continue;
		if (s->owner && s->owner != params->owner)
			return ERR_PTR(q2_err_set(err, EBUSY,
						  "%s: another device has it attached for writing",
						  params->path));
		if (params->write && !s->owner)
			return ERR_PTR(q2_err_set(
				err, EBUSY,
				"%s: is in use by an attached device, as a layer or read-only, so it cannot be written",
				params->path));
		if (s->format == params->format)
			found = s;
		else if (s->owner)
			return ERR_PTR(q2_err_set(err, EBUSY,
						  "%s: is being written in another format",
						  params->path));
	}
	return found;
}

/* The entry for @host, which it takes over: a new one, or the one that is there. */
static struct q2_shared *enter(struct q2_host *host, const struct q2_share_params *params,
			       struct q2_err *err)
{
	struct q2_shared *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	struct q2_shared *s;

	if (!fresh) {
		q2_host_close(host);
		q2_err_set(err, ENOMEM, "%s: there is not enough memory to open it", params->path);
		return ERR_PTR(-ENOMEM);
	}
	mutex_lock(&registry);
	s = find(host, params, err);
	if (s) {
		if (!IS_ERR(s))
			s->users++;
		mutex_unlock(&registry);
		kfree(fresh);
		q2_host_close(host);
		return s;
	}
	fresh->host = host;
	fresh->file = q2_host_file(host);
	fresh->format = params->format;
	fresh->owner = params->write ? params->owner : NULL;
	fresh->users = 1;
	fresh->id = ++next_id;
	fresh->error = -EINPROGRESS;
	mutex_init(&fresh->opening);
	mutex_init(&fresh->flushing);
	list_add(&fresh->list, &shared_images);
	mutex_unlock(&registry);
	return fresh;
}

/* Clusters smaller than a block of the host would have to be written with their neighbours. */
static int check_block_size(const struct q2_host *host, const struct q2_image *img,
			    struct q2_err *err)
{
	u32 piece = min_t(u32, 1U << q2_image_geometry(img)->subcluster_bits, 4096);

	if (!q2_host_is_direct(host) || q2_host_align(host) <= piece)
		return 0;
	return q2_err_set(
		err, EINVAL,
		"its clusters are smaller than the blocks of %u bytes below it, so it can only be attached read-only",
		q2_host_align(host));
}

static int open_image(struct q2_shared *s, const struct q2_share_params *params, struct q2_err *err)
{
	struct q2_image *img = q2_image_open(s->file, params->cache_bytes, err);
	int ret = 0;

	if (IS_ERR(img))
		return PTR_ERR(img);
	if (params->write) {
		ret = check_block_size(s->host, img, err);
		if (!ret)
			ret = q2_image_make_writable(img, params->hooks, s, err);
	}
	if (ret) {
		q2_image_close(img);
		return ret;
	}
	mutex_lock(&registry); /* the shrinker looks */
	s->img = img;
	mutex_unlock(&registry);
	return 0;
}

struct q2_shared *q2_shared_get(const struct q2_share_params *params, struct q2_err *err)
{
	struct q2_host *host = q2_host_open(params->path, params->write, err);
	struct q2_err why = {};
	struct q2_shared *s;
	int ret = 0;

	if (IS_ERR(host))
		return ERR_CAST(host);
	s = enter(host, params, err);
	if (IS_ERR(s))
		return s;
	mutex_lock(&s->opening);
	/* Locked before the header is read: what is read then stays true. */
	if (params->lock)
		ret = q2_host_lock(s->host, params->write, err);
	if (!ret && s->error == -EINPROGRESS && params->format == Q2_FORMAT_QCOW2) {
		ret = open_image(s, params, &why);
		if (ret)
			q2_err_set(err, -ret, "%s: %s", params->path, why.text);
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

/* Become the owner, if nobody is in the way. BUSY-FIRST: it is marked by now. */
static int claim(struct q2_shared *s, void *owner, struct q2_err *err)
{
	int ret = 0;

	mutex_lock(&registry);
	if (s->users > 1 || (s->owner && s->owner != owner))
		ret = q2_err_set(
			err, EBUSY,
			"%s: is in use by another attached device, or by a table that is loaded, so it cannot be written",
			s->file->name);
	else
		s->owner = owner;
	mutex_unlock(&registry);
	return ret;
}

static void disclaim(struct q2_shared *s)
{
	mutex_lock(&registry);
	s->owner = NULL;
	s->disk = NULL;
	mutex_unlock(&registry);
}

int q2_shared_make_writable(struct q2_shared *s, void *owner, const struct q2_image_hooks *hooks,
			    struct q2_err *err)
{
	struct q2_err why = {};
	int ret;

	if (s->owner == owner)
		return 0;
	/* ERROR-STAYS: each flush of it would fail, and the device that writes it with it. */
	if (READ_ONCE(s->lost))
		return q2_err_set(
			err, EIO,
			"%s: a flush of it has failed; detach each device that uses it before it is written again",
			s->file->name);
	ret = claim(s, owner, err);
	if (ret)
		return ret;
	mutex_lock(&s->opening);
	ret = q2_host_make_writable(s->host, err);
	if (!ret && q2_host_is_locked(s->host))
		ret = q2_host_lock(s->host, true, err);
	if (!ret && s->img) {
		ret = check_block_size(s->host, s->img, &why);
		if (!ret)
			ret = q2_image_make_writable(s->img, hooks, s, &why);
		if (ret)
			q2_err_set(err, -ret, "%s: %s", s->file->name, why.text);
	}
	if (ret)
		q2_host_lock_less(s->host);
	mutex_unlock(&s->opening);
	if (ret)
		disclaim(s);
	return ret;
}

static int flush_raw(struct q2_shared *s)
{
	u64 asked = atomic64_inc_return(&s->flush_asked), covers;
	int ret = 0;

	mutex_lock(&s->flushing);
	if (s->flush_done < asked && !s->lost) {
		/* FLUSH-COVERS: everyone who asks before this one begins is served by it. */
		covers = atomic64_read(&s->flush_asked);
		ret = q2_file_flush(s->file);
		if (ret)
			WRITE_ONCE(s->lost, true);
		s->flush_done = covers;
	}
	if (!ret && s->lost)
		ret = -EIO;
	mutex_unlock(&s->flushing);
	return ret;
}

int q2_shared_flush(struct q2_shared *s)
{
	return s->img ? q2_image_commit(s->img) : flush_raw(s);
}

bool q2_shared_failed(const struct q2_shared *s)
{
	return s->img ? q2_image_mode(s->img) != Q2_MODE_RW : READ_ONCE(s->lost);
}

int q2_shared_make_readonly(struct q2_shared *s)
{
	int ret = 0;

	if (s->img) {
		q2_image_commit_all(s->img);
		if (q2_image_mode(s->img) != Q2_MODE_RW)
			ret = -EIO;
	} else {
		ret = flush_raw(s);
	}
	disclaim(s);
	mutex_lock(&s->opening);
	q2_host_lock_less(s->host);
	mutex_unlock(&s->opening);
	return ret;
}

bool q2_shared_is_sole(struct q2_shared *s)
{
	bool sole;

	mutex_lock(&registry);
	sole = s->users == 1;
	mutex_unlock(&registry);
	return sole;
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
	mutex_destroy(&s->flushing);
	kfree(s);
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
