/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host file or block device as image/ and chain/ see it: a small ops table.
 *
 * The module's backends (io/), the tool's (userspace/) and the failing ones of
 * the unit tests stand behind it. Guest data does not come this way in the
 * kernel: these are the calls for metadata, and they may block.
 */
#ifndef Q2_IMAGE_FILE_H
#define Q2_IMAGE_FILE_H

#include "env.h"

struct q2_file;

/**
 * struct q2_file_ops - what a backend can do
 * @read: read @len bytes at @offset into @buf. Bytes past the end of the file
 *        read as zeroes. Any alignment of @offset and @len; @buf comes from
 *        kvmalloc(). Blocks. Return: 0 or -errno.
 * @write: write @len bytes at @offset from @buf; the file grows if it must and
 *         can. @offset and @len are multiples of the image's slice size. Not
 *         durable before @flush. Blocks. Return: 0, -ENOSPC, -errno.
 * @flush: make everything that was written before the call durable. Blocks.
 * @discard: bytes that nobody refers to any more: give their room back if that
 *           is possible. A hint: failure is not told. Blocks. NULL: never possible.
 *
 * @zero: make @len bytes at @offset read zeroes, by giving their room back if that is
 *        possible. Blocks. Return: 0; -EOPNOTSUPP: zeroes must be written; -errno.
 *        NULL: never possible.
 * @reserve: @len bytes from @offset on are going to be written soon, in small parts: a file
 *           that ends before them gets room for all of them at once, and reads zeroes there.
 *           A hint: failure is not told. Blocks. NULL: of no use.
 *
 * @write and @flush are NULL in a file that is only read.
 */
struct q2_file_ops {
	int (*read)(struct q2_file *file, u64 offset, void *buf, size_t len);
	int (*write)(struct q2_file *file, u64 offset, const void *buf, size_t len);
	int (*flush)(struct q2_file *file);
	void (*discard)(struct q2_file *file, u64 offset, u64 len);
	int (*zero)(struct q2_file *file, u64 offset, u64 len);
	void (*reserve)(struct q2_file *file, u64 offset, u64 len);
};

/**
 * struct q2_file - one open file; a backend embeds it
 * @ops: never NULL
 * @name: what to call it in a sentence; lives as long as the file
 * @size: bytes when it was opened, or made longer on purpose
 * @limit: bytes it may grow to; a block device's size, else Q2_MAX_OFFSET
 * @align: offsets and lengths of writes must be multiples of it; 0: any will do
 * @grows: what lies beyond @size reads zeroes until it is written
 */
struct q2_file {
	const struct q2_file_ops *ops;
	const char *name;
	u64 size;
	u64 limit;
	u32 align;
	bool grows;
};

/* See &struct q2_file_ops. Never called with a lock that I/O completion takes. */
static inline int q2_file_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	might_sleep();
	return file->ops->read(file, offset, buf, len);
}

static inline int q2_file_write(struct q2_file *file, u64 offset, const void *buf, size_t len)
{
	might_sleep();
	return file->ops->write(file, offset, buf, len);
}

static inline int q2_file_flush(struct q2_file *file)
{
	might_sleep();
	return file->ops->flush(file);
}

#endif
