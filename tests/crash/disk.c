// SPDX-License-Identifier: GPL-2.0-only
/* A disk in memory with a volatile write cache. */
#include "disk.h"

struct disk_fault disk_fault;

void disk_fault_set(enum fault_kind kind, unsigned long nth, bool sticky)
{
	disk_fault = (struct disk_fault){.kind = kind, .left = nth, .sticky = sticky};
	fault_alloc(kind == FAULT_ALLOC ? nth : 0, sticky);
}

void disk_fault_clear(void)
{
	disk_fault_set(FAULT_NONE, 0, false);
}

void disk_fault_pause(struct disk_fault *saved)
{
	*saved = disk_fault;
	disk_fault.kind = FAULT_NONE;
	fault_alloc_pause(true);
}

void disk_fault_resume(const struct disk_fault *saved)
{
	disk_fault = *saved;
	fault_alloc_pause(disk_fault.kind == FAULT_NONE);
}

/*
 * Zeroed buffers, used again: to get fresh pages from the host for each power
 * cut would cost more than all the rest.
 */
static struct {
	u8 *data;
	u64 room;
} pool[16];

static u8 *buffer_get(u64 room)
{
	unsigned int i;
	u8 *data;

	for (i = 0; i < ARRAY_SIZE(pool); i++) {
		if (pool[i].data && pool[i].room == room) {
			data = pool[i].data;
			pool[i].data = NULL;
			return data;
		}
	}
	return xalloc(room);
}

/* No more than @used bytes at its start have been touched. */
static void buffer_put(u8 *data, u64 room, u64 used)
{
	static unsigned int next;
	unsigned int i;

	if (!data)
		return;
	memset(data, 0, used);
	for (i = 0; i < ARRAY_SIZE(pool) && pool[i].data; i++)
		;
	if (i == ARRAY_SIZE(pool)) {
		i = next++ % ARRAY_SIZE(pool);
		free(pool[i].data);
	}
	pool[i].data = data;
	pool[i].room = room;
}

static bool fault_due(enum fault_kind kind)
{
	if (disk_fault.kind != kind || !disk_fault.left)
		return false;
	if (--disk_fault.left)
		return false;
	if (disk_fault.sticky)
		disk_fault.left = 1;
	disk_fault.hit = true;
	return true;
}

static void event(struct disk *disk, bool guest)
{
	if (disk->event)
		disk->event(disk, guest, disk->event_arg);
}

static void log_add(struct disk *disk, u64 offset, const u8 *data, u64 len, bool guest)
{
	struct disk_entry *e;

	if (disk->nr_log == disk->log_room) {
		disk->log_room = disk->log_room ? 2 * disk->log_room : 64;
		disk->log = realloc(disk->log, disk->log_room * sizeof(*disk->log));
		if (!disk->log)
			exit(1);
	}
	e = &disk->log[disk->nr_log++];
	e->offset = offset;
	e->len = len;
	e->guest = guest;
	e->data = NULL;
	if (data) {
		e->data = malloc(len);
		if (!e->data)
			exit(1);
		memcpy(e->data, data, len);
	}
}

static void log_clear(struct disk *disk)
{
	size_t i;

	for (i = 0; i < disk->nr_log; i++)
		free(disk->log[i].data);
	disk->nr_log = 0;
}

/* Sector @at of an entry to @bytes, as far as it lies below @end. */
static void put_sector(const struct disk *disk, const struct disk_entry *e, u64 at, u8 *bytes)
{
	u64 n = min((u64)SECTOR, e->len - at);

	if (e->data)
		memcpy(bytes + e->offset + at, e->data + at, n);
	else
		memset(bytes + e->offset + at, disk->junk, n);
}

static int disk_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct disk *disk = container_of(file, struct disk, file);
	u64 got = 0;

	pthread_mutex_lock(&disk->lock);
	disk->reads++;
	if (fault_due(FAULT_READ)) {
		pthread_mutex_unlock(&disk->lock);
		return -EIO;
	}
	if (offset < disk->size)
		got = min((u64)len, disk->size - offset);
	memcpy(buf, disk->live + (got ? offset : 0), got);
	memset((u8 *)buf + got, 0, len - got);
	pthread_mutex_unlock(&disk->lock);
	return 0;
}

