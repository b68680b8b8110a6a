// SPDX-License-Identifier: GPL-2.0-only
/* A set of host offsets: open addressing, linear probing, tombstones. */
#include "env.h"
#include "image/owned.h"

#define GONE 1ULL /* was here; no offset is 1 */
#define MIN_BITS 8

static u64 *lookup(const struct q2_owned *set, u64 offset)
{
	u64 mask = (1ULL << set->bits) - 1;
	u64 i;

	if (!set->slots)
		return NULL;
	for (i = hash_64(offset, set->bits); set->slots[i]; i = (i + 1) & mask) {
		if (set->slots[i] == offset)
			return &set->slots[i];
	}
	return NULL;
}

static void insert(struct q2_owned *set, u64 offset)
{
	u64 mask = (1ULL << set->bits) - 1;
	u64 i = hash_64(offset, set->bits);

	while (set->slots[i])
		i = (i + 1) & mask;
	set->slots[i] = offset;
	set->nr++;
}

/* Room for one more at half load; while there is no memory, up to seven eighths. */
static int make_room(struct q2_owned *set)
{
	struct q2_owned bigger = {};
	u64 *old;
	u64 i;

	if (set->slots && 2 * (set->nr + 1) <= 1ULL << set->bits)
		return 0;
	bigger.bits = set->slots ? set->bits + 1 : MIN_BITS;
	bigger.slots = kvcalloc(1ULL << bigger.bits, sizeof(*bigger.slots), Q2_GFP_TRY);
	if (!bigger.slots)
		return set->slots && 8 * (set->nr + 1) <= 7ULL << set->bits ? 0 : -ENOMEM;
	for (i = 0; set->slots && i < 1ULL << set->bits; i++) {
		if (set->slots[i] > GONE)
			insert(&bigger, set->slots[i]);
	}
	old = set->slots;
	spin_lock(&set->lock);
	set->slots = bigger.slots;
	set->bits = bigger.bits;
	set->nr = bigger.nr;
	spin_unlock(&set->lock);
	kvfree(old);
	return 0;
}

void q2_owned_init(struct q2_owned *set)
{
	spin_lock_init(&set->lock);
}

int q2_owned_add(struct q2_owned *set, u64 offset)
{
	int ret;

	if (lookup(set, offset))
		return 0;
	ret = make_room(set);
	if (ret)
		return ret;
	spin_lock(&set->lock);
	insert(set, offset);
	spin_unlock(&set->lock);
	return 0;
}

void q2_owned_del(struct q2_owned *set, u64 offset)
{
	u64 *slot = lookup(set, offset);

	if (!slot)
		return;
	spin_lock(&set->lock);
	*slot = GONE;
	spin_unlock(&set->lock);
}

bool q2_owned_has(struct q2_owned *set, u64 offset)
{
	bool has;

	spin_lock(&set->lock);
	has = lookup(set, offset);
	spin_unlock(&set->lock);
	return has;
}

void q2_owned_swap(struct q2_owned *a, struct q2_owned *b)
{
	u64 *slots = b->slots, nr = b->nr;
	unsigned int bits = b->bits;

	b->slots = a->slots;
	b->bits = a->bits;
	b->nr = a->nr;
	spin_lock(&a->lock);
	a->slots = slots;
	a->bits = bits;
	a->nr = nr;
	spin_unlock(&a->lock);
}

void q2_owned_destroy(struct q2_owned *set)
{
	kvfree(set->slots);
	set->slots = NULL;
	set->bits = 0;
	set->nr = 0;
}
