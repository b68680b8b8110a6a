/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host file or block device, open in the kernel: what serve/host.h asks for, and kiocbs.
 *
 * Does: metadata reads and writes for image/ (the q2_file of a layer), guest
 * reads and writes as direct kiocbs, QEMU's locks. Does not: share (serve/shared.h does), know
 * qcow2.
 */
#ifndef Q2_IO_HOST_H
#define Q2_IO_HOST_H

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include "serve/host.h"

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

/* Give all lock bytes back. Context: as q2_host_lock(). */
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
