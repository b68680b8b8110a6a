/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host file or block device as the rules of access see it: opened, claimed by lock bytes,
 * and asked how it wants to be written. Bytes pass through its &struct q2_file.
 *
 * module/io/host.c implements it for the kernel; the explorer's store is its twin.
 */
#ifndef Q2_SERVE_HOST_H
#define Q2_SERVE_HOST_H

#include "format/err.h"
#include "image/file.h"

struct q2_host;

/**
 * q2_host_open() - open a regular file or block device
 * @path: absolute path; copied
 * @write: for writing too
 * @err: reason, names the path
 *
 * A block device's page cache is written back and dropped: bios go around it.
 * Blocks. Return: the host or ERR_PTR.
 */
struct q2_host *q2_host_open(const char *path, bool write, struct q2_err *err);

/**
 * q2_host_make_writable() - allow writing to a host that was opened for reading
 * @host: host; others may be reading from it
 * @err: reason, names the path
 *
 * The name must still lead to the same file. Does nothing if it is writable. Blocks.
 * Return: 0 or -errno.
 */
int q2_host_make_writable(struct q2_host *host, struct q2_err *err);

/* Close it; its locks go with it. No I/O is in flight. Cached pages of a device go too. */
void q2_host_close(struct q2_host *host);

/* The file that metadata is read from and written to; lives as long as the host. */
struct q2_file *q2_host_file(struct q2_host *host);

/* Is it a block device? */
bool q2_host_is_device(const struct q2_host *host);

/* Offsets and lengths of direct I/O must be multiples of it: bytes, a power of two, 512 or more. */
u32 q2_host_align(const struct q2_host *host);

/* And addresses of it, in bytes. */
u32 q2_host_mem_align(const struct q2_host *host);

/* Is direct I/O to be had? Otherwise any alignment will do. */
bool q2_host_is_direct(const struct q2_host *host);

/* Does a small write beyond the end of the file cost less than one that fills what is between? */
bool q2_host_has_cheap_holes(const struct q2_host *host);

/* A block device may have grown since it was opened: look again. */
void q2_host_refresh(struct q2_host *host);

/*
 * Bytes that can still be had: up to the end of the block device from @end on, or
 * what the file system has for everybody. Blocks. 0 when nobody can tell.
 */
u64 q2_host_room(const struct q2_host *host, u64 end);

/* An order over hosts. Return: 0 if both are the same file or block device, by whatever name. */
int q2_host_compare(const struct q2_host *a, const struct q2_host *b);

/**
 * q2_host_lock() - take the lock bytes of a reader or writer that shares no write
 * @host: host
 * @write: of a writer
 * @err: reason, says that another program has the file open
 *
 * OFD locks as QEMU takes them. Read-only image or backing file: bytes 100, 201
 * and 203 shared, after which nobody may hold 101, 103 or 200. Writable: 101 and
 * 103 as well, after which nobody may hold 201 and 203 either.
 * Does nothing when they are held already. Not safe against itself: the caller
 * serializes. Blocks. Return: 0 or -EAGAIN (another program), -errno.
 */
int q2_host_lock(struct q2_host *host, bool write, struct q2_err *err);

/* A writer that is a reader from now on gives back what is the writer's. Context: as above. */
void q2_host_lock_less(struct q2_host *host);

/* Are lock bytes held? Context: as above. */
bool q2_host_is_locked(const struct q2_host *host);

#endif
