// SPDX-License-Identifier: GPL-2.0-only
/*
 * nowait-write DEVICE OFFSET BYTES BYTE
 *
 * Writes BYTES times BYTE at OFFSET of DEVICE, directly and with RWF_NOWAIT. Says "written",
 * or "again" if it is told to come again; anything else is a failure.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct iovec iov;
	ssize_t n;
	int dev;

	if (argc != 5) {
		fprintf(stderr, "usage: nowait-write DEVICE OFFSET BYTES BYTE\n");
		return 2;
	}
	iov.iov_len = strtoul(argv[3], NULL, 0);
	dev = open(argv[1], O_WRONLY | O_DIRECT);
	if (dev < 0 || posix_memalign(&iov.iov_base, 4096, iov.iov_len)) {
		perror("nowait-write");
		return 1;
	}
	memset(iov.iov_base, atoi(argv[4]), iov.iov_len);
	n = pwritev2(dev, &iov, 1, strtoll(argv[2], NULL, 0), RWF_NOWAIT);
	if (n < 0 && errno == EAGAIN) {
		puts("again");
		return 0;
	}
	if (n != (ssize_t)iov.iov_len) {
		fprintf(stderr, "nowait-write: %s\n", n < 0 ? strerror(errno) : "short");
		return 1;
	}
	puts("written");
	return 0;
}
