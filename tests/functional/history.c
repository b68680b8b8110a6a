// SPDX-License-Identifier: GPL-2.0-only
/*
 * history write LOG SEED DEVICE...: writers and readers on several devices, until SIGTERM.
 *
 * Each writer has ranges of its own on every device and does one thing at a time, on any of
 * them: it writes sectors that say who wrote them, where, and as the how manyth thing, with
 * a checksum, or makes a range zero. What it is about to do it notes in LOG.WRITER first.
 * Readers see that each sector holds what was written last, or what is just being written.
 *
 * history check LOG final|instant IMAGE...: raw images of the devices in the same order, "-"
 * for one that is not looked at. Is there, for each writer, a point in what it did, so that
 * the images show all before it and nothing behind it, but for the one thing that may have
 * been under way? "final": the point is the end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR 512
#define DEVICES 4
#define WRITERS 3
#define READERS 2
#define SECTORS (8 << 11) /* of a device that are used: 8 MiB */
#define RANGE 128	  /* sectors that have one writer */
#define MOST 64		  /* sectors of one thing to do */
#define PAUSE 8000	  /* microseconds between two of them */

struct thing {
	uint32_t device;
	uint32_t sector;
	uint32_t nr;
	uint32_t zero;
};

struct stamp {
	uint64_t writer, number, device, sector;
	uint64_t fill[59];
	uint64_t sum;
};

_Static_assert(sizeof(struct stamp) == SECTOR, "a stamp is a sector");

static void die(const char *what)
{
	fprintf(stderr, "history: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint32_t writer_of(uint32_t sector)
{
	return sector / RANGE % WRITERS;
}

static void make_stamp(struct stamp *s, uint32_t writer, uint64_t number, uint32_t device,
		       uint32_t sector)
{
	uint64_t state = number << 32 ^ sector << 8 ^ device << 4 ^ writer;
	unsigned int i;

	*s = (struct stamp){writer + 1, number, device, sector, {0}, 0};
	for (i = 0; i < 59; i++)
		s->fill[i] = next(&state);
	s->sum = next(&state);
}

/* The number of the thing that wrote the sector, 0 if it is zero. */
static uint64_t number_in(const struct stamp *s, uint32_t device, uint32_t sector)
{
	static const char zeroes[SECTOR];
	struct stamp right;

	if (!memcmp(s, zeroes, SECTOR))
		return 0;
	make_stamp(&right, writer_of(sector), s->number, device, sector);
	if (memcmp(s, &right, SECTOR)) {
		fprintf(stderr,
			"history: device %u sector %u holds what was never written there: writer %llu number %llu device %llu sector %llu\n",
			device, sector, (unsigned long long)s->writer - 1,
			(unsigned long long)s->number, (unsigned long long)s->device,
			(unsigned long long)s->sector);
		exit(1);
	}
	return s->number;
}

/*
 * Writing
 */

static atomic_bool over;
static int nr_devices, fds[DEVICES];
static const char *log_name;
static uint64_t seed;
/* Numbers of the last thing that was begun and that has ended there, and of the last zeroing. */
static _Atomic uint64_t begun[DEVICES][SECTORS], ended[DEVICES][SECTORS], zeroed[DEVICES][SECTORS];
static _Atomic uint64_t things, reads;

static void end(int signal)
{
	over = true;
}

static void make_zero(int fd, uint64_t start, uint64_t len)
{
	uint64_t range[2] = {start, len};

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len) &&
	    (errno != EOPNOTSUPP || ioctl(fd, BLKZEROOUT, range)))
		die("zeroing");
}

static void do_thing(const struct thing *t, uint32_t writer, uint64_t number, struct stamp *buf)
{
	int fd = fds[t->device];
	uint32_t i;

	for (i = 0; i < t->nr; i++) {
		if (t->zero)
			zeroed[t->device][t->sector + i] = number;
		begun[t->device][t->sector + i] = number;
	}
	if (t->zero) {
		make_zero(fd, (uint64_t)t->sector * SECTOR, (uint64_t)t->nr * SECTOR);
	} else {
		for (i = 0; i < t->nr; i++)
			make_stamp(&buf[i], writer, number, t->device, t->sector + i);
		if (pwrite(fd, buf, t->nr * SECTOR, (off_t)t->sector * SECTOR) != t->nr * SECTOR)
			die("writing");
	}
	for (i = 0; i < t->nr; i++)
		ended[t->device][t->sector + i] = number;
}

static void *writer(void *arg)
{
	uint32_t me = (uintptr_t)arg, range;
	uint64_t state = seed * WRITERS + me, number;
	struct thing t;
	struct stamp *buf;
	char name[4096];
	int log;

	snprintf(name, sizeof(name), "%s.%u", log_name, me);
	log = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (log < 0 || posix_memalign((void **)&buf, 4096, MOST * SECTOR))
		die(name);
	for (number = 1; !over; number++) {
		range = next(&state) % (SECTORS / RANGE / WRITERS) * WRITERS + me;
		t.device = next(&state) % nr_devices;
		t.nr = 1 + next(&state) % (next(&state) % 2 ? MOST : 8);
		t.sector = range * RANGE + next(&state) % (RANGE - t.nr);
		t.zero = !(next(&state) % 5);
		if (write(log, &t, sizeof(t)) != sizeof(t))
			die(name);
		do_thing(&t, me, number, buf);
		if (!(next(&state) % 16) && fdatasync(fds[t.device]))
			die("flushing");
		things++;
		/* Many moments, not much in each: who looks at the log has to catch up. */
		usleep(PAUSE);
	}
	return NULL;
}

