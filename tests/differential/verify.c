// SPDX-License-Identifier: GPL-2.0-only
/*
 * verify [-b] [-q DEPTH] [-r REQUESTS] [-s SEED] [-t THREADS] DEVICE EXPECTED
 *
 * Reads DEVICE with many requests in flight and compares every byte with the
 * file EXPECTED. First REQUESTS at random places (multiples of the logical
 * block size), of random sizes up to 1 MiB, in one to four pieces of memory;
 * then the whole device once from the first byte to the last. One thread a
 * CPU, each with DEPTH requests in flight, O_DIRECT unless -b is given.
 *
 * Exit 0: all equal, 1: something differs or failed, 2: usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_LEN (1U << 20)
#define MAX_PIECES 4
#define POISON 0xa5

static const char *device;
static int fd;
static uint64_t size;
static unsigned int block;
static const unsigned char *expected;
static unsigned int depth = 16, nr_threads = 2;
static uint64_t nr_random = 30, seed = 1;

static atomic_bool failed;
static atomic_ullong bytes_read;

/* What all threads take their requests from. */
static atomic_ullong next_random, next_chunk;

struct slot {
	struct iocb iocb;
	struct iovec iov[MAX_PIECES];
	unsigned char *buf;
	uint64_t offset;
	uint32_t len;
};

struct thread {
	pthread_t id;
	unsigned int nr;
	uint64_t rng;
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "verify: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* splitmix64: any seed will do. */
static uint64_t rnd(struct thread *t)
{
	uint64_t z = t->rng += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A random request: all lengths up to 1 MiB are met, short ones more often; a third crosses a
 * likely boundary. */
static bool random_request(struct thread *t, struct slot *s)
{
	uint64_t blocks = size / block, most = MAX_LEN / block, first, len;

	if (atomic_fetch_add(&next_random, 1) >= nr_random)
		return false;
	while (most > 1 && rnd(t) % 3)
		most /= 4;
	len = 1 + rnd(t) % (most ? most : 1);
	first = rnd(t) % blocks;
	if (rnd(t) % 3 == 0) {
		uint64_t unit = (512ULL << rnd(t) % 13) / block;

		first -= unit ? first % unit : 0;
		first -= min_u64(first, rnd(t) % len);
	}
	s->offset = first * block;
	s->len = min_u64(len * block, size - s->offset);
	return true;
}

static bool chunk_request(struct thread *t, struct slot *s)
{
	s->offset = atomic_fetch_add(&next_chunk, 1) * MAX_LEN;
	if (s->offset >= size)
		return false;
	s->len = min_u64(MAX_LEN, size - s->offset);
	return true;
}

/* The pieces lie in the buffer with a gap of one block between them, which the device must leave
 * alone. */
static void set_pieces(struct thread *t, struct slot *s)
{
	unsigned int pieces = 1 + rnd(t) % MAX_PIECES, n = 0;
	uint32_t left = s->len;
	unsigned char *at = s->buf;

	while (left) {
		uint32_t part = left;

		if (n + 1 < pieces && left > block)
			part = block * (1 + rnd(t) % (left / block - 1));
		s->iov[n].iov_base = at;
		s->iov[n].iov_len = part;
		n++;
		at += part + block;
		left -= part;
	}
	memset(s->buf, POISON, at - s->buf);
	memset(&s->iocb, 0, sizeof(s->iocb));
	s->iocb.aio_data = (uintptr_t)s;
	s->iocb.aio_lio_opcode = IOCB_CMD_PREADV;
	s->iocb.aio_fildes = fd;
	s->iocb.aio_buf = (uintptr_t)s->iov;
	s->iocb.aio_nbytes = n;
	s->iocb.aio_offset = s->offset;
}

static void report(const struct slot *s, uint64_t at, const unsigned char *got,
		   const unsigned char *want, size_t n)
{
	fprintf(stderr, "verify: %s differs at byte %llu (request of %u at %llu)\n  expected",
		device, (unsigned long long)at, s->len, (unsigned long long)s->offset);
	n = min_u64(n, 24);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", want[i]);
	fprintf(stderr, "\n  read    ");
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", got[i]);
	fputc('\n', stderr);
	atomic_store(&failed, true);
}

static void check_gap(const struct slot *s, const unsigned char *gap)
{
	for (unsigned int i = 0; i < block; i++) {
		if (gap[i] == POISON)
			continue;
		fprintf(stderr, "verify: %s wrote outside the buffer (request of %u at %llu)\n",
			device, s->len, (unsigned long long)s->offset);
		atomic_store(&failed, true);
		return;
	}
}

static void check(const struct slot *s, int64_t result)
{
	uint64_t at = s->offset;

	if (result != s->len) {
		fprintf(stderr, "verify: %s: read of %u at %llu: %s (%lld)\n", device, s->len,
			(unsigned long long)s->offset, result < 0 ? strerror(-result) : "short",
			(long long)result);
		atomic_store(&failed, true);
		return;
	}
	for (unsigned int n = 0; n < s->iocb.aio_nbytes; n++) {
		const unsigned char *got = s->iov[n].iov_base;
		size_t len = s->iov[n].iov_len, i = 0;

		if (memcmp(got, expected + at, len)) {
			while (got[i] == expected[at + i])
				i++;
			report(s, at + i, got + i, expected + at + i, len - i);
			return;
		}
		check_gap(s, got + len);
		at += len;
	}
	atomic_fetch_add(&bytes_read, s->len);
}

static void pin(unsigned int nr)
{
	cpu_set_t online, one;

	CPU_ZERO(&online);
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(online), &online) || !CPU_COUNT(&online))
		return;
	nr %= CPU_COUNT(&online);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &online) && !nr--) {
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
	}
}

