// SPDX-License-Identifier: GPL-2.0-only
/*
 * polled DEVICE EXPECTED SIZE
 *
 * Reads DEVICE directly in pieces of SIZE bytes through an io_uring that polls for what
 * it has asked for. Each read succeeds, with what the file EXPECTED holds there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POISON 0xa5

static struct io_uring_params params;
static unsigned char *sq, *cq;
static struct io_uring_sqe *sqes;
static int ring;

static void die(const char *what, long long at, int error)
{
	fprintf(stderr, "polled: %s at %lld: %s\n", what, at, strerror(error));
	exit(1);
}

static void set_up(void)
{
	size_t len;

	params.flags = IORING_SETUP_IOPOLL;
	ring = syscall(__NR_io_uring_setup, 4, &params);
	if (ring < 0)
		die("io_uring_setup", 0, errno);
	len = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
	sq = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	len = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
	cq = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	len = params.sq_entries * sizeof(struct io_uring_sqe);
	sqes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		die("mmap", 0, errno);
}

/* One read at a time. Return: as pread(), but -errno. */
static int read_polled(int fd, void *buf, unsigned int len, off_t at)
{
	uint32_t *tail = (uint32_t *)(sq + params.sq_off.tail);
	uint32_t mask = *(uint32_t *)(sq + params.sq_off.ring_mask);
	uint32_t *head = (uint32_t *)(cq + params.cq_off.head);
	uint32_t *end = (uint32_t *)(cq + params.cq_off.tail);
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
	uint32_t index = *tail & mask;
	int ret;

	memset(&sqes[index], 0, sizeof(sqes[index]));
	sqes[index].opcode = IORING_OP_READ;
	sqes[index].fd = fd;
	sqes[index].addr = (uintptr_t)buf;
	sqes[index].len = len;
	sqes[index].off = at;
	((uint32_t *)(sq + params.sq_off.array))[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		die("io_uring_enter", at, errno);
	while (__atomic_load_n(end, __ATOMIC_ACQUIRE) == *head) {
		if (syscall(__NR_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
			die("io_uring_enter", at, errno);
	}
	ret = cqes[*head & *(uint32_t *)(cq + params.cq_off.ring_mask)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return ret;
}

int main(int argc, char **argv)
{
	unsigned char *buf, *want;
	unsigned int size;
	struct stat st;
	int dev, file;
	off_t at;

	if (argc != 4)
		return 2;
	size = atoi(argv[3]);
	dev = open(argv[1], O_RDONLY | O_DIRECT);
	file = open(argv[2], O_RDONLY);
	want = malloc(size);
	if (dev < 0 || file < 0 || fstat(file, &st) || !want ||
	    posix_memalign((void **)&buf, 4096, size))
		die(argv[1], 0, errno);
	set_up();
	for (at = 0; at < st.st_size; at += size) {
		unsigned int len = st.st_size - at < size ? st.st_size - at : size;
		int n;

		memset(buf, POISON, size);
		n = read_polled(dev, buf, len, at);
		if (n != (int)len)
			die("a polled read", at, n < 0 ? -n : 0);
		if (pread(file, want, len, at) != (ssize_t)len)
			die(argv[2], at, errno);
		if (memcmp(buf, want, len))
			die("wrong bytes", at, 0);
	}
	return 0;
}
