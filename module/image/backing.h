/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which backing file an image names.
 */
#ifndef Q2_IMAGE_BACKING_H
#define Q2_IMAGE_BACKING_H

#include "image/write.h"

/*
 * The image is going to name a backing file: from now on zeroes are stored as such
 * also where nothing would read zeroes today.
 */
void q2_image_await_backing(struct q2_image *img);

/**
 * q2_image_set_backing() - name another backing file, or none
 * @img: writable image
 * @name: as it is to be stored, not empty; NULL: none
 * @format: of the backing file, for example "raw"; NULL only if @name is
 * @err: reason of a refusal
 *
 * The header alone changes: what the disk shows is the caller's care. All that the
 * image holds by now is durable before. Name and format come into force with the
 * header's own sector: they are written beside the old ones first, where there is
 * room, so that a power cut leaves the old name or the new one. (An image whose
 * format extension lies in another sector than the header may be left with the old
 * name and the new format; QEMU makes none like that.)
 *
 * Nobody uses the image meanwhile. Blocks.
 *
 * Return: 0; -ENOSPC name and format do not fit into the first cluster; -EINVAL a
 * name or format that is too long; -EROFS; -ENOMEM; -errno.
 */
int q2_image_set_backing(struct q2_image *img, const char *name, const char *format,
			 struct q2_err *err);

#endif
