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
 * attached_only() - refuse an image that is not attached
 * @word: what the user calls a device
 *
 * Return: 0: it may be a device; -1 after having said that it is none.
 */
int attached_only(const char *word);

#endif
