/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tool's backend of struct q2_file: a regular file or block device.
 *
 * Regular files are read and written through the page cache. Block devices are read
 * and written around it, with O_DIRECT and aligned bounce buffers: the kernel module's bios go to
 * the device below that cache, which may therefore hold old bytes.
 */
#ifndef QCOWCTL_HOSTFILE_H
#define QCOWCTL_HOSTFILE_H

#include <sys/types.h>

#include "image/file.h"

/**
 * struct host_file - an open file
 * @file: what image/ and chain/ use; name and size are valid
 * @fd: open for reading, or for writing too
 * @path: owned; also the name of @file
 * @block: it is a block device
 * @align: block device: what offset, length and memory of direct I/O must be multiples of
 * @dev: identity: device of the file, or the block device itself
 * @ino: identity: inode; 0 for a block device, which may have many nodes
 */
struct host_file {
	struct q2_file file;
	int fd;
	char *path;
	bool block;
	u32 align;
	dev_t dev;
	ino_t ino;
};

/**
 * host_file_open() - open for reading
 * @path: path
 *
 * Anything but a regular file or a block device is refused. Takes no lock.
 *
 * Return: the file, or NULL after having said why.
 */
struct host_file *host_file_open(const char *path);

/**
 * host_file_open_write() - open for reading and writing
 * @path: path
 *
 * As host_file_open(). A block device that is mounted or below another device is
 * refused.
 */
struct host_file *host_file_open_write(const char *path);

/* Close it, and so drop its locks. NULL is fine. */
void host_file_close(struct host_file *host);

/* Are they the same file or the same block device? */
bool host_file_same(const struct host_file *a, const struct host_file *b);

/**
 * host_file_run() - does the file hold data there, or a hole?
 * @host: file
 * @offset: byte
 * @len: bytes asked about, at least 1
 * @data: result; true also where it cannot be known
 *
 * Return: bytes from @offset on of which that is true, 1..@len. Past the end is a hole.
 */
u64 host_file_run(const struct host_file *host, u64 offset, u64 len, bool *data);

/* Bytes of storage that the file takes; 0 if it cannot be known. */
u64 host_file_allocated(const struct host_file *host);

/* The q2_file's host_file. */
static inline struct host_file *to_host_file(struct q2_file *file)
{
	return container_of(file, struct host_file, file);
}

#endif
