/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bitmap directory of an image. Bitmaps are not used; but an image whose
 * directory is broken is one that QEMU does not open.
 */
#ifndef Q2_IMAGE_BITMAPS_H
#define Q2_IMAGE_BITMAPS_H

#include "format/bitmap.h"
#include "image/file.h"

/**
 * q2_bitmaps_verify() - read the bitmap directory, if there is one, and verify it
 * @file: the host file
 * @hdr: its decoded header
 * @err: reason
 *
 * Holds all of it in memory meanwhile, and the header allows 64 MiB at most.
 * Blocks. Return: 0, -EINVAL, -ENOMEM, -errno of the read.
 */
int q2_bitmaps_verify(struct q2_file *file, const struct q2_header *hdr, struct q2_err *err);

#endif
