// SPDX-License-Identifier: GPL-2.0-only
/*
 * workload DEVICE MARKS RECORDS SEED OPERATIONS UNIT: in the VM. Two threads do
 * OPERATIONS each on DEVICE: writes, writes with FUA, flushes, zeroes with and
 * without unmap, discards. See record.h for MARKS and RECORDS.
 *
 * Blocks of UNIT bytes belong in turn to the first thread, to both, to the second,
 * and to both by halves: so requests meet in sectors, in clusters, or not at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record.h"
#include "stamp.h"

#define THREADS 2
#define MOST (256U << 10)

static int device, marks;
static uint64_t sectors, unit;
static long operations;
static atomic_ullong ticks = 1;
/* Held alone by what may go over any range, shared by what must not be met by that. */
static pthread_rwlock_t wide = PTHREAD_RWLOCK_INITIALIZER;

struct worker {
	pthread_t thread;
	unsigned int number;
	uint64_t random;
	unsigned char *buf, *mark;
	aio_context_t aio;
	struct record *records;
	uint64_t nr;
};

static void die(const char *what, uint64_t sector, uint64_t n)
{
	fprintf(stderr, "workload: %s of %llu sectors at %llu: %s\n", what, (unsigned long long)n,
		(unsigned long long)sector, strerror(errno));
	exit(1);
}

static uint64_t below(struct worker *w, uint64_t n)
{
	/* splitmix64 */
	uint64_t z = w->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % n;
}

static struct record *add(struct worker *w, enum what what, uint64_t sector, uint64_t n)
{
	struct record *r = &w->records[w->nr];

	*r = (struct record){.what = what, .sector = sector, .n = n, .thread = w->number};
	r->version = what == DID_WRITE ? V_FIRST + THREADS * w->nr + w->number : V_ZERO;
	w->nr++;
	return r;
}

static void mark(struct worker *w, const struct record *r)
{
	struct mark m = {
		.magic = MARK_MAGIC,
		.record = (r - w->records) * THREADS + w->number,
	};

	memcpy(w->mark, &m, sizeof(m));
	if (pwrite(marks, w->mark, SECTOR, w->number * SECTOR) != SECTOR)
		die("mark", w->number, 1);
}

/* A write that the kernel makes one with FUA: direct, asynchronous, synchronized. */
static void write_fua(struct worker *w, uint64_t sector, uint64_t n)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = device,
		.aio_buf = (uintptr_t)w->buf,
		.aio_nbytes = n * SECTOR,
		.aio_offset = sector * SECTOR,
		.aio_rw_flags = RWF_DSYNC,
	};
	struct iocb *list = &cb;
	struct io_event event;

	if (syscall(SYS_io_submit, w->aio, 1L, &list) != 1 ||
	    syscall(SYS_io_getevents, w->aio, 1L, 1L, &event, NULL) != 1)
		die("asynchronous write", sector, n);
	if (event.res != (int64_t)(n * SECTOR)) {
		errno = -event.res;
		die("FUA write", sector, n);
	}
}

static void do_write(struct worker *w, uint64_t sector, uint64_t n, bool fua)
{
	struct record *r = add(w, DID_WRITE, sector, n);
	uint64_t i;

	for (i = 0; i < n; i++)
		stamp(w->buf + i * SECTOR, sector + i, r->version);
	r->fua = fua;
	r->begin = ++ticks;
	if (fua)
		write_fua(w, sector, n);
	else if (pwrite(device, w->buf, n * SECTOR, sector * SECTOR) != (ssize_t)(n * SECTOR))
		die("write", sector, n);
	r->end = ++ticks;
}

/*
 * dm-log-writes lists it before what had ended earlier. Nobody else writes there
 * until the mark is written: so what comes between in the log is older (replay.c).
 */
static void do_write_fua(struct worker *w, uint64_t sector, uint64_t n)
{
	pthread_rwlock_rdlock(&wide);
	do_write(w, sector, n, true);
	mark(w, &w->records[w->nr - 1]);
	pthread_rwlock_unlock(&wide);
}

static void do_zero(struct worker *w, uint64_t sector, uint64_t n, int how)
{
	struct record *r = add(w, DID_ZERO, sector, n);

	r->begin = ++ticks;
	if (fallocate(device, FALLOC_FL_KEEP_SIZE | how, sector * SECTOR, n * SECTOR))
		die("zero", sector, n);
	r->end = ++ticks;
}

/* Alone on its range: what reads zeroes afterwards is zeroes from then on. */
static void look(struct worker *w, const struct record *discard)
{
	uint64_t i, zero = 0;

	if (pread(device, w->buf, discard->n * SECTOR, (uint64_t)discard->sector * SECTOR) !=
	    (ssize_t)(discard->n * SECTOR))
		die("read", discard->sector, discard->n);
	for (i = 0; i <= discard->n; i++) {
		if (i < discard->n &&
		    stamp_read(w->buf + i * SECTOR, discard->sector + i) == V_ZERO) {
			zero++;
			continue;
		}
		if (zero) {
			struct record *r = add(w, DID_ZERO, discard->sector + i - zero, zero);

			r->begin = discard->begin;
			r->end = discard->end;
		}
		zero = 0;
	}
}

