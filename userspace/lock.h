/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The OFD byte locks by which QEMU's programs, the kernel module and we tell
 * each other who uses an image, and how (reference: QEMU's block/file-posix.c).
 */
#ifndef QCOWCTL_LOCK_H
#define QCOWCTL_LOCK_H

#include "hostfile.h"

/**
 * lock_for_reading() - hold an image as qemu-img does that reads it
 * @host: file, open for reading
 *
 * Shared with other readers; a program that writes the image is a conflict. The
 * lock goes when the file is closed. On a file system without such locks
 * nothing is locked, as in QEMU.
 *
 * Return: 0, or -1 after having said who is in the way.
 */
int lock_for_reading(struct host_file *host);

/**
 * lock_for_writing() - hold an image as qemu-img does that writes it
 * @host: file, open for writing
 *
 * Any other program that uses it, even for reading, is a conflict. Otherwise as
 * lock_for_reading().
 */
int lock_for_writing(struct host_file *host);

/**
 * lock_for_replacing() - make sure that nobody uses an image, not even for reading
 * @fd: file, open for writing
 * @path: its name, for the sentence
 *
 * The lock goes when @fd is closed. Return: 0, or -1 after having said who is in
 * the way.
 */
int lock_for_replacing(int fd, const char *path);

/* The same in silence. Return: 0; -EAGAIN: somebody uses it; -errno. */
int lock_try_replacing(int fd);

#endif
