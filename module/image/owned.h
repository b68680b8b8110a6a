/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of host offsets: clusters that hold L2 tables and refcount blocks.
 *
 * With the fixed structures of format/overlap.h it answers, for each cluster
 * that is about to be handed out: is this metadata? A damaged refcount must not
 * lead to a write over a table (QEMU, qcow2_check_metadata_overlap).
 */
#ifndef Q2_IMAGE_OWNED_H
#define Q2_IMAGE_OWNED_H

#include "env.h"

/**
 * struct q2_owned - the set
 * @lock: for who asks; who changes the set is alone in that
 * @slots: open addressing, 0 is free
 * @bits: log2 of the slots
 * @nr: offsets in the set, removed ones included
 *
 * Zeroed memory is an empty set once q2_owned_init() has been called. Adding and
 * removing is serialized by the caller; q2_owned_has() needs no lock.
 */
struct q2_owned {
	spinlock_t lock;
	u64 *slots;
	unsigned int bits;
	u64 nr;
};

void q2_owned_init(struct q2_owned *set);

/* Add a nonzero offset. Return: 0 or -ENOMEM. */
int q2_owned_add(struct q2_owned *set, u64 offset);

/* Remove it, if it is there. */
void q2_owned_del(struct q2_owned *set, u64 offset);

bool q2_owned_has(struct q2_owned *set, u64 offset);

/* Each becomes what the other was; only @a may be asked meanwhile. */
void q2_owned_swap(struct q2_owned *a, struct q2_owned *b);

/* Free the memory. */
void q2_owned_destroy(struct q2_owned *set);

#endif
