// SPDX-License-Identifier: GPL-2.0-only
/*
 * churn DEVICE MODEL SEED OPERATIONS THREADS [PAUSE]: writes, reads, discards, zeroes and
 * flushes at random, against a model in memory that is written to MODEL at the end.
 * A thread pauses for PAUSE microseconds between two of them, if it is said.
 *
 * Each thread owns every THREADS-th slot of 512 bytes .. 64 KiB, so that writes,
 * zeroes and discards of different threads meet in one cluster but not in one
 * sector. Requests over any range take the device for themselves. A discarded
 * sector may read as before or as zeroes; the model learns which.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST (1 << 20)

static int device;
static uint64_t size;
static unsigned char *model;
static unsigned int threads, unit, block = 512;
static long operations;
static unsigned int pause_us;
static pthread_rwlock_t whole = PTHREAD_RWLOCK_INITIALIZER;

struct worker {
	pthread_t thread;
	unsigned int number;
	uint64_t random;
	unsigned char *buf;
};

static void die(const char *what, uint64_t offset, uint64_t len)
{
	fprintf(stderr, "churn: %s of %llu bytes at %llu: %s\n", what, (unsigned long long)len,
		(unsigned long long)offset, strerror(errno));
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

static void check(struct worker *w, uint64_t offset, uint64_t len)
{
	uint64_t i;

	if (pread(device, w->buf, len, offset) != (ssize_t)len)
		die("read", offset, len);
	if (!memcmp(w->buf, model + offset, len))
		return;
	for (i = 0; i < len; i++) {
		if (w->buf[i] != model[offset + i]) {
			fprintf(stderr, "churn: byte %llu is %02x, not %02x\n",
				(unsigned long long)(offset + i), w->buf[i], model[offset + i]);
			exit(1);
		}
	}
}

static void put(struct worker *w, uint64_t offset, uint64_t len)
{
	uint64_t i, word;

	for (i = 0; i < len; i += 8) {
		word = next(w);
		memcpy(w->buf + i, &word, 8);
	}
	if (pwrite(device, w->buf, len, offset) != (ssize_t)len)
		die("write", offset, len);
	memcpy(model + offset, w->buf, len);
}

/* Zeroes; @mode says whether clusters may go. */
static void zero(struct worker *w, int mode, uint64_t offset, uint64_t len)
{
	if (fallocate(device, mode | FALLOC_FL_KEEP_SIZE, offset, len))
		die(mode == FALLOC_FL_PUNCH_HOLE ? "punch" : "zero", offset, len);
	memset(model + offset, 0, len);
	check(w, offset, len);
}

static void discard(struct worker *w, uint64_t offset, uint64_t len)
{
	uint64_t range[2] = {offset, len}, i;

	if (ioctl(device, BLKDISCARD, range))
		die("discard", offset, len);
	if (pread(device, w->buf, len, offset) != (ssize_t)len)
		die("read", offset, len);
	for (i = 0; i < len; i++) {
		if (w->buf[i] && w->buf[i] != model[offset + i])
			die("discard: neither old nor zero", offset + i, 1);
		model[offset + i] = w->buf[i];
	}
}

static void change(struct worker *w, uint64_t offset, uint64_t len)
{
	switch (next(w) % 4) {
	case 0:
		put(w, offset, len);
		break;
	case 1:
		zero(w, FALLOC_FL_PUNCH_HOLE, offset, len);
		break;
	case 2:
		zero(w, FALLOC_FL_ZERO_RANGE, offset, len);
		break;
	case 3:
		discard(w, offset, len);
		break;
	}
}

/* Any range, alone on the device. */
static void change_range(struct worker *w)
{
	uint64_t len = block * (1 + next(w) % (MOST / block));
	uint64_t offset = block * (next(w) % (size / block));

	if (len > size - offset)
		len = size - offset;
	change(w, offset, len);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	long i;

	for (i = 0; i < operations; i++) {
		uint64_t slots = size / unit / threads;
		uint64_t offset = (next(w) % slots * threads + w->number) * unit;
		uint64_t len = block * (1 + next(w) % (unit / block));

		switch (next(w) % 16) {
		case 0:
			pthread_rwlock_wrlock(&whole);
			change_range(w);
			pthread_rwlock_unlock(&whole);
			break;
		case 1:
			if (fdatasync(device))
				die("flush", 0, 0);
			break;
		case 2 ... 5:
			pthread_rwlock_rdlock(&whole);
			check(w, offset, len);
			pthread_rwlock_unlock(&whole);
			break;
		case 6 ... 8:
			pthread_rwlock_rdlock(&whole);
			change(w, offset, next(w) % 2 ? len : unit);
			pthread_rwlock_unlock(&whole);
			break;
		default:
			pthread_rwlock_rdlock(&whole);
			put(w, offset, len);
			pthread_rwlock_unlock(&whole);
		}
		if (pause_us)
			usleep(pause_us);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker *w;
	unsigned int i;
	uint64_t pos;
	FILE *out;

	if (argc != 6 && argc != 7)
		return 2;
	device = open(argv[1], O_RDWR | O_DIRECT);
	if (device < 0 || ioctl(device, BLKGETSIZE64, &size))
		die(argv[1], 0, 0);
	operations = atol(argv[4]);
	threads = atoi(argv[5]);
	pause_us = argc > 6 ? atoi(argv[6]) : 0;
	if (ioctl(device, BLKSSZGET, &block) || size < block)
		die(argv[1], 0, 0);
	for (unit = block << atol(argv[3]) % 8; size / unit < threads && unit > block; unit /= 2)
		;
	if (size / unit < threads)
		threads = size / unit;
	model = malloc(size);
	w = calloc(threads, sizeof(*w));
	for (i = 0; i < threads; i++) {
		w[i].number = i;
		w[i].random = strtoull(argv[3], NULL, 10) * 1000003 + i;
		if (posix_memalign((void **)&w[i].buf, 4096, MOST))
			return 1;
	}
	for (pos = 0; pos < size; pos += MOST) {
		uint64_t len = size - pos < MOST ? size - pos : MOST;

		if (pread(device, w->buf, len, pos) != (ssize_t)len)
			die("read", pos, len);
		memcpy(model + pos, w->buf, len);
	}
	for (i = 0; i < threads; i++)
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	for (i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	for (pos = 0; pos < size; pos += MOST)
		check(w, pos, size - pos < MOST ? size - pos : MOST);
	out = fopen(argv[2], "w");
	if (!out || fwrite(model, 1, size, out) != size || fclose(out))
		die(argv[2], 0, size);
	return 0;
}
