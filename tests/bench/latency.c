// SPDX-License-Identifier: GPL-2.0-only
/*
 * latency NAME FILE
 *
 * The median cost of one direct 4 KiB read of FILE, system call included, one
 * at a time at places all over its first 32 MiB; every place is read once
 * before, so that nothing is cold. Prints "NAME NANOSECONDS": in a VM whose
 * clock counts instructions, these are instructions.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define SPAN (32 << 20)
#define READS 501

static int64_t cost[READS];

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

int main(int argc, char **argv)
{
	void *buf;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: latency NAME FILE\n");
		return 2;
	}
	fd = open(argv[2], O_RDONLY | O_DIRECT);
	if (fd < 0 || posix_memalign(&buf, BLOCK, BLOCK)) {
		perror(argv[2]);
		return 1;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < READS; i++) {
			off_t at = (uint32_t)i * 2654435761U % (SPAN / BLOCK) * (off_t)BLOCK;
			int64_t start = now();

			if (pread(fd, buf, BLOCK, at) != BLOCK) {
				perror(argv[2]);
				return 1;
			}
			cost[i] = now() - start;
		}
	}
	qsort(cost, READS, sizeof(*cost), compare);
	printf("%s %lld\n", argv[1], (long long)cost[READS / 2]);
	return 0;
}
