// SPDX-License-Identifier: GPL-2.0-only
/*
 * latency read|write|first NAME FILE
 *
 * The median cost of one direct 4 KiB request on FILE, system call included, one
 * at a time. Prints "NAME NANOSECONDS": in a VM whose clock counts instructions,
 * these are instructions.
 *
 *	read, write	at places all over the first 32 MiB; each place is taken once
 *			before, so that nothing is cold
 *	first		a write into a 64 KiB cluster that nobody has written to, all
 *			over the first 62 MiB
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define SPAN (32 << 20)
#define REQUESTS 501
#define CLUSTER 65536
#define CLUSTERS 997
/* First writes that are not counted: tables come into being. */
#define WARM 50

static int64_t cost[REQUESTS];

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* One request; what it costs, or -1. */
static int64_t request(int fd, void *buf, bool write, off_t at)
{
	int64_t start = now();
	ssize_t done = write ? pwrite(fd, buf, BLOCK, at) : pread(fd, buf, BLOCK, at);

	return done == BLOCK ? now() - start : -1;
}

int main(int argc, char **argv)
{
	bool write, first;
	int64_t took;
	void *buf;
	int fd, i;

	if (argc != 4) {
		fprintf(stderr, "usage: latency read|write|first NAME FILE\n");
		return 2;
	}
	first = !strcmp(argv[1], "first");
	write = first || !strcmp(argv[1], "write");
	fd = open(argv[3], (write ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (fd < 0 || posix_memalign(&buf, BLOCK, BLOCK)) {
		perror(argv[3]);
		return 1;
	}
	memset(buf, 7, BLOCK);
	for (i = first ? -WARM : -REQUESTS; i < REQUESTS; i++) {
		off_t at = first ? (i + WARM) * 37 % CLUSTERS * (off_t)CLUSTER + 2 * BLOCK
				 : (uint32_t)(i < 0 ? i + REQUESTS : i) * 2654435761U %
					   (SPAN / BLOCK) * (off_t)BLOCK;

		took = request(fd, buf, write, at);
		if (took < 0) {
			perror(argv[3]);
			return 1;
		}
		if (i >= 0)
			cost[i] = took;
	}
	qsort(cost, REQUESTS, sizeof(*cost), compare);
	printf("%s %lld\n", argv[2], (long long)cost[REQUESTS / 2]);
	return 0;
}
