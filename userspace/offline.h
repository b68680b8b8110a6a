/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be done to a file, but not yet to a device. */
#ifndef QCOWCTL_OFFLINE_H
#define QCOWCTL_OFFLINE_H

/**
 * offline_only() - refuse an attached device
 * @word: what the user calls an image
 *
 * Return: 0: it is no device of ours; -1 after having said that it is one.
 */
int offline_only(const char *word);

#endif
