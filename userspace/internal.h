/* SPDX-License-Identifier: GPL-2.0-only */
/* Internal snapshots, of an attached device or of an image. */
#ifndef QCOWCTL_INTERNAL_H
#define QCOWCTL_INTERNAL_H

#include "options.h"

/**
 * internal_run() - create, apply, delete or list
 * @args: words: what, NAME-or-IMAGE, TAG but for list; -J and -U for list
 * @seconds: how long freezing and suspending a device may take
 *
 * Return: the exit status.
 */
int internal_run(const struct args *args, unsigned int seconds);

#endif
