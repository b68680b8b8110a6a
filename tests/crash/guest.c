// SPDX-License-Identifier: GPL-2.0-only
/* A guest on an image. */
#include <unistd.h>
#include "guest.h"

static void end_one(struct guest *g, struct late *l);

/* What looked something up has ended when this returns. */
static void quiesce(void *arg)
{
	struct guest *g = arg;
	unsigned int i;

	if (g->locks) {
		pthread_rwlock_wrlock(&g->transfers);
		pthread_rwlock_unlock(&g->transfers);
		return;
	}
	for (i = 0; i < MAX_LATE; i++) {
		if (g->late[i].used && !g->late[i].step)
			end_one(g, &g->late[i]);
	}
}

static void on_forget(void *arg, u64 guest, u64 len)
{
	struct guest *g = arg;

	if (g->map)
		q2_map_forget(g->map, guest, len);
}

/* As in module/io. */
static void on_mapped(void *arg, u64 guest, u64 len, u64 host)
{
	struct guest *g = arg;
	u64 start = round_down(guest, 1ULL << g->chain->granule_bits);
	u64 past = min(guest + len, g->size);

	if (g->map)
		q2_map_set_data(g->map, start, past - start, g->set->nr - 1,
				host - (guest - start));
}

static void on_failed(void *arg, const char *what)
{
	struct guest *g = arg;

	(void)what;
	if (g->failed++)
		FAIL("the image becomes read-only twice");
}

int guest_open(struct guest *g, const struct image_set *set, struct disk *disk, struct model *model,
	       u64 seed, bool writable)
{
	struct q2_err err = {};
	unsigned int i;
	int ret = 0;

	memset(g, 0, sizeof(*g));
	g->set = set;
	g->disk = disk;
	g->model = model;
	g->rng.state = seed;
	g->hooks.forget = on_forget;
	g->hooks.mapped = on_mapped;
	g->hooks.quiesce = quiesce;
	g->hooks.failed = on_failed;
	pthread_rwlock_init(&g->transfers, NULL);
	g->chain = q2_chain_alloc(set->nr);
	if (!g->chain)
		return -ENOMEM;
	for (i = 0; i < set->nr; i++) {
		const struct layer *l = &set->layers[i];
		struct q2_layer *layer = &g->chain->layers[i];
		bool top = i + 1 == set->nr;

		if (!top) {
			g->below[i] = disk_create(l->data, l->size, l->size, false);
			g->below[i]->readonly = true;
		}
		layer->file = top ? &disk->file : &g->below[i]->file;
		layer->size = l->guest;
		if (l->raw)
			continue;
		g->images[i] = q2_image_open(layer->file, Q2_CACHE_MIN, &err);
		if (IS_ERR(g->images[i])) {
			ret = PTR_ERR(g->images[i]);
			g->images[i] = NULL;
			break;
		}
		layer->img = g->images[i];
		layer->size = q2_image_size(layer->img);
		if (top && writable)
			ret = q2_image_make_writable(layer->img, &g->hooks, g, &err);
	}
	if (ret) {
		if (ret != -ENOMEM && ret != -EIO)
			FAIL("an image does not open: %d, %s", ret, err.text);
		guest_close(g);
		return ret;
	}
	g->chain->writable = writable;
	q2_chain_init(g->chain);
	if (writable) {
		g->map = q2_map_create(g->chain, Q2_MAP_MIN);
		if (IS_ERR(g->map)) {
			g->map = NULL;
			guest_close(g);
			return -ENOMEM;
		}
	}
	g->img = g->images[set->nr - 1];
	g->size = g->chain->size;
	g->cluster = q2_image_geometry(g->img)->cluster_size;
	g->subcluster = 1ULL << q2_image_geometry(g->img)->subcluster_bits;
	return 0;
}

int guest_resized(struct guest *g)
{
	if (g->map)
		q2_map_destroy(g->map);
	g->chain->layers[g->set->nr - 1].size = q2_image_size(g->img);
	q2_chain_init(g->chain);
	g->size = g->chain->size;
	g->map = q2_map_create(g->chain, Q2_MAP_MIN);
	if (!IS_ERR(g->map))
		return 0;
	g->map = NULL;
	return -ENOMEM;
}

