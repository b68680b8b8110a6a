/* SPDX-License-Identifier: GPL-2.0-only */
/* What a file lies on: which block devices hold it, whatever is stacked between. */
#ifndef QCOWCTL_BENEATH_H
#define QCOWCTL_BENEATH_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * beneath() - does a file lie on a block device?
 * @path: file, directory or block device
 * @dev: block device
 *
 * Follows file systems to their devices, and partitions, device-mapper, md and loop
 * devices to what they are made of. A file system on many devices is known by the one
 * it was mounted from.
 */
bool beneath(const char *path, dev_t dev);

#endif
