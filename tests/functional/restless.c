// SPDX-License-Identifier: GPL-2.0-only
/*
 * restless DEVICE BYTES: writes BYTES directly, while another task goes on changing the memory
 * that is being written, as a virtual machine does.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PIECE 65536

static volatile unsigned char *buf;
static atomic_bool over;

static void *change(void *arg)
{
	unsigned int i = 0;

	while (!over) {
		i = (i + 509) % PIECE;
		buf[i]++;
	}
	return arg;
}

int main(int argc, char **argv)
{
	long at, end = argc > 2 ? atol(argv[2]) : 0;
	int fd = argc > 2 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	pthread_t thread;
	void *mem;

	if (fd < 0 || posix_memalign(&mem, 4096, PIECE))
		return 2;
	buf = mem;
	if (pthread_create(&thread, NULL, change, NULL))
		return 2;
	for (at = 0; at < end; at += PIECE) {
		if (pwrite(fd, mem, PIECE, at) != PIECE) {
			perror("write");
			return 1;
		}
	}
	over = true;
	pthread_join(thread, NULL);
	if (fsync(fd)) {
		perror("fsync");
		return 1;
	}
	return 0;
}
