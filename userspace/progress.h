/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a long thing has come, on a terminal and nowhere else, and only if it
 * takes longer than a moment.
 */
#ifndef QCOWCTL_PROGRESS_H
#define QCOWCTL_PROGRESS_H

#include <stdint.h>

/* Something begins; @what is a word that stands before the percentage. */
void progress_start(const char *what);

/* It has come to @done of @total. Cheap enough to call often. */
void progress_update(uint64_t done, uint64_t total);

/* Take the line off the terminal, before something else is printed or at the end. */
void progress_hide(void);

#endif
