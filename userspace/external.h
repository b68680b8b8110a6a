/* SPDX-License-Identifier: GPL-2.0-only */
/* External snapshots: new overlays on top of attached devices, all at one instant. */
#ifndef QCOWCTL_EXTERNAL_H
#define QCOWCTL_EXTERNAL_H

#include "options.h"

/**
 * external_take() - take them
 * @args: words: NAME FILE [NAME FILE]...; -o as of create
 * @seconds: how long freezing and suspending may take
 *
 * All or none: what was done is undone if a step fails before the first device goes on.
 *
 * Return: the exit status.
 */
int external_take(const struct args *args, unsigned int seconds);

#endif
