// SPDX-License-Identifier: GPL-2.0-only
/* Compression type 0: raw deflate with a window of 4 KiB. */
#include <linux/errno.h>
#include <linux/zlib.h>

#include "io/codec.h"

/* Negative: no zlib header. QEMU compresses with 12. */
#define WINDOW_BITS (-12)

static size_t workspace_bytes(void)
{
	return zlib_inflate_workspacesize();
}

static int inflate_cluster(void *workspace, const void *src, size_t src_len, void *dst,
			   size_t dst_len)
{
	struct z_stream_s strm = {
		.next_in = src,
		.avail_in = src_len,
		.next_out = dst,
		.avail_out = dst_len,
		.workspace = workspace,
	};
	int ret;

	if (zlib_inflateInit2(&strm, WINDOW_BITS) != Z_OK)
		return -EUCLEAN;
	ret = zlib_inflate(&strm, Z_FINISH);
	/* QEMU takes "buffer error" too, once the cluster is full. */
	if ((ret != Z_STREAM_END && ret != Z_BUF_ERROR) || strm.avail_out)
		return -EUCLEAN;
	return 0;
}

const struct q2_codec q2_codec_zlib = {
	.workspace_bytes = workspace_bytes,
	.inflate = inflate_cluster,
};
