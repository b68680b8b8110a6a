// SPDX-License-Identifier: GPL-2.0-only
/*
 * read-pieces direct|buffered DEVICE EXPECTED PIECE NUMBER BROKEN
 *
 * Reads the first NUMBER pieces of PIECE bytes of DEVICE in one go, of which piece
 * BROKEN cannot be had. EXPECTED holds what the others are.
 *
 * direct: the read fails with EIO. Of the broken piece the buffer holds what it held
 * before, or zeroes; nothing else.
 * buffered: the read ends where the broken piece begins, at the latest, or fails. No page
 * of that piece can be read afterwards; all pages of the others can, and are right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define POISON 0xa5

static size_t piece, len, from, to;
static unsigned char *buf, *want;

static void bad(const char *what, size_t at)
{
	fprintf(stderr, "read-pieces: %s at %zu\n", what, at);
	exit(1);
}

static void read_direct(int dev)
{
	ssize_t n = pread(dev, buf, len, 0);
	size_t i;

	if (n >= 0)
		bad("the direct read succeeds over a broken piece", from);
	if (errno != EIO)
		bad(strerror(errno), 0);
	for (i = 0; i < len; i++) {
		if (!buf[i] || buf[i] == POISON)
			continue;
		if (i >= from && i < to)
			bad("bytes that are nobody's", i);
		if (buf[i] != want[i])
			bad("wrong bytes", i);
	}
}

static void read_buffered(int dev)
{
	ssize_t n = pread(dev, buf, len, 0);
	size_t at;

	if (n > (ssize_t)from)
		bad("the buffered read goes on over a broken piece", from);
	if (n < 0 && errno != EIO)
		bad(strerror(errno), 0);
	for (at = 0; at < len; at += PAGE) {
		bool broken = at >= from && at < to;

		n = pread(dev, buf, PAGE, at);
		if (broken && (n >= 0 || errno != EIO))
			bad("the page cache holds what was never read", at);
		if (!broken && n != PAGE)
			bad("a page beside the broken piece cannot be read", at);
		if (!broken && memcmp(buf, want + at, PAGE))
			bad("wrong bytes in a page", at);
	}
}

int main(int argc, char **argv)
{
	bool direct;
	int dev, file;

	if (argc != 7)
		return 2;
	direct = !strcmp(argv[1], "direct");
	piece = atol(argv[4]);
	len = piece * atol(argv[5]);
	from = piece * atol(argv[6]);
	to = from + piece;
	dev = open(argv[2], O_RDONLY | (direct ? O_DIRECT : 0));
	file = open(argv[3], O_RDONLY);
	want = malloc(len);
	if (dev < 0 || file < 0 || !want || pread(file, want, len, 0) != (ssize_t)len ||
	    posix_memalign((void **)&buf, PAGE, len)) {
		perror("read-pieces");
		return 2;
	}
	memset(buf, POISON, len);
	if (direct)
		read_direct(dev);
	else
		read_buffered(dev);
	return 0;
}