static int write_at(struct disk *disk, u64 offset, const u8 *buf, u64 len, bool guest)
{
	int ret = 0;
	u64 at;

	if (offset % SECTOR || len % SECTOR || !len)
		FAIL("a write of %llu bytes at %llu", len, offset);
	if (offset + len > disk->file.limit || offset + len > disk->room) {
		FAIL("a write of %llu bytes at %llu, beyond the end at %llu", len, offset,
		     disk->file.limit);
		return -EIO;
	}
	if (disk->readonly)
		FAIL("a write to a file that is only read");
	event(disk, guest);
	pthread_mutex_lock(&disk->lock);
	disk->writes++;
	if (fault_due(FAULT_NOSPC))
		ret = -ENOSPC;
	if (fault_due(FAULT_WRITE))
		ret = -EIO;
	if (ret && !guest)
		disk_fault.meta = true;
	for (at = 0; at < len; at += SECTOR) {
		/* What a failed write has written nobody knows. */
		if (ret && (ret == -ENOSPC || rng_one_in(&disk->rng, 2)))
			continue;
		memcpy(disk->live + offset + at, buf + at, SECTOR);
		disk->size = max(disk->size, offset + at + SECTOR);
		if (ret)
			log_add(disk, offset + at, buf + at, SECTOR, guest);
	}
	if (!ret)
		log_add(disk, offset, buf, len, guest);
	pthread_mutex_unlock(&disk->lock);
	return ret;
}

static int disk_write(struct q2_file *file, u64 offset, const void *buf, size_t len)
{
	return write_at(container_of(file, struct disk, file), offset, buf, len, false);
}

int disk_write_guest(struct disk *disk, u64 offset, const void *buf, u64 len)
{
	return write_at(disk, offset, buf, len, true);
}

int disk_write_fua(struct disk *disk, u64 offset, const void *buf, u64 len)
{
	size_t i;

	disk_write_guest(disk, offset, buf, len);
	pthread_mutex_lock(&disk->lock);
	disk->nr_log--;
	free(disk->log[disk->nr_log].data);
	memcpy(disk->durable + offset, buf, len);
	disk->durable_size = max(disk->durable_size, offset + len);
	/* Nothing older comes back over it. */
	for (i = 0; i < disk->nr_log; i++) {
		struct disk_entry *e = &disk->log[i];
		u64 start = max(offset, e->offset), end = min(offset + len, e->offset + e->len);

		if (start >= end)
			continue;
		if (!e->data) {
			e->data = xalloc(e->len);
			memset(e->data, disk->junk, e->len);
		}
		memcpy(e->data + (start - e->offset), (const u8 *)buf + (start - offset),
		       end - start);
	}
	pthread_mutex_unlock(&disk->lock);
	return 0;
}

static int disk_flush(struct q2_file *file)
{
	struct disk *disk = container_of(file, struct disk, file);
	int ret;
	size_t i;
	u64 at;

	event(disk, false);
	pthread_mutex_lock(&disk->lock);
	disk->flushes++;
	ret = fault_due(FAULT_FLUSH) ? -EIO : 0;
	if (ret)
		disk_fault.meta = true;
	/*
	 * After a failure the cache is clean: what has not reached the medium
	 * will not do so with the next flush either, though reads may show it.
	 */
	for (i = 0; i < disk->nr_log; i++) {
		const struct disk_entry *e = &disk->log[i];

		for (at = 0; at < e->len; at += SECTOR) {
			if (ret && rng_one_in(&disk->rng, 2))
				continue;
			put_sector(disk, e, at, disk->durable);
			disk->durable_size =
				max(disk->durable_size, min(e->offset + at + SECTOR, disk->size));
		}
	}
	if (!ret)
		disk->durable_size = disk->size;
	log_clear(disk);
	pthread_mutex_unlock(&disk->lock);
	return ret;
}

static void disk_discard(struct q2_file *file, u64 offset, u64 len)
{
	struct disk *disk = container_of(file, struct disk, file);

	event(disk, false);
	pthread_mutex_lock(&disk->lock);
	/* As FALLOC_FL_KEEP_SIZE. */
	if (offset < disk->size) {
		len = min(len, disk->size - offset);
		memset(disk->live + offset, disk->junk, len);
		log_add(disk, offset, NULL, len, false);
	}
	pthread_mutex_unlock(&disk->lock);
}

