/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A new image put where it belongs, so that a crash leaves what was there before
 * or the new image, and never half of it.
 */
#ifndef QCOWCTL_STORE_H
#define QCOWCTL_STORE_H

#include "new-image.h"

/**
 * store_image() - store the bytes of a new image
 * @path: file or block device. A file is written beside it under another name,
 *        made durable and renamed; one that is there is replaced, keeping its
 *        owner and mode, unless a program uses it as an image. On a block device
 *        the header goes away first and comes back last.
 * @plan: the image
 *
 * Return: 0, or -1 after having said why not.
 */
int store_image(const char *path, const struct image_plan *plan);

#endif
