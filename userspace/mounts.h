/* SPDX-License-Identifier: GPL-2.0-only */
/* Where file systems are mounted, in all mount namespaces. */
#ifndef QCOWCTL_MOUNTS_H
#define QCOWCTL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * struct mount_line - one mount
 * @id: its number, like which there is no other in any namespace
 * @dev: number of the file system: that of its device, or one of its own (btrfs)
 * @root: what @point has to follow to be found from here, "" in our own namespace
 * @point: where
 * @type: type of the file system
 * @source: what it was mounted from
 */
struct mount_line {
	int id;
	dev_t dev;
	const char *root;
	char *point;
	char *type;
	char *source;
};

/**
 * mounts_each() - look at every mount, those of our own namespace first
 * @look: called for each. Return: true to end it
 * @arg: its argument
 *
 * Namespaces that no process is in, but a file keeps, are not found.
 */
void mounts_each(bool (*look)(const struct mount_line *line, void *arg), void *arg);

/**
 * struct mounted - a file system that lies on some devices
 * @dev: as in &struct mount_line
 * @point: where it is mounted
 * @fd: open there
 * @on: which of the devices it was mounted from, or is spread over: it is right on these
 * @of: one of the devices that it lies on, perhaps with others in between
 */
struct mounted {
	dev_t dev;
	char *point;
	int fd;
	bool *on;
	size_t of;
};

/**
 * mounts_find() - the mounted file systems that lie on some devices
 * @dev: the devices
 * @nr: how many
 * @list: result, to be given to mounts_free(); each file system once
 *
 * Those on partitions of a device, and on devices that are made of it, are found, too.
 * One that is mounted where nobody can get at it (under another mount) is not.
 *
 * Return: how many were found.
 */
size_t mounts_find(const dev_t *dev, size_t nr, struct mounted **list);
void mounts_free(struct mounted *list, size_t nr);

/* Are both devices members of one btrfs? */
bool mounts_same_btrfs(dev_t a, dev_t b);

#endif
