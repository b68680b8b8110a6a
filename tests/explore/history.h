/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What guests did to the sectors of a disk, and whether what they saw can be so.
 *
 * Each sector is a register. A write of it has a value of its own, and takes effect at
 * one moment between its begin and its end; a read shows the value of such a moment. So
 * of two writes, one after the other, a read that comes after both must not show the
 * first; nor may a read show what an earlier one has shown to be over. A write that
 * fails takes effect some time, or never. After a power cut, each sector shows what it
 * had at some moment since the last flush began that has succeeded. A write that is durable by
 * itself has it show what that wrote, or what was written at the same time or later.
 */
#ifndef Q2_EXPLORE_HISTORY_H
#define Q2_EXPLORE_HISTORY_H

#include "explore.h"

#define HISTORY_OPS 64
#define HISTORY_SECTOR 512U

enum history_kind {
	HISTORY_WRITE,
	HISTORY_READ,
	HISTORY_FLUSH,
};

struct history_op {
	enum history_kind kind;
	unsigned int sector;
	unsigned int value;
	u64 begin;
	u64 end;      /* U64_MAX: it goes on */
	bool durable; /* a write that is, from its end on */
};

/* @clock: each begin and each end has a time of its own, for one thing happens after the other. */
struct history {
	u64 clock;
	unsigned int nr;
	struct history_op op[HISTORY_OPS];
};

/* An operation begins. @value: what is written. Return: its number. */
unsigned int history_begin(struct history *h, enum history_kind kind, unsigned int sector,
			   unsigned int value);

/* A write or a flush has succeeded. */
void history_end(struct history *h, unsigned int nr);

/* A write has, and is durable by itself. */
void history_end_durable(struct history *h, unsigned int nr);

/* A read has, and shows @value; fails if that cannot be. */
void history_end_read(struct history *h, unsigned int nr, unsigned int value);

/* Is @value what the sector may show now? Fails if not. @after_cut: and if power was cut? */
void history_check(struct history *h, unsigned int sector, unsigned int value, bool after_cut);

/* A sector full of a value, and back; fails if it holds more than one. */
void sector_fill(void *buf, unsigned int value);
unsigned int sector_value(const void *buf);

#endif