static void do_discard(struct worker *w, uint64_t sector, uint64_t n, bool own)
{
	uint64_t range[2] = {sector * SECTOR, n * SECTOR};
	struct record *r;

	pthread_rwlock_rdlock(&wide);
	r = add(w, DID_MAYBE_ZERO, sector, n);
	r->begin = ++ticks;
	if (ioctl(device, BLKDISCARD, range))
		die("discard", sector, n);
	r->end = ++ticks;
	if (own)
		look(w, r);
	pthread_rwlock_unlock(&wide);
}

static void do_flush(struct worker *w)
{
	struct record *r = add(w, DID_FLUSH, 0, 0);

	r->begin = ++ticks;
	if (fdatasync(device))
		die("flush", 0, 0);
	r->end = ++ticks;
	mark(w, r);
}

/* A block, and a range in it that this thread may use. Return: nobody else does. */
static bool pick(struct worker *w, uint64_t *sector, uint64_t *n)
{
	uint64_t block = below(w, sectors / unit), first = 0, len = unit, part;

	/* The blocks of the other thread are not for us. */
	if (block % 4 == 2 - 2 * w->number)
		block = (block + 2) % (sectors / unit);
	if (block % 4 == 2 - 2 * w->number)
		block = w->number ? 2 : 0;
	if (block % 4 == 3) {
		len = unit / 2;
		first = w->number * len;
	}
	switch (below(w, 5)) {
	case 0: /* the whole */
		break;
	case 1: /* a page */
		part = len < 8 ? len : 8;
		first += part * below(w, len / part);
		len = part;
		break;
	default:
		part = below(w, len);
		first += part;
		len = 1 + below(w, len - part);
	}
	*sector = block * unit + first;
	*n = len;
	return block % 4 != 1;
}

/* Any range. */
static void do_wide(struct worker *w)
{
	uint64_t sector = below(w, sectors), n = 1 + below(w, MOST / SECTOR);

	if (n > sectors - sector)
		n = sectors - sector;
	pthread_rwlock_wrlock(&wide);
	switch (below(w, 5)) {
	case 0:
		do_zero(w, sector, n, FALLOC_FL_PUNCH_HOLE);
		break;
	case 1:
		do_zero(w, sector, n, FALLOC_FL_ZERO_RANGE);
		break;
	default:
		do_write(w, sector, n, false);
	}
	pthread_rwlock_unlock(&wide);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	long i;

	for (i = 0; i < operations; i++) {
		uint64_t sector, n, what = below(w, 100);
		bool own = pick(w, &sector, &n);

		if (what < 9)
			do_flush(w);
		else if (what < 21 && own)
			do_write_fua(w, sector, n);
		else if (what < 25)
			do_zero(w, sector, n, FALLOC_FL_PUNCH_HOLE);
		else if (what < 29)
			do_zero(w, sector, n, FALLOC_FL_ZERO_RANGE);
		else if (what < 39)
			do_discard(w, sector, n, own);
		else if (what < 45)
			do_wide(w);
		else
			do_write(w, sector, n, false);
	}
	return NULL;
}

/* Record I of thread T is at I * THREADS + T; holes are zeroes. */
static void save(const char *path, const struct worker *w)
{
	static const struct record none;
	FILE *out = fopen(path, "w");
	uint64_t i, most = 0;
	unsigned int t;

	for (t = 0; t < THREADS; t++)
		most = w[t].nr > most ? w[t].nr : most;
	for (i = 0; out && i < most; i++) {
		for (t = 0; t < THREADS; t++)
			fwrite(i < w[t].nr ? &w[t].records[i] : &none, sizeof(none), 1, out);
	}
	if (!out || ferror(out) || fclose(out))
		die(path, 0, 0);
}

int main(int argc, char **argv)
{
	struct worker w[THREADS] = {};
	uint64_t bytes;
	unsigned int i;

	if (argc != 7)
		return 2;
	device = open(argv[1], O_RDWR | O_DIRECT);
	marks = open(argv[2], O_RDWR | O_DIRECT);
	if (device < 0 || marks < 0 || ioctl(device, BLKGETSIZE64, &bytes))
		die(argv[1], 0, 0);
	operations = atol(argv[5]);
	sectors = bytes / SECTOR;
	unit = strtoull(argv[6], NULL, 10) / SECTOR;
	for (i = 0; i < THREADS; i++) {
		w[i].number = i;
		w[i].random = strtoull(argv[4], NULL, 10) * 1000003 + i;
		/* A discard may be told in many pieces. */
		w[i].records = calloc(operations * 40, sizeof(struct record));
		if (!w[i].records || posix_memalign((void **)&w[i].buf, 4096, MOST) ||
		    posix_memalign((void **)&w[i].mark, 4096, 4096) ||
		    syscall(SYS_io_setup, 1L, &w[i].aio))
			die("set-up", 0, 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	for (i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	save(argv[3], w);
	return 0;
}
