// SPDX-License-Identifier: GPL-2.0-only
/* Compression type 1: one or more zstd frames. */
#include <linux/errno.h>
#include <linux/zstd.h>

#include "io/codec.h"

static int inflate_cluster(void *workspace, const void *src, size_t src_len, void *dst,
			   size_t dst_len)
{
	zstd_dctx *dctx = zstd_init_dctx(workspace, zstd_dctx_workspace_bound());

	if (!dctx)
		return -EUCLEAN;
	/* What follows the frames is another cluster's: each frame's end is looked for. */
	while (dst_len) {
		size_t frame = zstd_find_frame_compressed_size(src, src_len);
		size_t got;

		if (zstd_is_error(frame))
			return -EUCLEAN;
		got = zstd_decompress_dctx(dctx, dst, dst_len, src, frame);
		if (zstd_is_error(got))
			return -EUCLEAN;
		src += frame;
		src_len -= frame;
		dst += got;
		dst_len -= got;
	}
	return 0;
}

const struct q2_codec q2_codec_zstd = {
	.workspace_bytes = zstd_dctx_workspace_bound,
	.inflate = inflate_cluster,
};
