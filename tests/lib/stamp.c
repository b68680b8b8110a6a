// SPDX-License-Identifier: GPL-2.0-only
/*
 * stamp SEED BYTES: BYTES to standard output, in which no two sectors are
 * alike, and which compress to about a third.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512

int main(int argc, char **argv)
{
	static unsigned char buf[SECTOR];
	uint64_t left, sector = 0, x;
	char *end;

	left = argc == 3 ? strtoull(argv[2], &end, 0) : 0;
	if (argc != 3 || end == argv[2] || *end) {
		fprintf(stderr, "usage: stamp SEED BYTES\n");
		return 2;
	}
	while (left) {
		size_t n = left < SECTOR ? left : SECTOR;
		int at = snprintf((char *)buf, SECTOR, "seed %s sector %llu ", argv[1],
				  (unsigned long long)sector);

		/* a quarter of noise, the rest is the stamp again and again */
		x = sector * 0x9e3779b97f4a7c15ULL + strtoull(argv[1], NULL, 0);
		for (int i = at; i < SECTOR; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			buf[i] = i < SECTOR / 4 ? x : buf[i % at];
		}
		if (fwrite(buf, 1, n, stdout) != n) {
			perror("stamp");
			return 1;
		}
		left -= n;
		sector++;
	}
	return fflush(stdout) ? 1 : 0;
}
