// SPDX-License-Identifier: GPL-2.0-only
/*
 * killed FILE
 *
 * Makes every second page of FILE dirty, so that they are as many requests, and has a child
 * write them back, which is killed in the middle. Its pages are another one's by then: the
 * next fdatasync succeeds, and all is on the device, which is read without the page cache.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define ROUNDS 4

static unsigned char *buf;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000L + ts.tv_nsec / 1000;
}

static void dirty(int fd, off_t size, int round)
{
	for (off_t at = 0; at + PAGE <= size; at += 2 * PAGE) {
		memset(buf, 1 + (at / PAGE + round) % 251, PAGE);
		if (pwrite(fd, buf, PAGE, at) != PAGE)
			die("write");
	}
}

static void check(const char *path, off_t size, int round)
{
	int fd = open(path, O_RDONLY | O_DIRECT);

	if (fd < 0)
		die(path);
	for (off_t at = 0; at + PAGE <= size; at += 2 * PAGE) {
		if (pread(fd, buf, PAGE, at) != PAGE)
			die("read");
		if (buf[0] != 1 + (at / PAGE + round) % 251 || memcmp(buf, buf + 1, PAGE - 1)) {
			fprintf(stderr, "killed: the page at %lld is lost\n", (long long)at);
			exit(1);
		}
	}
	close(fd);
}

/* A child that is killed after @us of fdatasync(). Return: the signal that it died of, or 0. */
static int sync_killed(int fd, long us)
{
	int ready[2], status;
	pid_t pid;
	char c;

	if (pipe(ready))
		die("pipe");
	pid = fork();
	if (!pid) {
		if (write(ready[1], "", 1) != 1)
			_exit(2);
		_exit(fdatasync(fd) ? 1 : 0);
	}
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		die("fork");
	usleep(us);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	close(ready[0]);
	close(ready[1]);
	if (WIFEXITED(status) && WEXITSTATUS(status)) {
		fprintf(stderr, "killed: fdatasync of the child fails\n");
		exit(1);
	}
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(int argc, char **argv)
{
	struct stat st;
	long whole;
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0 || fstat(fd, &st) || posix_memalign((void **)&buf, PAGE, PAGE))
		die(argv[1]);
	/* How long does it take alone? */
	dirty(fd, st.st_size, 0);
	whole = now_us();
	if (fdatasync(fd))
		die("fdatasync");
	whole = now_us() - whole;
	for (int i = 1; i < ROUNDS; i++) {
		long us = whole * i / (2 * ROUNDS);
		int signal;

		dirty(fd, st.st_size, i);
		signal = sync_killed(fd, us);
		printf("after %ld of %ld us: signal %d\n", us, whole, signal);
		if (fdatasync(fd))
			die("the owner's fdatasync");
		check(argv[1], st.st_size, i);
	}
	return 0;
}
