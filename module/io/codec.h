/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decompression of one cluster: a small ops table over the kernel's libraries.
 */
#ifndef Q2_IO_CODEC_H
#define Q2_IO_CODEC_H

#include <linux/types.h>

/**
 * struct q2_codec - one compression type of the format
 * @workspace_bytes: memory that inflate() works in
 * @inflate: @src holds a whole cluster, and perhaps bytes behind it that do not
 *           belong to it; fill @dst_len bytes at @dst. Does not block, allocates
 *           nothing. Return: 0, or -EIO if the data are broken or too short.
 */
struct q2_codec {
	size_t (*workspace_bytes)(void);
	int (*inflate)(void *workspace, const void *src, size_t src_len, void *dst, size_t dst_len);
};

extern const struct q2_codec q2_codec_zlib;
extern const struct q2_codec q2_codec_zstd;

#endif
