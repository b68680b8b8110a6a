// SPDX-License-Identifier: GPL-2.0-only
/*
 * qcowctl with a power cut: linked with --wrap for pwrite() and fdatasync().
 *
 * CUT="N SEED": all that was written before the N-th flush is on the disk. Of what was
 * written after it, until the next, each sector is or is not, by the dice; with an even
 * SEED the last writes are, and those before them are not. Then the program ends with
 * status CUT_STATUS. Without CUT nothing is cut.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUT_STATUS 77
#define SECTOR 512

ssize_t __real_pwrite(int fd, const void *buf, size_t len, off_t offset);
int __real_fdatasync(int fd);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t offset);
int __wrap_fdatasync(int fd);

/* A write since the flush: what was there, and what came. */
static struct write {
	int fd;
	off_t offset;
	size_t len;
	char *before, *after;
} writes[1 << 16];
static int nr_writes;
static off_t size_before;
static int flushes;
static uint64_t seed, state;

static uint64_t dice(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

static int cut_at(void)
{
	const char *cut = getenv("CUT");
	char *end;
	int at;

	if (!cut)
		return -1;
	at = strtol(cut, &end, 10);
	if (!state) {
		seed = strtoull(end, NULL, 10);
		state = seed * 0x9e3779b97f4a7c15ULL + 1;
		dice(2);
	}
	return at;
}

static void must(int ok)
{
	if (ok)
		return;
	perror("cut");
	abort();
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	struct write *w = &writes[nr_writes];
	struct stat st;
	ssize_t n;

	if (cut_at() != flushes)
		return __real_pwrite(fd, buf, len, offset);
	must(nr_writes++ < (1 << 16) - 1 && !fstat(fd, &st));
	if (nr_writes == 1)
		size_before = st.st_size;
	*w = (struct write){fd, offset, len, calloc(1, len), malloc(len)};
	must(w->before && w->after);
	n = pread(fd, w->before, len, offset);
	must(n >= 0);
	memcpy(w->after, buf, len);
	return __real_pwrite(fd, buf, len, offset);
}

/* Undo all, newest first, and do some again, sector by sector. */
static void cut(void)
{
	int often = seed % 2 ? dice(4) : 4, from = 0, i;
	size_t at, part;

	if (seed % 2 == 0 && nr_writes > 1)
		from = 1 + dice(nr_writes - 1);
	for (i = nr_writes; i-- > 0;)
		must(__real_pwrite(writes[i].fd, writes[i].before, writes[i].len,
				   writes[i].offset) == (ssize_t)writes[i].len);
	must(!ftruncate(writes[0].fd, size_before));
	for (i = from; i < nr_writes; i++)
		for (at = 0; at < writes[i].len; at += part) {
			part = SECTOR - (writes[i].offset + at) % SECTOR;
			if (part > writes[i].len - at)
				part = writes[i].len - at;
			if ((int)dice(4) > often)
				continue;
			must(__real_pwrite(writes[i].fd, writes[i].after + at, part,
					   writes[i].offset + at) == (ssize_t)part);
		}
}

int __wrap_fdatasync(int fd)
{
	if (cut_at() == flushes) {
		if (nr_writes)
			cut();
		_exit(CUT_STATUS);
	}
	flushes++;
	return __real_fdatasync(fd);
}