void guest_close(struct guest *g)
{
	unsigned int i;

	guest_end_late(g, true);
	if (g->map)
		q2_map_destroy(g->map);
	g->map = NULL;
	for (i = g->set->nr; i--;) {
		if (g->images[i])
			q2_image_close(g->images[i]);
		disk_free(g->below[i]);
	}
	q2_chain_free(g->chain);
	pthread_rwlock_destroy(&g->transfers);
	g->img = NULL;
}

/*
 * A compressed cluster never changes: it shows what it showed when QEMU had
 * made the image, if the bytes are the same as then.
 */
static int compressed(struct guest *g, unsigned int layer, const struct q2_extent *ext,
		      u32 *versions)
{
	const struct layer *l = &g->set->layers[layer];
	struct disk *disk = layer + 1 == g->set->nr ? g->disk : g->below[layer];
	u64 i, n = min((u64)ext->compressed_size, l->size - ext->host);
	bool same;

	pthread_mutex_lock(&disk->lock);
	same = ext->host < l->size && !memcmp(disk->live + ext->host, l->data + ext->host, n);
	pthread_mutex_unlock(&disk->lock);
	if (!same) {
		for (i = 0; i < ext->len / SECTOR; i++)
			versions[i] = V_BROKEN;
		return 0;
	}
	for (i = 0; i < ext->len / SECTOR; i++)
		versions[i] = l->content[ext->guest / SECTOR + i];
	return 0;
}

static int transfer(struct guest *g, unsigned int layer, const struct q2_extent *ext, u32 *versions)
{
	struct disk *disk = layer + 1 == g->set->nr ? g->disk : g->below[layer];
	u8 buf[16 * SECTOR];
	u64 at, i, n;
	int ret;

	for (at = 0; at < ext->len; at += n) {
		n = min(ext->len - at, (u64)sizeof(buf));
		ret = q2_file_read(&disk->file, ext->host + at, buf, n);
		if (ret)
			return ret;
		for (i = 0; i < n / SECTOR; i++)
			versions[at / SECTOR + i] =
				stamp_read(buf + i * SECTOR, (ext->guest + at) / SECTOR + i);
	}
	return 0;
}

/* Where guest bytes are: as q2_disk_find() of module/serve. */
static int find(struct guest *g, u64 guest, u64 len, unsigned int *layer, struct q2_extent *ext,
		bool *in_place)
{
	struct q2_run run = {};
	int ret;

	*in_place = false;
	if (!g->map || g->direct)
		return q2_chain_lookup(g->chain, guest, len, layer, ext);
	q2_map_lookup(g->map, guest, len, &run);
	if (run.kind == Q2_MAP_MISS && !q2_map_fill(g->map, guest))
		q2_map_lookup(g->map, guest, len, &run);
	*layer = run.layer;
	memset(ext, 0, sizeof(*ext));
	ext->guest = guest;
	ext->len = run.len;
	switch (run.kind) {
	case Q2_MAP_DATA:
		ext->kind = Q2_DATA;
		ext->host = run.host;
		*in_place = run.in_place;
		return 0;
	case Q2_MAP_ZERO:
		ext->kind = Q2_ZERO;
		return 0;
	case Q2_MAP_COMPRESSED:
		ret = q2_image_lookup(g->images[run.layer], guest, run.len, ext);
		if (!ret && ext->kind == Q2_COMPRESSED)
			return 0;
		/* fall through */
	default:
		return q2_chain_lookup(g->chain, guest, len, layer, ext);
	}
}

/*
 * A step has changed the image, and the request goes on, or has not been told
 * yet: what a commit freed meanwhile must be found by nobody.
 */
static void in_between(struct guest *g, u64 guest)
{
	u64 other;

	if (g->locks) {
		/* Threads: whoever wants to. */
		if (guest / SECTOR % 3 == 0)
			usleep(300);
		return;
	}
	if (g->nested || !g->map || !rng_one_in(&g->rng, 12))
		return;
	g->nested = true;
	guest_flush(g);
	other = rng_below(&g->rng, g->size / g->cluster) * g->cluster;
	if (q2_image_mode(g->img) == Q2_MODE_RW && !guest_is_late(g, other, g->cluster) &&
	    (other + g->cluster <= round_down(g->busy, g->cluster) ||
	     other >= round_up(g->busy_end, g->cluster)))
		guest_write(g, other, min(g->cluster, g->size - other));
	guest_compare_all(g);
	g->nested = false;
}

