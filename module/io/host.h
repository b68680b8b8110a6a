/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host file or block device, open in the kernel.
 *
 * Does: metadata reads and writes for image/ (the q2_file of a layer), guest
 * reads and writes as direct kiocbs, QEMU's locks. Does not: share (share.h does), know qcow2.
 */
#ifndef Q2_IO_HOST_H
#define Q2_IO_HOST_H

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include "format/err.h"
#include "image/file.h"

/**
 * struct q2_host - one open host file; constant but for q2_host_make_writable()
 * @file: what image/ and chain/ see; name is the path that was opened
 * @filp: open file of it; of a block device too
 * @lock_filp: the open file that holds the locks: the first one
 * @bdev: the block device, or NULL for a regular file
 * @align: offsets and lengths of direct I/O must be multiples of it, bytes, a
 *         power of two, 512..; guest I/O that is not goes through a bounce
 * @mem_align: and addresses of it
 * @direct: direct I/O is to be had; otherwise reads go through the page cache
 * @direct_write: writes are direct, too; otherwise they go through the page cache, and are in
 *                the file after a flush
 * @nowait: a regular file whose file system can read directly without waiting
 * @nowait_write: and write
 * @cheap_holes: a small write beyond the end of the file costs less than one that
 *               fills what is between. Instructions for 4 KiB and for 64 KiB: ext4
 *               63,000 and 71,000; xfs 120,000 and 54,000, by the page cache
 * @writable: opened for writing
 * @locked: how many of QEMU's lock bytes are held (lock.c)
 */
struct q2_host {
	struct q2_file file;
	struct file *filp;
	struct file *lock_filp;
	struct block_device *bdev;
	u32 align;
	u32 mem_align;
	bool direct;
	bool direct_write;
	bool nowait;
	bool nowait_write;
	bool cheap_holes;
	bool writable;
	unsigned int locked;
};

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

/* A block device may have grown since it was opened: look again. */
void q2_host_refresh(struct q2_host *host);

/*
 * Bytes that can still be had: up to the end of the block device from @end on, or
 * what the file system has for everybody. Blocks. 0 when nobody can tell.
 */
u64 q2_host_room(const struct q2_host *host, u64 end);

/* Are both the same file or block device, by whatever name? */
bool q2_host_same(const struct q2_host *a, const struct q2_host *b);

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

/* Give all of them back. Context: as above. */
void q2_host_unlock(struct q2_host *host);

/**
 * q2_host_read_iter() - one read call on a regular file
 * @host: host with a regular file
 * @kiocb: ki_pos, ki_flags and ki_complete are set; it must stay until the call has
 *         returned, even if the I/O has ended by then
 * @iter: where to
 *
 * Runs in any process context, another file system's included: the task is hidden
 * (task.h). With IOCB_NOWAIT the caller has asked q2_task_may_submit().
 *
 * Return: what ->read_iter returns: bytes, -EIOCBQUEUED, -EAGAIN, -errno.
 */
ssize_t q2_host_read_iter(struct q2_host *host, struct kiocb *kiocb, struct iov_iter *iter);

/**
 * q2_host_write_iter() - one write call on a regular file
 * @host: writable host with a regular file
 * @kiocb: as for q2_host_read_iter(); with IOCB_NOWAIT in ki_flags nothing waits,
 *         not for a frozen file system either
 * @iter: where from
 *
 * Unless -EAGAIN or another error comes back at once, the caller calls
 * q2_host_write_end() when the write has ended. Context as q2_host_read_iter().
 *
 * Return: what ->write_iter returns: bytes, -EIOCBQUEUED, -EAGAIN, -errno.
 */
ssize_t q2_host_write_iter(struct q2_host *host, struct kiocb *kiocb, struct iov_iter *iter);

/* A write that was queued or succeeded has ended: its file system may be frozen. Any context. */
void q2_host_write_end(struct q2_host *host);

/**
 * q2_host_write_bytes() - write guest data and wait
 * @host: writable host
 * @offset: host offset
 * @iter: bvec iterator over the data; offset and count aligned for the host
 *
 * Not durable by itself. Blocks. Return: 0, -ENOSPC, -errno.
 */
int q2_host_write_bytes(struct q2_host *host, u64 offset, struct iov_iter *iter);

#endif
