// SPDX-License-Identifier: GPL-2.0-only
/*
 * history-check LOG final|SINCE IMAGE...: what raw images of a history's devices show, in the
 * order of the devices, "-" for one that is not looked at.
 *
 * Is there, for each writer, a point in what it did, so that the images show all before it and
 * nothing behind it, but for the one thing that may have been under way? "final": the point is
 * the end. SINCE: how many things each writer had begun before the images were taken, with
 * commas; the point is not before those that had ended.
 *
 * A write that failed may be there or not, sector by sector. A discard leaves what was there,
 * or zeroes. When a device was lost and found, what had not been flushed may be gone.
 */
#include "history.h"

#define TOLD 8 /* sectors that are wrong */

/* What a sector may hold: a number from low to high, or zero if zero is not below low. */
struct sector {
	uint32_t low, high, zero;
	uint32_t floor; /* what low was at the last flush, if it has grown since */
};

static bool looked_at[DEVICES];
static uint64_t held[DEVICES][SECTORS];
static struct sector may[DEVICES][SECTORS];
static uint64_t flushed[DEVICES]; /* the last thing that was a flush of it */

static void load_image(const char *name, uint32_t device)
{
	FILE *f = fopen(name, "r");
	struct stamp s;
	uint32_t i;

	if (!f)
		die(name);
	for (i = 0; i < SECTORS; i++) {
		if (fread(&s, SECTOR, 1, f) != 1)
			die(name);
		held[device][i] = number_in(&s, device, i);
	}
	fclose(f);
	looked_at[device] = true;
}

static struct thing *load_log(const char *log, uint32_t me, uint64_t *nr)
{
	char name[4096];
	struct thing *list;
	FILE *f;
	long size;

	snprintf(name, sizeof(name), "%s.%u", log, me);
	f = fopen(name, "r");
	if (!f || fseek(f, 0, SEEK_END))
		die(name);
	size = ftell(f);
	*nr = size / sizeof(*list);
	rewind(f);
	list = malloc(size + 1);
	if (!list || fread(list, sizeof(*list), *nr, f) != *nr)
		die(name);
	fclose(f);
	return list;
}

static bool right(uint32_t device, uint32_t sector)
{
	const struct sector *s = &may[device][sector];
	uint64_t is = held[device][sector];

	if (!looked_at[device])
		return true;
	return is ? is >= s->low && is <= s->high : s->zero >= s->low;
}

/* How many sectors that a writer owns on a device hold what they may not. */
static int64_t count_wrong(uint32_t me, uint32_t device, bool say)
{
	int64_t wrong = 0;
	uint32_t i;

	for (i = 0; i < SECTORS; i++) {
		if (writer_of(i) != me || right(device, i))
			continue;
		if (say && wrong < TOLD)
			fprintf(stderr,
				"history: device %u sector %u holds %llu; it may be %u to %u, the last zero was %u\n",
				device, i, (unsigned long long)held[device][i], may[device][i].low,
				may[device][i].high, may[device][i].zero);
		wrong++;
	}
	return wrong;
}

/* How many sectors are wrong only because the thing was under way. */
static int64_t count_excused(const struct thing *t, uint64_t number)
{
	bool zeroes = t->op == ZERO || t->op == DISCARD;
	int64_t excused = 0;
	uint32_t i;

	if (t->op == FLUSH || t->op == LOST)
		return 0;
	for (i = t->sector; i < t->sector + t->nr; i++) {
		if (!right(t->device, i) && held[t->device][i] == (zeroes ? 0 : number))
			excused++;
	}
	return excused;
}

static void change(const struct thing *t, uint64_t number, struct sector *s)
{
	if (t->op == ZERO || t->op == DISCARD)
		s->zero = number;
	else
		s->high = number;
	if (t->op == DISCARD || t->result != DONE)
		return;
	if (s->low <= flushed[t->device])
		s->floor = s->low;
	s->low = number;
	if (t->op == FUA)
		s->floor = number;
}

/* The thing is done; returns by how much there is more that is wrong. */
static int64_t apply(const struct thing *t, uint64_t number, uint32_t me)
{
	struct sector *s = may[t->device];
	int64_t wrong = 0;
	uint32_t i;

	switch (t->op) {
	case FLUSH:
		if (t->result == DONE)
			flushed[t->device] = number;
		return 0;
	case LOST:
		wrong = -count_wrong(me, t->device, false);
		for (i = 0; i < SECTORS; i++) {
			if (s[i].low > flushed[t->device])
				s[i].low = s[i].floor;
		}
		return wrong + count_wrong(me, t->device, false);
	default:
		for (i = t->sector; i < t->sector + t->nr; i++) {
			wrong -= !right(t->device, i);
			change(t, number, &s[i]);
			wrong += !right(t->device, i);
		}
		return wrong;
	}
}

static int64_t start(uint32_t me)
{
	int64_t wrong = 0;
	uint32_t device;

	memset(may, 0, sizeof(may));
	memset(flushed, 0, sizeof(flushed));
	for (device = 0; device < DEVICES; device++)
		wrong += count_wrong(me, device, false);
	return wrong;
}

/* Do the images show a point from @first on? */
static bool shows(const struct thing *list, uint64_t nr, uint64_t first, uint32_t me)
{
	int64_t wrong = start(me), left, least = INT64_MAX;
	uint64_t point, best = 0;
	uint32_t device;

	for (point = 0; point <= nr; point++) {
		if (point)
			wrong += apply(&list[point - 1], point, me);
		if (point < first)
			continue;
		left = wrong - (point < nr ? count_excused(&list[point], point + 1) : 0);
		if (left < least) {
			least = left;
			best = point;
		}
		if (!left) {
			printf("writer %u: %llu of %llu things\n", me, (unsigned long long)point,
			       (unsigned long long)nr);
			return true;
		}
	}
	fprintf(stderr,
		"history: writer %u: no point from %llu to %llu of what it did; at %llu %lld sectors are wrong:\n",
		me, (unsigned long long)first, (unsigned long long)nr, (unsigned long long)best,
		(long long)least);
	start(me);
	for (point = 1; point <= best; point++)
		apply(&list[point - 1], point, me);
	for (device = 0; device < DEVICES; device++)
		count_wrong(me, device, true);
	return false;
}

int main(int argc, char **argv)
{
	struct thing *list;
	uint64_t nr, first;
	bool ok = true;
	char *since;
	uint32_t i;

	if (argc < 4 || argc > 3 + DEVICES)
		return 2;
	since = argv[2];
	for (i = 3; i < argc; i++) {
		if (strcmp(argv[i], "-"))
			load_image(argv[i], i - 3);
	}
	for (i = 0; i < WRITERS; i++) {
		list = load_log(argv[1], i, &nr);
		first = nr;
		if (strcmp(argv[2], "final")) {
			first = strtoull(since, &since, 10);
			/* The last one may be under way. */
			first -= !!first;
			since += !!*since;
		}
		ok &= shows(list, nr, first, i);
		free(list);
	}
	return ok ? 0 : 1;
}