int guest_read(struct guest *g, u64 guest, u64 len, u32 *versions)
{
	u64 end = guest + len;
	int ret = 0;

	while (guest < end && !ret) {
		struct q2_extent ext;
		unsigned int layer;
		bool in_place;
		u64 i;

		if (g->locks)
			pthread_rwlock_rdlock(&g->transfers);
		ret = find(g, guest, end - guest, &layer, &ext, &in_place);
		if (!ret && (!ext.len || ext.guest != guest || ext.len > end - guest))
			FAIL("lookup of %llu at %llu: %llu at %llu", end - guest, guest, ext.len,
			     ext.guest);
		if (ret) {
			/* Nothing. */
		} else if (ext.kind == Q2_DATA) {
			ret = transfer(g, layer, &ext, versions);
		} else if (ext.kind == Q2_COMPRESSED) {
			ret = compressed(g, layer, &ext, versions);
		} else {
			for (i = 0; i < ext.len / SECTOR; i++)
				versions[i] = V_ZERO;
		}
		if (g->locks)
			pthread_rwlock_unlock(&g->transfers);
		versions += ext.len / SECTOR;
		guest += ext.len;
	}
	return ret;
}

void guest_compare(struct guest *g, u64 guest, u64 len)
{
	struct disk_fault fault;
	u32 *versions;
	u64 i;
	int ret;

	len = min(len, g->size - guest);
	versions = xalloc(len / SECTOR * sizeof(*versions));
	disk_fault_pause(&fault);
	ret = guest_read(g, guest, len, versions);
	disk_fault_resume(&fault);
	for (i = 0; i < len / SECTOR && !ret; i++) {
		if (!model_may_read(g->model, guest / SECTOR + i, versions[i])) {
			u32 version = versions[i];

			free(versions);
			FAIL("sector %llu reads %d; %s", guest / SECTOR + i, (int)version,
			     model_describe(g->model, guest / SECTOR + i));
			return;
		}
	}
	free(versions);
	if (ret)
		FAIL("a read at %llu fails: %d", guest, ret);
}

void guest_compare_all(struct guest *g)
{
	guest_compare(g, 0, g->size);
}

/* Bytes that the device shows, for a fill: zeroes beyond its end. */
static int read_bytes(struct guest *g, u64 guest, u64 len, u8 *buf)
{
	u64 inside = guest < g->size ? min(len, g->size - guest) : 0, i;
	u32 *versions = xalloc(inside / SECTOR * sizeof(*versions));
	int ret = inside ? guest_read(g, guest, inside, versions) : 0;

	memset(buf, 0, len);
	for (i = 0; i < inside / SECTOR && !ret; i++) {
		if (versions[i] == V_BROKEN)
			memset(buf + i * SECTOR, 0xee, SECTOR); /* seen when it is read */
		else
			stamp(buf + i * SECTOR, guest / SECTOR + i, versions[i]);
	}
	free(versions);
	return ret;
}

/* The host write of a step: what is filled and what is written, in some pieces. */
static int write_step(struct guest *g, const struct q2_write *w, u32 version)
{
	u64 n = w->fill_end - w->fill_start, at, part, i;
	u64 host = w->host - (w->guest - w->fill_start);
	u8 *buf = xalloc(n);
	int ret;

	ret = read_bytes(g, w->fill_start, w->guest - w->fill_start, buf);
	if (!ret)
		ret = read_bytes(g, w->guest + w->len, w->fill_end - w->guest - w->len,
				 buf + (w->guest + w->len - w->fill_start));
	for (i = 0; i < w->len / SECTOR; i++)
		stamp(buf + (w->guest - w->fill_start) + i * SECTOR, w->guest / SECTOR + i,
		      version);
	for (at = 0; at < n && !ret; at += part) {
		part = n - at;
		if (!g->locks && rng_one_in(&g->rng, 4))
			part = (1 + rng_below(&g->rng, part / SECTOR)) * SECTOR;
		ret = disk_write_guest(g->disk, host + at, buf + at, part);
		if (g->flaky && rng_one_in(&g->rng, 40))
			ret = -EIO;
	}
	free(buf);
	return ret;
}

