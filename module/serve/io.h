/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rules of access ask of whoever moves bytes: module/io in the kernel, the explorer in
 * user space.
 *
 * Rules for those who implement it: a call returns when its bytes are where they belong (not:
 * durable), and keeps nothing. None of them takes a guest range, a token, or a lock of serve/.
 */
#ifndef Q2_SERVE_IO_H
#define Q2_SERVE_IO_H

#include "serve/op.h"

/**
 * q2_io_open() - make what moving bytes of a device needs
 * @disk: device; its name is set
 *
 * Sets disk->io. Blocks. Return: 0 or -errno.
 */
int q2_io_open(struct q2_disk *disk);

/* Free it. No request is in flight. Blocks. */
void q2_io_close(struct q2_disk *disk);

/* @s is going to be written: make what that needs, once. Blocks. Return: 0 or -ENOMEM. */
int q2_io_prepare(struct q2_disk *disk, const struct q2_shared *s);

/**
 * q2_io_write() - write bytes of a request
 * @op: a write
 * @skip: bytes of it that come before
 * @len: bytes
 * @to: written image
 * @host: host offset
 *
 * Blocks. Return: 0, -ENOSPC, -ENOMEM, -errno.
 */
int q2_io_write(struct q2_op *op, u64 skip, u64 len, struct q2_shared *to, u64 host);

/*
 * The same with @head zeroes before and @tail zeroes behind them, from @host on. Return: as
 * above; -E2BIG: it costs less to put that together in memory, and nothing has been written.
 */
int q2_io_write_among(struct q2_op *op, u64 skip, u32 len, struct q2_shared *to, u64 host, u32 head,
		      u32 tail);

/* Copy bytes of a write to @buf. Return: 0 or -EIO. */
int q2_io_copy(struct q2_op *op, u64 skip, void *buf, u32 len);

/* Read @len bytes from @skip on of a compressed cluster. Blocks. Return: 0; -EUCLEAN; -errno. */
int q2_io_expand(struct q2_shared *s, const struct q2_extent *ext, u32 skip, void *buf, u32 len);

/*
 * An op that changed mappings has ended: with @error, or sent back. The op is the implementer's
 * again, and may be gone on return. Process context.
 */
void q2_io_end(struct q2_op *op, int error);

#endif
