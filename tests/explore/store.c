// SPDX-License-Identifier: GPL-2.0-only
/* Host files of a world. */
#include "store.h"
#include "arena.h"
#include "cut.h"

static struct store *store_of(struct q2_file *file)
{
	return container_of(file, struct store, file);
}

static void *must(void *p)
{
	if (!p)
		explore_fail("the arena has no memory for a store");
	return p;
}

/*
 * What has an effect
 */

static int do_read(struct store *s, u64 offset, void *buf, u32 len)
{
	u64 got = offset < s->file.size ? min((u64)len, s->file.size - offset) : 0;

	memcpy(buf, s->live + (got ? offset : 0), got);
	memset((u8 *)buf + got, 0, len - got);
	if (!explore_choose_fault(2, "a read fails"))
		return 0;
	s->errors++;
	return -EIO;
}

static void log_write(struct store *s, u64 offset, u32 len)
{
	struct store_write *w = &s->writes[s->nr_writes++];

	if (s->nr_writes > STORE_WRITES)
		explore_fail("%s: more than %u writes without a flush", s->file.name, STORE_WRITES);
	w->offset = offset;
	w->len = len;
	w->flushing = 0;
	w->data = must(arena_alloc_hidden(len));
	memcpy(w->data, s->live + offset, len);
}

static int do_write(struct store *s, u64 offset, const void *buf, u32 len)
{
	bool grows = offset + len > s->file.size;
	unsigned int way;

	explore_maybe_cut(s->file.name);
	way = explore_choose_fault(grows || s->thin ? 4 : 3, "a write fails");
	if (way == 3)
		return -ENOSPC;
	s->errors += !!way;
	if (way == 1)
		return -EIO;
	memcpy(s->live + offset, buf, len);
	s->file.size = max(s->file.size, offset + len);
	log_write(s, offset, len);
	return way ? -EIO : 0;
}

static void put(struct store *s, const struct store_write *w, u32 from, u32 to)
{
	memcpy(s->durable + w->offset + from, w->data + from, to - from);
	s->durable_size = max(s->durable_size, w->offset + to);
}

/* Writes that were there when flush @nr began are no more under way. */
static void forget_flushed(struct store *s, unsigned int nr)
{
	memmove(s->writes, s->writes + nr, (s->nr_writes - nr) * sizeof(s->writes[0]));
	s->nr_writes -= nr;
}

/* @covers: how many writes had ended when it began; fewer if others have flushed since. */
static int do_flush(struct store *s, unsigned int covers)
{
	unsigned int way, i;

	explore_maybe_cut(s->file.name);
	way = explore_choose_fault(3, "a flush fails");
	s->errors += !!way;
	covers = min(covers, s->nr_writes);
	for (i = 0; i < covers && way != 1; i++)
		put(s, &s->writes[i], 0, s->writes[i].len);
	forget_flushed(s, covers);
	return way ? -EIO : 0;
}

/*
 * Flushes count what they cover by a mark on each write: those before may go meanwhile.
 */

static unsigned int begin_flush(struct store *s)
{
	unsigned int i, last = ++s->flushes;

	for (i = 0; i < s->nr_writes; i++) {
		if (!s->writes[i].flushing)
			s->writes[i].flushing = last;
	}
	return last;
}

static unsigned int covered(const struct store *s, unsigned int mark)
{
	unsigned int n = 0;

	/* Marks do not fall from the oldest write to the youngest; 0 is behind them all. */
	while (n < s->nr_writes && s->writes[n].flushing && s->writes[n].flushing <= mark)
		n++;
	return n;
}

static void check_range(const struct store *s, u64 offset, u64 len)
{
	if (offset % STORE_SECTOR || len % STORE_SECTOR || !len)
		explore_fail("%s: a write of %llu bytes at %llu", s->file.name, len, offset);
	if (offset + len > s->room)
		explore_fail("%s: a write of %llu bytes at %llu, beyond the end at %llu",
			     s->file.name, len, offset, s->room);
}

/*
 * For those who wait
 */

static int store_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct store *s = store_of(file);

	explore_yield("store read", s->file.name, s);
	return do_read(s, offset, buf, len);
}

static int store_write(struct q2_file *file, u64 offset, const void *buf, size_t len)
{
	struct store *s = store_of(file);

	check_range(s, offset, len);
	explore_yield("store write", s->file.name, s);
	return do_write(s, offset, buf, len);
}

static int store_flush(struct q2_file *file)
{
	struct store *s = store_of(file);
	unsigned int mark = begin_flush(s);

	explore_yield("store flush", s->file.name, s);
	return do_flush(s, covered(s, mark));
}

