// SPDX-License-Identifier: GPL-2.0-only
/*
 * survive DEVICE STATE SEED OPERATIONS THREADS [STOP]
 *	writes, reads, discards, zeroes and flushes at random on a device below
 *	which things fail. A request may fail; one that succeeds must have done
 *	what it says. Ends after OPERATIONS of each thread, with STOP as soon as a
 *	file of that name is there. What may be on the device now goes to STATE.
 * survive -c STATE BEFORE AFTER
 *	is every sector of the file AFTER one of those? BEFORE: the device at first.
 *
 * Sectors that are written say which they are and which version, and versions
 * only grow. From the last successful flush on, a sector may hold any version
 * that has been tried; not an older one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR 512
#define UNIT (128 * SECTOR) /* threads take turns in pieces of this: whole clusters */
#define MOST (16 * UNIT)
#define MAX_ERRORS 10
/* Microseconds. Who fails at once, again and again, leaves no CPU to who mends it. */
#define AFTER_ERROR 10000

/* One for each sector. A version that is 0 is what was there at first. */
struct sector {
	uint32_t floor; /* flushed */
	uint32_t sure;	/* the last one whose request succeeded */
	uint32_t tried; /* the last one that may be there */
	uint32_t zero;	/* the last one that was zeroes, or a discard */
};

struct worker {
	pthread_t thread;
	unsigned int number;
	uint64_t random;
	unsigned char *buf;
	uint32_t *sure; /* when a flush began */
};

