// SPDX-License-Identifier: GPL-2.0-only
/* Compressed clusters: raw deflate or zstd, as QEMU stores them. */
#include <zlib.h>
#include <zstd.h>

#include "expand.h"
#include "format/ondisk.h"

static int expand_deflate(const void *from, size_t len, void *to, size_t size)
{
	z_stream z = {.next_in = (void *)from, .avail_in = len, .next_out = to, .avail_out = size};
	int ret;

	if (inflateInit2(&z, -12) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* Room that runs out exactly at the end is no error. */
	return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && !z.avail_out ? 0 : -EIO;
}

static int expand_zstd(const void *from, size_t len, void *to, size_t size)
{
	ZSTD_inBuffer in = {from, len, 0};
	ZSTD_outBuffer out = {to, size, 0};
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	size_t ret = 0;

	if (!ctx)
		return -ENOMEM;
	/* There may be several frames, and rubbish behind them. */
	while (out.pos < size && in.pos < len && !ZSTD_isError(ret))
		ret = ZSTD_decompressStream(ctx, &out, &in);
	ZSTD_freeDCtx(ctx);
	return out.pos == size ? 0 : -EIO;
}

int expand(u8 type, const void *from, size_t len, void *to, size_t size)
{
	return type == Q2_COMPRESSION_ZSTD ? expand_zstd(from, len, to, size)
					   : expand_deflate(from, len, to, size);
}
