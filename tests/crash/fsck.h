/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A check of an image in memory: what `qemu-img check` says, in microseconds.
 * Each so many states qemu-img is asked too, and the answers must agree.
 */
#ifndef Q2_SIM_FSCK_H
#define Q2_SIM_FSCK_H

#include "sim.h"

#define FSCK_SNAPSHOTS 8

struct fsck {
	unsigned long corruptions;
	unsigned long leaks; /* clusters */
	char first[160];     /* the first corruption */
	u64 snapshots;	     /* hash over all that the internal snapshots show */
	u64 size;	     /* of the disk */
	char backing[1024];  /* as named in the header */
	char format[16];
	unsigned int nr; /* snapshots */
	struct fsck_snapshot {
		char id[16];
		char name[32];
		u64 hash; /* over what it shows */
		u64 size;
	} snap[FSCK_SNAPSHOTS]; /* the first ones */
};

void fsck_run(const u8 *data, u64 size, struct fsck *fsck);

/* What @fsck would say of a snapshot that is what the disk is now. */
u64 fsck_active(const u8 *data, u64 size);

#endif
