/* SPDX-License-Identifier: GPL-2.0-only */
/* Verdicts on images: after a power cut, and after a close. */
#ifndef Q2_SIM_JUDGE_H
#define Q2_SIM_JUDGE_H

#include "fsck.h"
#include "guest.h"

/* Of the states that follow, one in so many is shown to qemu-img; 0: none. */
void judge_ask_every(unsigned long n);

/* The bytes, kept for whoever looks into a failure. Return: where. */
const char *judge_keep(const u8 *data, u64 size);
/*
 * The parts of a verdict. An image of these bytes is sound, and so are its snapshots. Return: what
 * its sectors show.
 */
u32 *judge_read(const struct image_set *set, const struct disk_state *state, struct fsck *fsck);
/* qemu-img check says the same; and qemu-img convert, if there are @versions. */
void judge_qemu(const u8 *data, u64 size, const u32 *versions, const struct fsck *fsck);
/* It opens for writing, takes some operations, and closes sound. @last: version given out. */
void judge_go_on(const struct image_set *set, const struct disk_state *state, const u32 *versions,
		 u32 last, struct rng *rng);

/* Bytes a power cut may leave: whole, nothing flushed lost, nothing else seen, goes on. */
void judge_state(const struct image_set *set, const struct disk_state *state,
		 const struct model *model, u64 floor, struct rng *rng);
/* Cut the power of the guest's disk now, @n times, and judge. */
void judge_cuts(struct guest *g, unsigned int n);
/* An image after its close: clean, and the model's content; @leaks: may there be some? */
void judge_closed(const struct image_set *set, struct disk *disk, const struct model *model,
		  bool qemu, bool leaks);

#endif
