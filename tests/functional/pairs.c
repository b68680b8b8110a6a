// SPDX-License-Identifier: GPL-2.0-only
/*
 * pairs DEVICE DEVICE...: write 1, 2, 3, ... to the first sector of each device in turn,
 * each write ended before the next begins, until SIGTERM. There is a moment between two
 * numbers: what is done to the devices meanwhile wants to go on, too.
 *
 * At any instant the numbers on the devices, in this order, never go up, and the last is at
 * most one behind the first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 4096
#define PAUSE 2000 /* microseconds */

static volatile sig_atomic_t over;

static void end(int signal)
{
	over = 1;
}

int main(int argc, char **argv)
{
	int fds[16], nr = argc - 1, i;
	uint64_t number;
	void *buf;

	if (nr < 1 || nr > 16 || posix_memalign(&buf, MOST, MOST))
		return 2;
	memset(buf, 0, MOST);
	for (i = 0; i < nr; i++) {
		fds[i] = open(argv[1 + i], O_RDWR | O_DIRECT);
		if (fds[i] < 0) {
			perror(argv[1 + i]);
			return 1;
		}
	}
	signal(SIGTERM, end);
	for (number = 1; !over; number++) {
		memcpy(buf, &number, sizeof(number));
		for (i = 0; i < nr; i++) {
			if (pwrite(fds[i], buf, MOST, 0) != MOST) {
				perror(argv[1 + i]);
				return 1;
			}
		}
		usleep(PAUSE);
	}
	return 0;
}