/* What holds for each step, whatever the image. */
static void check_step(struct guest *g, const struct q2_write *w, u64 guest, u64 len)
{
	u64 host = w->host - (w->guest - w->fill_start);

	if (w->guest != guest || !w->len || w->len > len)
		FAIL("a step of %llu at %llu for %llu at %llu", w->len, w->guest, len, guest);
	if (w->fill_start > guest || w->fill_end < guest + w->len ||
	    guest - w->fill_start >= g->cluster || w->fill_end - guest - w->len >= g->cluster)
		FAIL("a fill of %llu..%llu for %llu at %llu", w->fill_start, w->fill_end, w->len,
		     guest);
	/* Nothing is filled that this very request goes on to write. */
	if (w->len < len && w->fill_end > guest + w->len)
		FAIL("a step of %llu at %llu fills up to %llu, but the request goes on to %llu",
		     w->len, guest, w->fill_end, guest + len);
	if (host % SECTOR || host + (w->fill_end - w->fill_start) > g->disk->file.limit)
		FAIL("a step goes to %llu", host);
}

int guest_write_raw(struct guest *g, u64 guest, u64 len, u32 version)
{
	u64 end = guest + len;
	int ret;

	while (guest < end) {
		struct q2_extent ext;
		struct q2_write w;
		unsigned int layer;
		bool fast, in_place;

		if (g->locks)
			pthread_rwlock_rdlock(&g->transfers);
		ret = find(g, guest, end - guest, &layer, &ext, &in_place);
		fast = !ret && in_place && (g->locks || !rng_one_in(&g->rng, 4));
		if (fast) {
			w = (struct q2_write){.guest = guest,
					      .len = ext.len,
					      .host = ext.host,
					      .fill_start = guest,
					      .fill_end = guest + ext.len};
			ret = write_step(g, &w, version);
		}
		if (g->locks)
			pthread_rwlock_unlock(&g->transfers);
		if (ret)
			return ret;
		if (!fast) {
			ret = q2_write_begin(g->img, guest, end - guest, &w);
			if (ret)
				return ret;
			check_step(g, &w, guest, end - guest);
			ret = write_step(g, &w, version);
			q2_write_end(g->img, &w, !ret);
			if (ret)
				return ret;
			in_between(g, guest);
		}
		guest += w.len;
	}
	return 0;
}

/* After a failure or a discard: what is there now is what counts, if it may be there. */
static void settle(struct guest *g, u64 guest, u64 len)
{
	u32 *versions = xalloc(len / SECTOR * sizeof(*versions));
	struct disk_fault fault;
	u64 i;
	int ret;

	disk_fault_pause(&fault);
	ret = guest_read(g, guest, len, versions);
	disk_fault_resume(&fault);
	for (i = 0; i < len / SECTOR && !ret; i++)
		model_settle(g->model, guest / SECTOR + i, versions[i]);
	free(versions);
}

int guest_write(struct guest *g, u64 guest, u64 len)
{
	u32 version = model_version(g->model);
	int ret;

	sim_count.ops++;
	if (!g->nested) {
		g->busy = guest;
		g->busy_end = guest + len;
	}
	model_begin(g->model, guest / SECTOR, len / SECTOR, version);
	ret = guest_write_raw(g, guest, len, version);
	if (ret) {
		/* The version may still turn up after a cut: it stays. */
		guest_compare(g, guest, len);
		settle(g, guest, len);
	} else {
		model_end(g->model, guest / SECTOR, len / SECTOR, version);
	}
	return ret;
}

int guest_discard_raw(struct guest *g, u64 guest, u64 len)
{
	int ret = q2_image_discard(g->img, guest, len);

	in_between(g, guest);
	return ret;
}

int guest_discard(struct guest *g, u64 guest, u64 len)
{
	int ret;

	sim_count.ops++;
	if (!g->nested) {
		g->busy = guest;
		g->busy_end = guest + len;
	}
	model_begin(g->model, guest / SECTOR, len / SECTOR, V_ZERO);
	ret = guest_discard_raw(g, guest, len);
	guest_compare(g, guest, len);
	if (!ret)
		model_end(g->model, guest / SECTOR, len / SECTOR, V_ZERO);
	settle(g, guest, len);
	return ret;
}