static void *reader(void *arg)
{
	uint64_t state = ~seed - (uintptr_t)arg, before[MOST], number;
	uint32_t device, sector, i;
	struct stamp *buf;

	if (posix_memalign((void **)&buf, 4096, MOST * SECTOR))
		die("memory");
	while (!over) {
		device = next(&state) % nr_devices;
		sector = next(&state) % (SECTORS / MOST) * MOST;
		for (i = 0; i < MOST; i++)
			before[i] = ended[device][sector + i];
		if (pread(fds[device], buf, MOST * SECTOR, (off_t)sector * SECTOR) != MOST * SECTOR)
			die("reading");
		for (i = 0; i < MOST; i++) {
			number = number_in(&buf[i], device, sector + i);
			if (number ? number >= before[i] && number <= begun[device][sector + i]
				   : before[i] <= zeroed[device][sector + i])
				continue;
			fprintf(stderr,
				"history: device %u sector %u reads number %llu, %llu had been written before, %llu was the last one begun\n",
				device, sector + i, (unsigned long long)number,
				(unsigned long long)before[i],
				(unsigned long long)begun[device][sector + i]);
			exit(1);
		}
		reads++;
		usleep(PAUSE);
	}
	return NULL;
}

static int do_write(int argc, char **argv)
{
	pthread_t threads[WRITERS + READERS];
	uintptr_t i;

	log_name = argv[2];
	seed = strtoull(argv[3], NULL, 10);
	nr_devices = argc - 4;
	for (i = 0; i < nr_devices; i++) {
		fds[i] = open(argv[4 + i], O_RDWR | O_DIRECT);
		if (fds[i] < 0)
			die(argv[4 + i]);
	}
	signal(SIGTERM, end);
	for (i = 0; i < WRITERS + READERS; i++) {
		if (pthread_create(&threads[i], NULL, i < WRITERS ? writer : reader,
				   (void *)(i < WRITERS ? i : i - WRITERS)))
			die("thread");
	}
	for (i = 0; i < WRITERS + READERS; i++)
		pthread_join(threads[i], NULL);
	printf("%llu things done, %llu times read\n", (unsigned long long)things,
	       (unsigned long long)reads);
	return 0;
}

/*
 * Checking
 */

static bool looked_at[DEVICES];
static uint64_t held[DEVICES][SECTORS];

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

static struct thing *load_log(uint32_t me, uint64_t *nr)
{
	char name[4096];
	struct thing *list;
	FILE *f;
	long size;

	snprintf(name, sizeof(name), "%s.%u", log_name, me);
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

/* Do the images show what had been done up to thing @point, or with part of the next one? */
static bool shows(uint32_t me, const struct thing *list, uint64_t nr, uint64_t point, bool say)
{
	static uint64_t expected[DEVICES][SECTORS];
	const struct thing *t;
	uint32_t device, i;
	uint64_t n;

	memset(expected, 0, sizeof(expected));
	for (n = 1; n <= point; n++) {
		t = &list[n - 1];
		for (i = 0; i < t->nr; i++)
			expected[t->device][t->sector + i] = t->zero ? 0 : n;
	}
	t = point < nr ? &list[point] : NULL;
	for (device = 0; device < DEVICES; device++) {
		for (i = 0; looked_at[device] && i < SECTORS; i++) {
			uint64_t is = held[device][i];

			if (writer_of(i) != me || is == expected[device][i])
				continue;
			if (t && t->device == device && i >= t->sector && i < t->sector + t->nr &&
			    is == (t->zero ? 0 : point + 1))
				continue;
			if (say)
				fprintf(stderr,
					"history: writer %u: after its thing %llu, device %u sector %u has to hold %llu, and holds %llu\n",
					me, (unsigned long long)point, device, i,
					(unsigned long long)expected[device][i],
					(unsigned long long)is);
			return false;
		}
	}
	return true;
}

static bool check_writer(uint32_t me, bool final)
{
	uint64_t nr, last = 0, point;
	struct thing *list = load_log(me, &nr);
	uint32_t device, i;
	bool ok = false;

	for (device = 0; device < DEVICES; device++) {
		for (i = 0; i < SECTORS; i++) {
			if (writer_of(i) == me && held[device][i] > last)
				last = held[device][i];
		}
	}
	if (last > nr) {
		fprintf(stderr, "history: writer %u has not done thing %llu\n", me,
			(unsigned long long)last);
		return false;
	}
	if (final) {
		ok = shows(me, list, nr, nr, true);
	} else {
		/*
		 * The last that is seen may be under way, and many that are not seen be done: on
		 * other devices, zeroes, and what was zeroed after it.
		 */
		for (point = last ? last - 1 : 0; !ok && point <= nr; point++)
			ok = shows(me, list, nr, point, false);
		if (!ok)
			shows(me, list, nr, last, true);
	}
	printf("writer %u: %llu of %llu things\n", me, (unsigned long long)last,
	       (unsigned long long)nr);
	free(list);
	return ok;
}

static int do_check(int argc, char **argv)
{
	bool ok = true;
	uint32_t i;

	log_name = argv[2];
	for (i = 4; i < argc; i++) {
		if (strcmp(argv[i], "-"))
			load_image(argv[i], i - 4);
	}
	for (i = 0; i < WRITERS; i++)
		ok &= check_writer(i, !strcmp(argv[3], "final"));
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc < 5 || argc > 4 + DEVICES)
		return 2;
	return strcmp(argv[1], "check") ? do_write(argc, argv) : do_check(argc, argv);
}
