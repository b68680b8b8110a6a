// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a bio that is served in a worker: to a host file, or to memory. */
#include <linux/uio.h>

#include "env.h"
#include "io/host.h"
#include "io/inflate.h"
#include "io/request.h"
#include "serve/io.h"

/* Parts of a write among zeroes: a cluster of 64 KiB, and a few of what is written. */
#define FEW_VECS 20U

/* An iterator over bytes of the bio. */
static void iter_of(struct q2_op *op, u64 skip, u64 len, struct iov_iter *iter)
{
	struct q2_request *req = container_of(op, struct q2_request, op);

	req->done = skip;
	q2_request_iter(req, iter);
	iov_iter_truncate(iter, len);
}

int q2_io_write(struct q2_op *op, u64 skip, u64 len, struct q2_shared *to, u64 host)
{
	struct iov_iter iter;

	iter_of(op, skip, len, &iter);
	return q2_host_write_bytes(to->host, host, &iter);
}

/* Zeroes in @vecs, from number @nr on. Return: the number after them, FEW_VECS + 1 at most. */
static unsigned int add_zeroes(struct bio_vec *vecs, unsigned int nr, u32 len)
{
	u32 part;

	for (; len && nr < FEW_VECS; len -= part) {
		part = min_t(u32, len, PAGE_SIZE);
		vecs[nr++] = (struct bio_vec){.bv_page = ZERO_PAGE(0), .bv_len = part};
	}
	return len ? FEW_VECS + 1 : nr;
}

/* The same with the next @len bytes of @from. */
static unsigned int add_bytes(struct bio_vec *vecs, unsigned int nr, const struct iov_iter *from,
			      u32 len)
{
	const struct bio_vec *bv = from->bvec;
	u32 skip = from->iov_offset, part;

	for (; len && nr < FEW_VECS; len -= part, skip = 0, bv++) {
		part = min(bv->bv_len - skip, len);
		vecs[nr++] = (struct bio_vec){
			.bv_page = bv->bv_page,
			.bv_len = part,
			.bv_offset = bv->bv_offset + skip,
		};
	}
	return len ? FEW_VECS + 1 : nr;
}

/* In one go: there is one page of zeroes, which is written again and again. */
int q2_io_write_among(struct q2_op *op, u64 skip, u32 len, struct q2_shared *to, u64 host, u32 head,
		      u32 tail)
{
	struct bio_vec vecs[FEW_VECS];
	struct iov_iter bytes, all;
	unsigned int nr;

	iter_of(op, skip, len, &bytes);
	nr = add_zeroes(vecs, 0, head);
	nr = add_bytes(vecs, nr, &bytes, len);
	nr = add_zeroes(vecs, nr, tail);
	if (nr > FEW_VECS)
		return -E2BIG;
	iov_iter_bvec(&all, ITER_SOURCE, vecs, nr, head + len + tail);
	return q2_host_write_bytes(to->host, host, &all);
}

int q2_io_copy(struct q2_op *op, u64 skip, void *buf, u32 len)
{
	struct iov_iter iter;

	iter_of(op, skip, len, &iter);
	return copy_from_iter(buf, len, &iter) == len ? 0 : -EIO;
}

int q2_io_expand(struct q2_shared *s, const struct q2_extent *ext, u32 skip, void *buf, u32 len)
{
	struct kvec vec = {.iov_base = buf, .iov_len = len};
	struct iov_iter iter;

	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, len);
	return q2_inflate_read(s, ext->host, ext->compressed_size, skip, &iter);
}
