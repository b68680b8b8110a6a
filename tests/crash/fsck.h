/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A check of an image in memory: what `qemu-img check` says, in microseconds.
 * Each so many states qemu-img is asked too, and the answers must agree.
 */
#ifndef Q2_SIM_FSCK_H
#define Q2_SIM_FSCK_H

#include "sim.h"

struct fsck {
	unsigned long corruptions;
	unsigned long leaks; /* clusters */
	char first[160];     /* the first corruption */
	u64 snapshots;	     /* hash over all that the internal snapshots show */
};

void fsck_run(const u8 *data, u64 size, struct fsck *fsck);

#endif
