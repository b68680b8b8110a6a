/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal snapshots of a writable image: create, apply, delete.
 *
 * Each is one turn (turn.h): until its header is on the disk the image is as it
 * was, and a failure or power cut leaves it so. To be listed they are read with
 * q2_snapshots_load().
 *
 * The caller sees to it that nobody uses the image meanwhile: no lookup, no write
 * in place, nothing between q2_write_begin() and q2_write_end(). All calls block,
 * for as long as reading the tables takes and writing those that change; guest
 * data are neither read nor written. Host clusters that are freed are given back to
 * the host before the call returns.
 */
#ifndef Q2_IMAGE_SNAPSHOTTING_H
#define Q2_IMAGE_SNAPSHOTTING_H

#include "image/snapshots.h"
#include "image/write.h"

/* Longest name, in bytes: what QEMU's tools keep of one. */
#define Q2_MAX_SNAPSHOT_NAME 255U

/**
 * q2_image_snapshot_create() - keep what the disk holds now
 * @img: writable image
 * @name: of the snapshot, 1..Q2_MAX_SNAPSHOT_NAME bytes
 * @sec: the time, seconds since 1970
 * @nsec: and nanoseconds
 * @err: reason of a refusal
 *
 * The id is the next number, as QEMU counts. There is no VM state in it.
 *
 * The snapshot takes over the active tables as they lie on the disk, and the image
 * gets copies without COPIED: the pause is the time for that, some 10 MB to read
 * and to write for each 100 GB of data in clusters of 64 KiB. Raising
 * refcounts before the pause would save a part of it, but what is written
 * meanwhile moves to other clusters, and the counts would have to follow.
 *
 * Return: 0; -EEXIST the name is taken; -EINVAL no name; -EFBIG too many
 * snapshots; -ERANGE a refcount is too narrow; -EUCLEAN the tables are broken;
 * -ENOSPC; -EROFS; -ENOMEM; -errno.
 */
int q2_image_snapshot_create(struct q2_image *img, const char *name, u32 sec, u32 nsec,
			     struct q2_err *err);

/**
 * q2_image_snapshot_apply() - make the disk what it was
 * @img: writable image
 * @tag: id of a snapshot, or name
 * @err: reason of a refusal
 *
 * The snapshot stays. Its size becomes the disk's; what the disk held is gone. VM
 * state stays with the snapshot.
 *
 * Return: 0; -ENOENT there is no such snapshot; or as q2_image_snapshot_create().
 */
int q2_image_snapshot_apply(struct q2_image *img, const char *tag, struct q2_err *err);

/**
 * q2_image_snapshot_delete() - forget a snapshot
 * @img: writable image
 * @tag: id of a snapshot, or name
 * @err: reason of a refusal
 *
 * Return: as q2_image_snapshot_apply().
 */
int q2_image_snapshot_delete(struct q2_image *img, const char *tag, struct q2_err *err);

#endif
