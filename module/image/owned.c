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
	kvfree(set->slots);
	*set = bigger;
	return 0;
}

int q2_owned_add(struct q2_owned *set, u64 offset)
{
	int ret;

	if (lookup(set, offset))
		return 0;
	ret = make_room(set);
	if (!ret)
		insert(set, offset);
	return ret;
}

void q2_owned_del(struct q2_owned *set, u64 offset)
{
	u64 *slot = lookup(set, offset);

	if (slot)
		*slot = GONE;
}

bool q2_owned_has(const struct q2_owned *set, u64 offset)
{
	return lookup(set, offset);
}

void q2_owned_destroy(struct q2_owned *set)
{
	kvfree(set->slots);
	memset(set, 0, sizeof(*set));
}