/* Keep depth requests in flight until next() has no more, or something is wrong. */
static void drive(struct thread *t, aio_context_t ctx, struct slot *slots,
		  bool (*next)(struct thread *, struct slot *))
{
	struct io_event events[64];
	unsigned int in_flight = 0, free_slots = depth;
	struct slot *idle[depth];
	bool more = true;

	for (unsigned int i = 0; i < depth; i++)
		idle[i] = &slots[i];
	do {
		long n;

		while (more && free_slots && !atomic_load(&failed)) {
			struct slot *s = idle[free_slots - 1];
			struct iocb *iocb = &s->iocb;

			more = next(t, s);
			if (!more)
				break;
			set_pieces(t, s);
			if (syscall(SYS_io_submit, ctx, 1, &iocb) != 1)
				die("io_submit: %s", strerror(errno));
			free_slots--;
			in_flight++;
		}
		if (!in_flight)
			break;
		n = syscall(SYS_io_getevents, ctx, 1, 64, events, NULL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("io_getevents: %s", strerror(errno));
		for (long i = 0; i < n; i++) {
			struct slot *s = (struct slot *)(uintptr_t)events[i].data;

			check(s, events[i].res);
			idle[free_slots++] = s;
			in_flight--;
		}
	} while (1);
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct slot *slots = calloc(depth, sizeof(*slots));
	aio_context_t ctx = 0;

	pin(t->nr);
	if (!slots || syscall(SYS_io_setup, depth, &ctx))
		die("io_setup: %s", strerror(errno));
	for (unsigned int i = 0; i < depth; i++)
		if (posix_memalign((void **)&slots[i].buf, 4096, MAX_LEN + MAX_PIECES * block))
			die("out of memory");
	drive(t, ctx, slots, random_request);
	drive(t, ctx, slots, chunk_request);
	syscall(SYS_io_destroy, ctx);
	for (unsigned int i = 0; i < depth; i++)
		free(slots[i].buf);
	free(slots);
	return NULL;
}

/* EXPECTED in memory; its holes are neither read nor filled. */
static const unsigned char *load(const char *path, uint64_t want)
{
	int in = open(path, O_RDONLY);
	struct stat st;
	unsigned char *mem;
	off_t at = 0, end;

	if (in < 0 || fstat(in, &st))
		die("%s: %s", path, strerror(errno));
	if ((uint64_t)st.st_size != want)
		die("%s has %llu bytes, %s has %lld", device, (unsigned long long)want, path,
		    (long long)st.st_size);
	mem = mmap(NULL, want + 1, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		die("out of memory");
	while ((at = lseek(in, at, SEEK_DATA)) >= 0) {
		end = lseek(in, at, SEEK_HOLE);
		while (at < end) {
			ssize_t n = pread(in, mem + at, end - at, at);

			if (n <= 0)
				die("%s: %s", path,
				    n ? strerror(errno) : "changed while it was read");
			at += n;
		}
	}
	if (errno != ENXIO)
		die("%s: %s", path, strerror(errno));
	close(in);
	return mem;
}

static void open_device(bool buffered)
{
	struct stat st;
	int lbs;

	fd = open(device, O_RDONLY | (buffered ? 0 : O_DIRECT));
	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", device, strerror(errno));
	if (!S_ISBLK(st.st_mode)) {
		size = st.st_size;
		block = 512;
		return;
	}
	if (ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &lbs))
		die("%s: %s", device, strerror(errno));
	block = lbs;
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*text && !*end)
		return n;
	fprintf(stderr, "verify: %s: not a number\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	struct thread *threads;
	bool buffered = false;
	int opt;

	while ((opt = getopt(argc, argv, "bq:r:s:t:")) != -1) {
		switch (opt) {
		case 'b':
			buffered = true;
			break;
		case 'q':
			depth = number(optarg);
			break;
		case 'r':
			nr_random = number(optarg);
			break;
		case 's':
			seed = number(optarg);
			break;
		case 't':
			nr_threads = number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 2 || !depth || depth > 1024 || !nr_threads) {
		fprintf(stderr, "usage: verify [-b] [-q DEPTH] [-r REQUESTS] [-s SEED] [-t "
				"THREADS] DEVICE EXPECTED\n");
		return 2;
	}
	device = argv[optind];
	open_device(buffered);
	expected = load(argv[optind + 1], size);
	if (!size)
		return 0;

	threads = calloc(nr_threads, sizeof(*threads));
	if (!threads)
		die("out of memory");
	for (unsigned int i = 0; i < nr_threads; i++) {
		threads[i].nr = i;
		threads[i].rng = seed * nr_threads + i;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			die("no thread");
	}
	for (unsigned int i = 0; i < nr_threads; i++)
		pthread_join(threads[i].id, NULL);
	if (atomic_load(&failed))
		return 1;
	/* A loop that compared nothing would be equal too. */
	if (atomic_load(&bytes_read) < size)
		die("%s: only %llu of %llu bytes were read", device,
		    (unsigned long long)atomic_load(&bytes_read), (unsigned long long)size);
	printf("%llu bytes read, all equal\n", (unsigned long long)atomic_load(&bytes_read));
	return 0;
}
