/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The size of a writable image's disk.
 */
#ifndef Q2_IMAGE_RESIZE_H
#define Q2_IMAGE_RESIZE_H

#include "image/write.h"

/**
 * q2_image_resize() - make the disk larger, or smaller
 * @img: writable image
 * @size: of the disk to come, a multiple of 512
 * @backing_size: bytes that the backing file shows; 0 if there is none
 * @err: reason of a refusal
 *
 * New bytes read zeroes, also over a longer backing file. What is beyond the end of
 * a smaller disk is freed. Internal snapshots keep their sizes and content; version
 * 2 does not store their sizes, so there images with snapshots are refused, as by
 * QEMU.
 *
 * The tables change in one turn (turn.h). Over a longer backing file the new range
 * is then marked as zeroes, and the size follows in the header: a power cut in
 * between leaves the old size.
 *
 * The caller sees to it that nobody uses the image meanwhile. Blocks.
 *
 * Return: 0; -EAGAIN (growing) the disk's last sector is not where its cluster could
 * be filled up with zeroes: write it again, with q2_write_begin() and what it reads,
 * and call once more; -EINVAL no possible size; -EFBIG too large for the clusters;
 * -EOPNOTSUPP version 2 cannot; or as q2_image_snapshot_create().
 */
int q2_image_resize(struct q2_image *img, u64 size, u64 backing_size, struct q2_err *err);

#endif