int guest_zero_raw(struct guest *g, u64 guest, u64 len, bool unmap)
{
	u64 end = guest + len, done;
	int ret = 0;

	/* What is no whole subcluster is written, as module/io does. */
	while (guest < end && !ret) {
		u64 border = round_up(guest, g->subcluster);
		u64 stop = end == g->size ? end : round_down(end, g->subcluster);

		done = 0;
		ret = -EOPNOTSUPP;
		if (border == guest && stop > guest)
			ret = q2_image_zero(g->img, guest, stop - guest, unmap, &done);
		if (done > end - guest)
			FAIL("%llu bytes zeroed of %llu", done, end - guest);
		if (done)
			in_between(g, guest);
		guest += done;
		if (ret == -EOPNOTSUPP) {
			u64 part =
				min(end, round_down(guest, g->subcluster) + g->subcluster) - guest;

			ret = guest_write_raw(g, guest, part, V_ZERO);
			guest += part;
		}
	}
	return ret;
}

int guest_zero(struct guest *g, u64 guest, u64 len, bool unmap)
{
	int ret;

	sim_count.ops++;
	if (!g->nested) {
		g->busy = guest;
		g->busy_end = guest + len;
	}
	model_begin(g->model, guest / SECTOR, len / SECTOR, V_ZERO);
	ret = guest_zero_raw(g, guest, len, unmap);
	if (ret) {
		guest_compare(g, guest, len);
		settle(g, guest, len);
	} else {
		model_end(g->model, guest / SECTOR, len / SECTOR, V_ZERO);
	}
	return ret;
}

int guest_flush(struct guest *g)
{
	u64 floor = __atomic_load_n(&g->model->clock, __ATOMIC_SEQ_CST);
	unsigned long flushes = g->disk->flushes;
	int ret;

	sim_count.ops++;
	ret = q2_image_commit(g->img);
	if (ret)
		return ret;
	if (g->careful && g->disk->flushes - flushes > 2)
		FAIL("a guest flush took %lu flushes of the file", g->disk->flushes - flushes);
	model_flushed(g->model, floor);
	return 0;
}

bool guest_is_late(const struct guest *g, u64 guest, u64 len)
{
	unsigned int i;

	for (i = 0; i < MAX_LATE; i++) {
		const struct late *l = &g->late[i];

		if (l->used && guest < round_up(l->guest + l->len, g->cluster) &&
		    round_down(l->guest, g->cluster) < round_up(guest + len, g->cluster))
			return true;
	}
	return false;
}

void guest_begin_late(struct guest *g, u64 guest, u64 len)
{
	struct late *l = NULL;
	struct q2_extent ext;
	unsigned int i, layer;
	bool in_place;
	int ret;

	for (i = 0; i < MAX_LATE; i++) {
		if (!g->late[i].used)
			l = &g->late[i];
	}
	if (!l || guest_is_late(g, guest, len))
		return;
	memset(l, 0, sizeof(*l));
	l->guest = guest;
	l->version = model_version(g->model);
	l->since = g->model->clock;
	g->model->hold = min(g->model->hold, l->since);
	ret = find(g, guest, len, &layer, &ext, &in_place);
	if (ret)
		return;
	if (layer + 1 == g->set->nr && ext.kind == Q2_DATA) {
		l->write = in_place && rng_one_in(&g->rng, 2);
		l->len = ext.len;
		l->host = ext.host;
	} else {
		l->step = l->write = true;
		ret = q2_write_begin(g->img, guest, len, &l->w);
		if (ret)
			return;
		l->len = l->w.len;
		/* The data may be on their way, or all there, or not yet. */
		model_begin(g->model, guest / SECTOR, l->len / SECTOR, l->version);
		l->used = true;
		if (rng_one_in(&g->rng, 2) && write_step(g, &l->w, l->version)) {
			l->used = false;
			q2_write_end(g->img, &l->w, false);
			settle(g, guest, l->len);
		}
		return;
	}
	if (l->write)
		model_begin(g->model, guest / SECTOR, l->len / SECTOR, l->version);
	l->used = true;
}

/* A read that was looked up long ago: what the sectors held since then, nothing else. */
static void end_read(struct guest *g, const struct late *l)
{
	u32 *versions = xalloc(l->len / SECTOR * sizeof(*versions));
	struct q2_extent ext = {.guest = l->guest, .len = l->len, .host = l->host};
	u64 i;
	int ret = transfer(g, g->set->nr - 1, &ext, versions);

	for (i = 0; i < l->len / SECTOR && !ret; i++) {
		u64 sector = l->guest / SECTOR + i;

		if (!model_may_survive(g->model, sector, versions[i], l->since))
			FAIL("a read looked up at %llu finds %d in sector %llu; %s", l->since,
			     (int)versions[i], sector, model_describe(g->model, sector));
	}
	free(versions);
}

