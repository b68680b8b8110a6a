// SPDX-License-Identifier: GPL-2.0-only
/*
 * stamp SEED BYTES [FILE OFFSET]: BYTES to standard output, or into FILE from
 * OFFSET on, in which no two sectors are alike, and which compress to about a
 * third.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define NOISE (SECTOR / 4)
#define SECTORS 256 /* in a write */

static unsigned char buf[SECTORS * SECTOR];

static void make(unsigned char *to, const char *seed, uint64_t sector)
{
	uint64_t x = sector * 0x9e3779b97f4a7c15ULL + strtoull(seed, NULL, 0);
	size_t at = snprintf((char *)to, SECTOR, "seed %s sector %llu ", seed,
			     (unsigned long long)sector);
	size_t i = at;

	/* a quarter of noise, the rest is the stamp again and again */
	for (; i < NOISE; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		to[i] = x;
	}
	while (i < SECTOR) {
		size_t from = i % at, n = at - from < SECTOR - i ? at - from : SECTOR - i;

		memcpy(to + i, to + from, n);
		i += n;
	}
}

static void put(int fd, size_t n)
{
	size_t done = 0;
	ssize_t ret;

	while (done < n) {
		ret = write(fd, buf + done, n - done);
		if (ret <= 0) {
			perror("stamp");
			exit(1);
		}
		done += ret;
	}
}

int main(int argc, char **argv)
{
	uint64_t left, sector = 0;
	int fd = STDOUT_FILENO;
	char *end;

	left = argc == 3 || argc == 5 ? strtoull(argv[2], &end, 0) : 0;
	if ((argc != 3 && argc != 5) || end == argv[2] || *end) {
		fprintf(stderr, "usage: stamp SEED BYTES [FILE OFFSET]\n");
		return 2;
	}
	if (argc == 5) {
		fd = open(argv[3], O_WRONLY | O_CREAT, 0666);
		if (fd < 0 || lseek(fd, strtoll(argv[4], NULL, 0), SEEK_SET) < 0) {
			perror(argv[3]);
			return 1;
		}
	}
	while (left) {
		size_t n = 0;

		for (; n < sizeof(buf) && n < left; n += SECTOR)
			make(buf + n, argv[1], sector++);
		n = n < left ? n : left;
		put(fd, n);
		left -= n;
	}
	if (fd != STDOUT_FILENO && close(fd)) {
		perror(argv[3]);
		return 1;
	}
	return 0;
}