static void store_discard(struct q2_file *file, u64 offset, u64 len)
{
	struct store *s = store_of(file);

	check_range(s, offset, len);
	explore_yield("discard", s->file.name, s);
	len = min(len, offset < s->file.size ? s->file.size - offset : 0);
	if (!s->punches || !len)
		return;
	memset(s->live + offset, 0, len);
	log_write(s, offset, len);
}

/* No hole: zeroes have to be written. */
static int store_zero(struct q2_file *file, u64 offset, u64 len)
{
	return -EOPNOTSUPP;
}

static const struct q2_file_ops store_ops = {
	.read = store_read,
	.write = store_write,
	.flush = store_flush,
	.discard = store_discard,
	.zero = store_zero,
};

/*
 * For those who are told
 */

struct submitted {
	struct store *store;
	enum store_op op;
	u64 offset;
	void *buf;
	u32 len;
	unsigned int mark;
	void (*done)(void *arg, long ret);
	void *arg;
};

static void ended(void *arg)
{
	struct submitted io = *(struct submitted *)arg;
	long ret = 0;

	switch (io.op) {
	case STORE_READ:
		ret = do_read(io.store, io.offset, io.buf, io.len);
		if (!ret)
			ret = io.len;
		if (ret > STORE_SECTOR && explore_choose_fault(2, "a read is short"))
			ret = round_down(ret / 2, (long)STORE_SECTOR);
		break;
	case STORE_WRITE:
		ret = do_write(io.store, io.offset, io.buf, io.len);
		if (!ret)
			ret = io.len;
		break;
	case STORE_FLUSH:
		ret = do_flush(io.store, covered(io.store, io.mark));
		break;
	}
	io.done(io.arg, ret);
}

void store_submit(struct store *store, enum store_op op, u64 offset, void *buf, u32 len,
		  void (*done)(void *arg, long ret), void *arg)
{
	static const char *const names[] = {"read ends", "write ends", "flush ends"};
	struct submitted *io = must(arena_alloc_hidden(sizeof(*io)));

	if (op == STORE_WRITE)
		check_range(store, offset, len);
	explore_point("submit", store->file.name, store);
	*io = (struct submitted){store, op, offset, buf, len, 0, done, arg};
	if (op == STORE_FLUSH)
		io->mark = begin_flush(store);
	explore_event(names[op], ended, io);
}

/*
 * Power cuts
 */

static void cut_few(struct store *s, unsigned int sectors)
{
	unsigned int subset = explore_choose(1U << sectors, "sectors that are there");
	unsigned int i, at;

	for (i = 0; i < s->nr_writes; i++) {
		for (at = 0; at < s->writes[i].len; at += STORE_SECTOR, subset >>= 1) {
			if (subset & 1)
				put(s, &s->writes[i], at, at + STORE_SECTOR);
		}
	}
}

static void cut_many(struct store *s)
{
	unsigned int n = s->nr_writes, way = explore_choose(2 + 3 * n, "writes that are there");
	unsigned int i, one = n, kind = 0;

	if (way >= 2) {
		one = (way - 2) % n;
		kind = 1 + (way - 2) / n;
	}
	for (i = 0; i < n; i++) {
		const struct store_write *w = &s->writes[i];

		if (!kind && way == 1) /* all */
			put(s, w, 0, w->len);
		else if (kind == 1 && i != one) /* all but one */
			put(s, w, 0, w->len);
		else if (kind == 2 && i == one) /* one alone */
			put(s, w, 0, w->len);
		else if (kind == 3) /* all but a half of one */
			put(s, w, 0, i == one ? round_down(w->len / 2, STORE_SECTOR) : w->len);
	}
}

static void on_cut(void *arg)
{
	struct store *s = arg;
	unsigned int i, sectors = 0;

	for (i = 0; i < s->nr_writes; i++)
		sectors += s->writes[i].len / STORE_SECTOR;
	if (sectors <= STORE_SUBSET)
		cut_few(s, sectors);
	else
		cut_many(s);
}

void store_restart(struct store *s)
{
	s->nr_writes = 0;
	s->file.size = s->durable_size;
	memcpy(s->live, s->durable, s->room);
}

struct store *store_create(const char *name, const void *data, u64 size, u64 room)
{
	struct store *s = must(arena_alloc_hidden(sizeof(*s)));

	memset(s, 0, sizeof(*s));
	s->file.ops = &store_ops;
	s->file.name = name;
	s->file.size = s->durable_size = size;
	s->file.limit = s->room = room;
	s->file.grows = true;
	s->live = must(arena_alloc_hidden(room));
	s->durable = must(arena_alloc_hidden(room));
	memset(s->live, 0, room);
	memcpy(s->live, data, size);
	memcpy(s->durable, s->live, room);
	s->punches = true;
	cut_hook(on_cut, s);
	return s;
}