static const struct q2_file_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.discard = disk_discard,
};

struct disk *disk_create(const void *data, u64 size, u64 room, bool device)
{
	struct disk *disk = xalloc(sizeof(*disk));
	u64 i;

	room = round_up(max(room, size), 1ULL << 16);
	disk->live = buffer_get(room);
	disk->durable = buffer_get(room);
	memcpy(disk->live, data, size);
	if (device) {
		for (i = size; i < room; i++)
			disk->live[i] = 0xc0 + i % 61;
	}
	memcpy(disk->durable, disk->live, device ? room : size);
	disk->room = room;
	disk->device = device;
	disk->size = disk->durable_size = device ? room : size;
	disk->junk = device ? 0xdd : 0;
	disk->file.ops = &disk_ops;
	disk->file.name = "memory";
	disk->file.size = disk->size;
	disk->file.limit = room;
	disk->rng.state = size;
	pthread_mutex_init(&disk->lock, NULL);
	return disk;
}

void disk_free(struct disk *disk)
{
	if (!disk)
		return;
	log_clear(disk);
	free(disk->log);
	buffer_put(disk->live, disk->room, disk->size);
	buffer_put(disk->durable, disk->room, disk->size);
	pthread_mutex_destroy(&disk->lock);
	free(disk);
}

/* How a power cut chooses among what was not durable. */
enum cut {
	CUT_NOTHING, /* the log is lost */
	CUT_ALL,     /* all of it got there */
	CUT_PREFIX,  /* in order, up to some point */
	CUT_WRITES,  /* each whole write or not */
	CUT_SECTORS, /* each sector of each write or not */
	CUT_ONE,     /* one write alone */
	CUT_BUT_ONE, /* all but one write */
	CUT_META,    /* all metadata, no guest data */
	CUT_GUEST,   /* the reverse */
	CUT_LAST,    /* the last few, nothing of what came before */
	CUT_KINDS,
};

static const char *const cut_names[] = {
	"nothing",	     "all",
	"a prefix",	     "whole writes",
	"single sectors",    "one write",
	"all but one write", "metadata alone",
	"guest data alone",  "the last writes",
};

void disk_cut(struct disk *disk, struct rng *rng, struct disk_state *state)
{
	enum cut cut = rng_below(rng, CUT_KINDS);
	u64 end, pick, part = 1 + rng_below(rng, 3);
	size_t i;

	pthread_mutex_lock(&disk->lock);
	end = disk->durable_size;
	pick = rng_below(rng, disk->nr_log + 1);
	state->data = buffer_get(disk->room);
	state->room = disk->room;
	state->used = disk->size;
	memcpy(state->data, disk->durable, disk->size);
	snprintf(state->how, sizeof(state->how), "%s of %zu not flushed, pick %llu", cut_names[cut],
		 disk->nr_log, pick);
	for (i = 0; i < disk->nr_log; i++) {
		const struct disk_entry *e = &disk->log[i];
		bool write_it = rng_below(rng, 4) < part;
		u64 at;

		for (at = 0; at < e->len; at += SECTOR) {
			bool apply = false;

			switch (cut) {
			case CUT_ALL:
				apply = true;
				break;
			case CUT_PREFIX:
				apply = i < pick;
				break;
			case CUT_WRITES:
				apply = write_it;
				break;
			case CUT_SECTORS:
				apply = rng_below(rng, 4) < part;
				break;
			case CUT_ONE:
				apply = i == pick;
				break;
			case CUT_BUT_ONE:
				apply = i != pick;
				break;
			case CUT_META:
				apply = !e->guest;
				break;
			case CUT_GUEST:
				apply = e->guest;
				break;
			case CUT_LAST:
				apply = i >= pick;
				break;
			default:
				break;
			}
			if (!apply)
				continue;
			put_sector(disk, e, at, state->data);
			if (e->data)
				end = max(end, min(e->offset + at + SECTOR, disk->size));
		}
	}
	/* The file's length is metadata of the file system: it may be ahead of the data. */
	if (end < disk->size && rng_one_in(rng, 2))
		end = disk->size;
	state->size = end;
	pthread_mutex_unlock(&disk->lock);
}

void disk_state_free(struct disk_state *state)
{
	buffer_put(state->data, state->room, state->used);
	state->data = NULL;
}
