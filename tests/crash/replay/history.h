/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What workload has done, and what a disk may show of it after a power cut.
 *
 * Operations that overlap in time and place may have come in any order. So a value
 * is gone when one that is durable began after it had ended, and not before.
 */
#ifndef Q2_REPLAY_HISTORY_H
#define Q2_REPLAY_HISTORY_H

#include "record.h"
#include "sim.h"

struct history {
	struct record *records;
	u64 nr;
	const u32 *content; /* versions before, the caller's */
	u64 sectors;
	u32 **of;  /* sector: 1 + number of each record on it, up to 0 */
	u64 floor; /* what ended no later is durable */
	u32 last;  /* the last version given out */
};

void history_open(struct history *h, const char *path, const u32 *content, u64 sectors);
void history_close(struct history *h);
/* Nothing is durable. */
void history_rewind(struct history *h);
/* Record @i has ended. */
void history_mark(struct history *h, u64 i);
/* May a sector show the version now? */
bool history_allows(const struct history *h, u64 sector, u32 version);
/* All that is known of a sector, in words. */
const char *history_describe(const struct history *h, u64 sector);

#endif
