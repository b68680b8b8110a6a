/* SPDX-License-Identifier: GPL-2.0-only */
/* Power cuts: who decides what is left. */
#ifndef Q2_EXPLORE_CUT_H
#define Q2_EXPLORE_CUT_H

/* During the set-up: when the power is cut, call @cut; it may make choices. */
void cut_hook(void (*cut)(void *arg), void *arg);

/* Forget all of these. */
void cut_reset(void);

#endif
