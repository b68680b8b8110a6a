/* SPDX-License-Identifier: GPL-2.0-only */
/* Who uses a block device: other devices on it, mounts, swap, programs. */
#ifndef QCOWCTL_HOLDERS_H
#define QCOWCTL_HOLDERS_H

#include <sys/types.h>

/**
 * holders_text() - who uses a block device
 * @dev: device
 *
 * Return: "mounted on /mnt, used by device vm1p1, open in fio (process 212)", to be
 * freed; "" if nobody was found. At most a handful is named.
 */
char *holders_text(dev_t dev);

#endif
