/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes from a buffer into a bio. */
#ifndef Q2_IO_COPY_H
#define Q2_IO_COPY_H

#include <linux/bio.h>
#include <linux/highmem.h>

/* Fill the whole of @bio from @from, which holds as many bytes. Any context. */
static inline void q2_copy_to_bio(struct bio *bio, const void *from)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		memcpy_to_bvec(&bv, from);
		from += bv.bv_len;
	}
}

#endif
