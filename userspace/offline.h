/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a word names an attached device or an image, and what can be done to one of them only. */
#ifndef QCOWCTL_OFFLINE_H
#define QCOWCTL_OFFLINE_H

#include <stdbool.h>

/**
 * is_attached() - does the word name a device of ours?
 * @word: a file, a device node, or, if there is no such file, the name of a device
 */
bool is_attached(const char *word);

/**
 * offline_only() - refuse an attached device
 * @word: what the user calls an image
 *
 * Return: 0: it is no device of ours; -1 after having said that it is one.
 */
int offline_only(const char *word);

/**
 * is_device_meant() - does the word rather name a device than an image?
 * @word: a file, a device node, or the name of a device
 *
 * The name of a device of ours stands for it even if there is a file of that name (which
 * ./ before it makes plain), and a name of nothing stands for a device that is missing.
 */
bool is_device_meant(const char *word);

#endif
