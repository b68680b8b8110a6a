/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each sector of the guest's disk may hold: its versions, and since when.
 *
 * The bytes of a sector tell its number and a version (stamp.h), so a sector of
 * another place or of an older owner is seen at once. Version 0 is zeroes.
 */
#ifndef Q2_SIM_MODEL_H
#define Q2_SIM_MODEL_H

#include "sim.h"

struct value {
	u32 version;
	u64 end; /* when the operation that made it ended; U64_MAX: not yet */
};

struct sector {
	struct value *values;
	u32 nr, room;
};

/**
 * struct model - one disk
 * @sectors: their values
 * @nr: sectors
 * @clock: ticks when an operation ends
 * @floor: operations that ended no later are durable
 * @last: the last version given out
 */
struct model {
	struct sector *sectors;
	u64 nr;
	u64 clock;
	u64 floor;
	u32 last;
	bool keep; /* forget nothing: threads are at work, and states are looked at later */
	u64 hold;  /* what was there since then is not forgotten: a slow read may find it */
};

struct model *model_create(const u32 *content, u64 nr);
void model_free(struct model *model);
/* The same values, all durable. */
struct model *model_from(const u32 *content, u64 nr, u32 last);

u32 model_version(struct model *model);
/* An operation on the sectors begins, one of them ends. */
void model_begin(struct model *model, u64 sector, u64 n, u32 version);
void model_end(struct model *model, u64 sector, u64 n, u32 version);
/* The operation may be forgotten: it took no effect at all. */
void model_cancel(struct model *model, u64 sector, u64 n, u32 version);
/* The sector is known to hold this now. */
void model_settle(struct model *model, u64 sector, u32 version);
/* All that had ended by @floor is durable. */
void model_flushed(struct model *model, u64 floor);

/* The one value it holds, or V_BROKEN while an operation on it runs. */
u32 model_now(const struct model *model, u64 sector);
/* May a read show this now? */
bool model_may_read(const struct model *model, u64 sector, u32 version);
/* May a disk show this after a power cut, when all up to @floor is durable? */
bool model_may_survive(const struct model *model, u64 sector, u32 version, u64 floor);
/* All values, in words. */
const char *model_describe(const struct model *model, u64 sector);

#endif
