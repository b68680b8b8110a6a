// SPDX-License-Identifier: GPL-2.0-only
#include "bare.h"
#include "lock.h"
#include "say.h"

static int decode(struct bare *bare, void *buf, size_t len, struct q2_err *err)
{
	int ret = q2_file_read(&bare->host->file, 0, buf, len);

	if (!ret)
		ret = q2_header_decode(buf, min_t(u64, len, bare->host->file.size), &bare->hdr,
				       err);
	return ret;
}

static int decode_extensions(struct bare *bare, struct q2_err *err)
{
	size_t cluster = 1UL << bare->hdr.cluster_bits;
	void *buf = xalloc(cluster);
	int ret = q2_file_read(&bare->host->file, 0, buf, cluster);

	if (!ret)
		ret = q2_header_decode_extensions(buf, min_t(u64, cluster, bare->host->file.size),
						  &bare->hdr, err);
	free(buf);
	return ret;
}

static int open_header(struct bare *bare)
{
	u8 buf[Q2_V3_HEADER_FULL] = {0};
	struct q2_err err = {""};
	__be32 magic;
	int ret = decode(bare, buf, sizeof(buf), &err);

	if (!ret)
		ret = decode_extensions(bare, &err);
	if (!ret) {
		q2_header_geometry(&bare->hdr, &bare->geo);
		return 0;
	}
	say("%s: %s", bare->host->path, *err.text ? err.text : strerror(-ret));
	memcpy(&magic, buf, sizeof(magic));
	return ret != -EIO && be32_to_cpu(magic) != Q2_MAGIC ? BARE_FOREIGN : -1;
}

int bare_open(const char *path, bool force_share, struct bare *bare)
{
	int ret;

	memset(bare, 0, sizeof(*bare));
	bare->host = host_file_open(path);
	if (!bare->host)
		return -1;
	ret = force_share ? 0 : lock_for_reading(bare->host);
	if (!ret)
		ret = open_header(bare);
	if (ret)
		bare_close(bare);
	return ret;
}

int bare_open_write(const char *path, struct bare *bare)
{
	int ret;

	memset(bare, 0, sizeof(*bare));
	bare->host = host_file_open_write(path);
	if (!bare->host)
		return -1;
	ret = lock_for_writing(bare->host);
	if (!ret)
		ret = open_header(bare);
	if (ret)
		bare_close(bare);
	return ret;
}

void bare_close(struct bare *bare)
{
	host_file_close(bare->host);
	bare->host = NULL;
}

char *bare_span(struct bare *bare, const struct q2_span *span)
{
	char *text;
	int ret;

	if (!span->length)
		return NULL;
	text = xalloc(span->length + 1);
	ret = q2_file_read(&bare->host->file, span->offset, text, span->length);
	if (!ret)
		return text;
	say("%s: cannot be read: %s", bare->host->path, strerror(-ret));
	free(text);
	return NULL;
}
