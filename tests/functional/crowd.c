// SPDX-License-Identifier: GPL-2.0-only
/*
 * crowd DEVICE WRITERS UNIT FIRST MOST COMMAND [ARG...]
 *	WRITERS threads write 4 KiB each at the start of pieces of UNIT bytes, in an
 *	order that jumps about, every piece once; FIRST is the number of the first one.
 *	When they are in full swing COMMAND is run. It must end before they have
 *	written MOST times more.
 *
 * The commands "discard" and "zero" are done here, over all of the device.
 *
 * Says how many writes there were meanwhile. The writers end with the command; and before
 * it, if there have been too many, so that it ends, too.
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
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 4096
#define MOST_WRITERS 128

static int device;
static uint64_t unit, pieces, size;
static long next, begun, done, stop, barred = -1;

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *write_pieces(void *arg)
{
	void *buf;

	if (posix_memalign(&buf, BLOCK, BLOCK))
		exit(1);
	memset(buf, 0x5a, BLOCK);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		/* The step is a prime: each piece has its turn. */
		uint64_t piece = __sync_fetch_and_add(&next, 1) * 7919 % pieces;
		long now;

		if (__sync_fetch_and_add(&begun, 1) >= pieces) {
			fprintf(stderr, "crowd: all pieces are written\n");
			exit(1);
		}
		if (pwrite(device, buf, BLOCK, piece * unit) != BLOCK)
			die("write");
		now = __sync_add_and_fetch(&done, 1);
		if (barred >= 0 && now > barred)
			__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	}
	free(buf);
	return arg;
}

static int run(char **argv)
{
	uint64_t range[2] = {0, size};
	int status;
	pid_t pid;

	if (!strcmp(*argv, "discard"))
		return ioctl(device, BLKDISCARD, range);
	if (!strcmp(*argv, "zero"))
		return fallocate(device, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, size);
	pid = fork();
	if (!pid) {
		execvp(*argv, argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	errno = EIO;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

int main(int argc, char **argv)
{
	pthread_t writers[MOST_WRITERS];
	long nr, i, most, before, meanwhile;

	if (argc < 7 || atol(argv[2]) > MOST_WRITERS)
		return 2;
	device = open(argv[1], O_RDWR | O_DIRECT);
	if (device < 0 || ioctl(device, BLKGETSIZE64, &size))
		die(argv[1]);
	nr = atol(argv[2]);
	unit = strtoull(argv[3], NULL, 10);
	next = atol(argv[4]);
	most = atol(argv[5]);
	pieces = size / unit;
	for (i = 0; i < nr; i++) {
		if (pthread_create(&writers[i], NULL, write_pieces, NULL))
			die("thread");
	}
	while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < 3 * nr)
		usleep(1000);
	before = __atomic_load_n(&done, __ATOMIC_SEQ_CST);
	__atomic_store_n(&barred, before + most, __ATOMIC_SEQ_CST);
	if (run(argv + 6))
		die(argv[6]);
	meanwhile = __atomic_load_n(&done, __ATOMIC_SEQ_CST) - before;
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < nr; i++)
		pthread_join(writers[i], NULL);
	printf("%ld writes during %s\n", meanwhile, argv[6]);
	return meanwhile > most;
}