static void end_one(struct guest *g, struct late *l)
{
	unsigned int i;
	int ret;

	sim_count.ops++;
	l->used = false;
	g->model->hold = U64_MAX;
	for (i = 0; i < MAX_LATE; i++) {
		if (g->late[i].used)
			g->model->hold = min(g->model->hold, g->late[i].since);
	}
	if (!l->write) {
		end_read(g, l);
		return;
	}
	if (l->step) {
		ret = write_step(g, &l->w, l->version);
		q2_write_end(g->img, &l->w, !ret);
	} else {
		struct q2_write w = {.guest = l->guest,
				     .len = l->len,
				     .host = l->host,
				     .fill_start = l->guest,
				     .fill_end = l->guest + l->len};

		ret = write_step(g, &w, l->version);
	}
	if (ret) {
		guest_compare(g, l->guest, l->len);
		settle(g, l->guest, l->len);
		return;
	}
	/* The cluster may have been discarded meanwhile: either order is right. */
	if (!l->step)
		guest_compare(g, l->guest, l->len);
	model_end(g->model, l->guest / SECTOR, l->len / SECTOR, l->version);
	if (!l->step)
		settle(g, l->guest, l->len);
}

void guest_end_late(struct guest *g, bool all)
{
	unsigned int i, from = all ? 0 : rng_below(&g->rng, MAX_LATE);

	for (i = from; i < MAX_LATE; i++) {
		if (g->late[i].used) {
			end_one(g, &g->late[i]);
			if (!all)
				return;
		}
	}
}

/* A range as guests ask for: small, a cluster, a few, across borders. */
static void pick(struct guest *g, u64 *guest, u64 *len)
{
	struct rng *r = &g->rng;
	u64 sectors = g->size / SECTOR, per = g->cluster / SECTOR, at, n;

	/* Most of the time in a quarter of the disk. */
	at = rng_below(r, rng_one_in(r, 3) ? sectors : (sectors + 3) / 4);
	switch (rng_below(r, 6)) {
	case 0:
		n = 1;
		break;
	case 1:
		n = 1 + rng_below(r, per);
		break;
	case 2:
		at = round_down(at, per);
		n = per;
		break;
	case 3:
		at = round_down(at, per);
		n = per * (1 + rng_below(r, 4));
		break;
	case 4:
		n = 1 + rng_below(r, 4 * per);
		break;
	default:
		at = round_down(at, max(per / 8, 1ULL));
		n = max(per / 8, 1ULL);
		break;
	}
	n = min(n, sectors - at);
	*guest = at * SECTOR;
	*len = n * SECTOR;
}

int guest_random(struct guest *g)
{
	struct rng *r = &g->rng;
	unsigned int what = rng_below(r, 100);
	u64 guest, len;

	pick(g, &guest, &len);
	if (what < 12) {
		sim_context("%s: flush", g->set->config->name);
		return guest_flush(g);
	}
	if (what < 20) {
		guest_begin_late(g, guest, len);
		return 0;
	}
	if (what < 26) {
		guest_end_late(g, false);
		return 0;
	}
	if (what < 30) {
		q2_image_shrink(g->img, rng_below(r, 100));
		return 0;
	}
	/* A discard may meet late transfers, never late steps. The rest shuns both. */
	if (guest_is_late(g, guest, len)) {
		unsigned int i;

		for (i = 0; i < MAX_LATE; i++) {
			if (g->late[i].used && (g->late[i].step || what >= 45))
				return 0;
		}
	}
	if (what < 45) {
		sim_context("%s: discard %llu+%llu", g->set->config->name, guest, len);
		return guest_discard(g, guest, len);
	}
	if (what < 60) {
		sim_context("%s: zero %llu+%llu, unmap %d", g->set->config->name, guest, len,
			    what < 53);
		return guest_zero(g, guest, len, what < 53);
	}
	sim_context("%s: write %llu+%llu", g->set->config->name, guest, len);
	return guest_write(g, guest, len);
}