static int device;
static uint64_t nr; /* sectors */
static struct sector *sectors;
static unsigned char *before;
static unsigned int threads;
static long operations;
static const char *stop;
static atomic_uint last_version, errors, bad;
static atomic_ulong done;
static pthread_mutex_t flushing = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what)
{
	fprintf(stderr, "survive: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t next(struct worker *w)
{
	/* splitmix64 */
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static void stamp(unsigned char *to, uint64_t sector, uint32_t version)
{
	unsigned int i;

	for (i = 0; i < SECTOR; i += 16) {
		uint64_t words[2] = {sector << 8 | 0x5a, (uint64_t)version << 32 | i};

		memcpy(to + i, words, 16);
	}
}

static bool is_zero(const unsigned char *data)
{
	return !data[0] && !memcmp(data, data + 1, SECTOR - 1);
}

/* Is what @data holds a version of the sector from @oldest on? */
static bool may_be(const unsigned char *data, uint64_t sector, uint32_t oldest)
{
	const struct sector *s = &sectors[sector];
	unsigned char want[SECTOR];
	uint64_t word;

	if (is_zero(data) && s->zero >= oldest && s->zero)
		return true;
	if (!oldest && !memcmp(data, before + sector * SECTOR, SECTOR))
		return true;
	memcpy(&word, data + 8, 8);
	stamp(want, sector, word >> 32);
	return !memcmp(data, want, SECTOR) && word >> 32 >= oldest && word >> 32 <= s->tried;
}

static void judge(const unsigned char *data, uint64_t sector, uint32_t oldest, const char *when)
{
	const struct sector *s = &sectors[sector];
	uint64_t words[2];

	if (may_be(data, sector, oldest))
		return;
	memcpy(words, data, sizeof(words));
	if (atomic_fetch_add(&bad, 1) < MAX_ERRORS)
		fprintf(stderr,
			"survive: %s: sector %llu holds %016llx %016llx; flushed %u, sure %u, tried %u, zero %u\n",
			when, (unsigned long long)sector, (unsigned long long)words[0],
			(unsigned long long)words[1], s->floor, s->sure, s->tried, s->zero);
}

/* The sectors are going to be @version, or zeroes in it. */
static void begin(uint64_t first, uint64_t n, uint32_t version, bool zero)
{
	for (; n--; first++) {
		sectors[first].tried = version;
		if (zero)
			sectors[first].zero = version;
	}
}

static void end(uint64_t first, uint64_t n, uint32_t version, bool failed)
{
	if (failed) {
		if (errno != EIO && errno != EROFS && errno != ENOSPC && errno != ENOMEM &&
		    errno != ENODATA && errno != ETIMEDOUT)
			die("a request fails");
		atomic_fetch_add(&errors, 1);
		usleep(AFTER_ERROR);
		return;
	}
	while (n--)
		__atomic_store_n(&sectors[first++].sure, version, __ATOMIC_RELAXED);
}

static void do_write(struct worker *w, uint64_t first, uint64_t n)
{
	uint32_t version = atomic_fetch_add(&last_version, 1) + 1;
	uint64_t i;

	for (i = 0; i < n; i++)
		stamp(w->buf + i * SECTOR, first + i, version);
	begin(first, n, version, false);
	end(first, n, version, pwrite(device, w->buf, n * SECTOR, first * SECTOR) < 0);
}

static void do_zero(struct worker *w, uint64_t first, uint64_t n, int mode)
{
	uint32_t version = atomic_fetch_add(&last_version, 1) + 1;

	begin(first, n, version, true);
	end(first, n, version,
	    fallocate(device, mode | FALLOC_FL_KEEP_SIZE, first * SECTOR, n * SECTOR) < 0);
}

/* Afterwards there may be what was there before, or zeroes. */
static void do_discard(struct worker *w, uint64_t first, uint64_t n)
{
	uint32_t version = atomic_fetch_add(&last_version, 1) + 1;
	uint64_t range[2] = {first * SECTOR, n * SECTOR}, i;

	for (i = 0; i < n; i++)
		sectors[first + i].zero = version;
	end(first, 0, version, ioctl(device, BLKDISCARD, range) < 0);
}

static void do_read(struct worker *w, uint64_t first, uint64_t n)
{
	uint64_t i;

	if (pread(device, w->buf, n * SECTOR, first * SECTOR) < 0) {
		end(first, 0, 0, true);
		return;
	}
	for (i = 0; i < n; i++)
		judge(w->buf + i * SECTOR, first + i, sectors[first + i].sure, "read");
}

/* What has ended when the flush begins is safe when it has succeeded. */
static void do_flush(struct worker *w)
{
	uint64_t i;

	for (i = 0; i < nr; i++)
		w->sure[i] = __atomic_load_n(&sectors[i].sure, __ATOMIC_RELAXED);
	if (fdatasync(device)) {
		end(0, 0, 0, true);
		return;
	}
	pthread_mutex_lock(&flushing);
	for (i = 0; i < nr; i++) {
		if (sectors[i].floor < w->sure[i])
			sectors[i].floor = w->sure[i];
	}
	pthread_mutex_unlock(&flushing);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	long i;

	for (i = 0; i < operations && !atomic_load(&bad); i++) {
		uint64_t units = nr * SECTOR / UNIT / threads;
		uint64_t first = (next(w) % units * threads + w->number) * (UNIT / SECTOR);
		uint64_t n = UNIT / SECTOR, skip = next(w) % n;

		if (stop && i % 8 == 0 && !access(stop, F_OK))
			break;
		if (next(w) % 2) {
			first += skip;
			n = 1 + next(w) % (n - skip);
		}
		switch (next(w) % 16) {
		case 0:
			do_flush(w);
			break;
		case 1:
			do_zero(w, first, n, FALLOC_FL_PUNCH_HOLE);
			break;
		case 2:
			do_zero(w, first, n, FALLOC_FL_ZERO_RANGE);
			break;
		case 3:
			do_discard(w, first, n);
			break;
		case 4 ... 7:
			do_read(w, first, n);
			break;
		default:
			do_write(w, first, n);
		}
	}
	atomic_fetch_add(&done, i);
	return NULL;
}

static void *load(const char *path, uint64_t *len)
{
	int fd = open(path, O_RDONLY);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	unsigned char *data = end < 0 ? NULL : malloc(end);
	off_t at;
	ssize_t n;

	for (at = 0; data && at < end; at += n) {
		n = pread(fd, data + at, end - at, at);
		if (n <= 0)
			die(path);
	}
	if (!data)
		die(path);
	close(fd);
	*len = end;
	return data;
}

static int compare(char **argv)
{
	uint64_t len, after_len, i;
	unsigned char *after;

	sectors = load(argv[0], &len);
	nr = len / sizeof(*sectors);
	before = load(argv[1], &len);
	after = load(argv[2], &after_len);
	if (len != nr * SECTOR || after_len != len) {
		fprintf(stderr, "survive: the sizes differ\n");
		return 1;
	}
	for (i = 0; i < nr; i++)
		judge(after + i * SECTOR, i, sectors[i].floor, "afterwards");
	if (atomic_load(&bad))
		fprintf(stderr, "survive: %u sectors are wrong\n", atomic_load(&bad));
	return !!atomic_load(&bad);
}

int main(int argc, char **argv)
{
	struct worker *w;
	unsigned int i;
	uint64_t size, pos;
	FILE *out;

	if (argc == 5 && !strcmp(argv[1], "-c"))
		return compare(argv + 2);
	if (argc != 6 && argc != 7)
		return 2;
	device = open(argv[1], O_RDWR | O_DIRECT);
	if (device < 0 || ioctl(device, BLKGETSIZE64, &size))
		die(argv[1]);
	nr = size / SECTOR;
	operations = atol(argv[4]);
	threads = atoi(argv[5]);
	stop = argv[6];
	sectors = calloc(nr, sizeof(*sectors));
	before = malloc(size);
	w = calloc(threads, sizeof(*w));
	for (i = 0; i < threads; i++) {
		w[i].number = i;
		w[i].random = strtoull(argv[3], NULL, 10) * 1000003 + i;
		w[i].sure = malloc(nr * sizeof(*w[i].sure));
		if (posix_memalign((void **)&w[i].buf, 4096, MOST))
			return 1;
	}
	for (pos = 0; pos < size; pos += MOST) {
		uint64_t len = size - pos < MOST ? size - pos : MOST;

		if (pread(device, w->buf, len, pos) != (ssize_t)len)
			die("the first read");
		memcpy(before + pos, w->buf, len);
	}
	for (i = 0; i < threads; i++)
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	for (i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	out = fopen(argv[2], "w");
	if (!out || fwrite(sectors, sizeof(*sectors), nr, out) != nr || fclose(out))
		die(argv[2]);
	printf("%lu operations, %u errors\n", atomic_load(&done), atomic_load(&errors));
	return !!atomic_load(&bad);
}
