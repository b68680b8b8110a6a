// SPDX-License-Identifier: GPL-2.0-only
/*
 * nowait DEVICE EXPECTED
 *
 * Reads every 4 KiB of DEVICE directly and with RWF_NOWAIT, in an order that
 * jumps about. A read is answered with the right bytes, or with EAGAIN; then the
 * same read that may wait must be right. Prints how many there were of each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096

static char want[BLOCK];
static void *got;

static int read_block(int dev, off_t at, int flags)
{
	struct iovec iov = {.iov_base = got, .iov_len = BLOCK};
	ssize_t n;

	memset(got, 0xa5, BLOCK);
	n = preadv2(dev, &iov, 1, at, flags);
	if (n < 0 && errno == EAGAIN && flags)
		return 0;
	if (n != BLOCK) {
		fprintf(stderr, "nowait: read at %lld: %s\n", (long long)at,
			n < 0 ? strerror(errno) : "short");
		exit(1);
	}
	if (memcmp(got, want, BLOCK)) {
		fprintf(stderr, "nowait: wrong bytes at %lld%s\n", (long long)at,
			flags ? ", read with NOWAIT" : "");
		exit(1);
	}
	return 1;
}

int main(int argc, char **argv)
{
	int dev, file;
	long blocks, now = 0, later = 0;
	struct stat st;

	if (argc != 3) {
		fprintf(stderr, "usage: nowait DEVICE EXPECTED\n");
		return 2;
	}
	dev = open(argv[1], O_RDONLY | O_DIRECT);
	file = open(argv[2], O_RDONLY);
	if (dev < 0 || file < 0 || fstat(file, &st) || posix_memalign(&got, BLOCK, BLOCK)) {
		perror("nowait");
		return 1;
	}
	blocks = st.st_size / BLOCK;
	for (long i = 0; i < blocks; i++) {
		off_t at = i * 977 % blocks * BLOCK;

		if (pread(file, want, BLOCK, at) != BLOCK) {
			perror(argv[2]);
			return 1;
		}
		if (read_block(dev, at, RWF_NOWAIT)) {
			now++;
		} else {
			later++;
			read_block(dev, at, 0);
		}
	}
	printf("%ld reads at once, %ld told to come again\n", now, later);
	return 0;
}
