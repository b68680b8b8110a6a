// SPDX-License-Identifier: GPL-2.0-only
/* The bitmap directory of an image, looked at and forgotten. */
#include "env.h"
#include "image/bitmaps.h"

int q2_bitmaps_verify(struct q2_file *file, const struct q2_header *hdr, struct q2_err *err)
{
	size_t len = hdr->bitmap_directory_size, offset = 0, next = 0;
	struct q2_bitmap bm;
	unsigned int i;
	void *dir;
	int ret;

	if (!hdr->nb_bitmaps)
		return 0;
	dir = kvmalloc(len, GFP_KERNEL);
	if (!dir)
		return -ENOMEM;
	ret = q2_file_read(file, hdr->bitmap_directory_offset, dir, len);
	if (ret)
		q2_err_set(err, -ret, "the bitmap directory at %llu cannot be read",
			   hdr->bitmap_directory_offset);
	for (i = 0; i < hdr->nb_bitmaps && !ret; i++) {
		ret = q2_bitmap_decode(hdr, dir, len, offset, &bm, &next, err);
		offset = next;
		cond_resched();
	}
	kvfree(dir);
	return ret;
}
