// SPDX-License-Identifier: GPL-2.0-only
/* Points where no other task need go on. */
#include "reduce.h"
#include "arena.h"
#include "task.h"

#define SHARED 255

enum reduce_mode reduce_mode;

static u8 user[REDUCE_SLOTS]; /* of an object: a task of the world, SHARED, or 0: nobody */
static u8 decides[REDUCE_SLOTS];
static size_t known; /* bytes of the arena */

extern u8 __start_explore_data[], __stop_explore_data[];
extern u8 __start_explore_bss[], __stop_explore_bss[];
extern u8 __start_explore_keep[];

void reduce_reset(size_t bytes)
{
	memset(user, 0, sizeof(user));
	memset(decides, 0, sizeof(decides));
	known = min(bytes, (size_t)REDUCE_ARENA);
}

void reduce_freeze(void)
{
	unsigned int i;

	for (i = 0; i < REDUCE_SLOTS; i++)
		decides[i] = user[i] == SHARED;
}

/* Its slot, or REDUCE_SLOTS: it is shared. */
static inline size_t slot_of(const volatile void *addr)
{
	size_t at = (const volatile u8 *)addr - arena;

	if (at < known)
		return at / REDUCE_GRAIN;
	at = (const volatile u8 *)addr - __start_explore_data;
	if (at < (size_t)(__stop_explore_data - __start_explore_data) && at < REDUCE_STATIC)
		return (REDUCE_ARENA + at) / REDUCE_GRAIN;
	at = (const volatile u8 *)addr - __start_explore_bss;
	if (at < (size_t)(__stop_explore_bss - __start_explore_bss) && at < REDUCE_STATIC)
		return (REDUCE_ARENA + REDUCE_STATIC + at) / REDUCE_GRAIN;
	return REDUCE_SLOTS;
}

/* Does it hold another value than after the set-up? */
static inline bool has_changed(size_t slot)
{
	size_t at = slot * REDUCE_GRAIN;

	if (at < REDUCE_ARENA)
		return arena_changed(ARENA_PIECES, at, REDUCE_GRAIN);
	at -= REDUCE_ARENA;
	if (at < REDUCE_STATIC)
		return arena_changed(ARENA_DATA, at, REDUCE_GRAIN);
	return arena_changed(ARENA_BSS, at - REDUCE_STATIC, REDUCE_GRAIN);
}

void reduce_free(const void *p, size_t bytes)
{
	size_t at;

	if (reduce_mode == REDUCE_OFF || now.quiet)
		return;
	/* Made during a schedule: shared anyway. */
	if (slot_of(p) == REDUCE_SLOTS)
		return;
	for (at = 0; at < bytes; at += REDUCE_GRAIN)
		reduce_touch((const u8 *)p + at);
}

bool reduce_touch(const volatile void *addr)
{
	unsigned int id = current_task()->id;
	size_t slot;

	/* A barrier. Memory is sequentially consistent here. */
	if (!addr)
		return reduce_mode != REDUCE_ON;
	slot = slot_of(addr);
	if (slot == REDUCE_SLOTS)
		return true;
	if (user[slot] != id)
		user[slot] = user[slot] ? SHARED : id;
	else if (id != SHARED && has_changed(slot))
		user[slot] = SHARED;
	return reduce_mode != REDUCE_ON || decides[slot];
}

/* Classes lie in a section of their own. */
static size_t class_slot(const void *class)
{
	size_t at = ((const u8 *)class - __start_explore_keep) / sizeof(struct explore_class);

	return REDUCE_SLOTS - 1 - min(at, (size_t)REDUCE_CLASSES - 1);
}

void reduce_tried(const void *class)
{
	user[class_slot(class)] = SHARED;
}

bool reduce_is_tried(const void *class)
{
	return reduce_mode != REDUCE_ON || decides[class_slot(class)];
}

void reduce_export(u8 *to)
{
	memcpy(to, user, sizeof(user));
}

bool reduce_import(const u8 *from)
{
	bool more = false;
	unsigned int i;

	for (i = 0; i < REDUCE_SLOTS; i++) {
		if (!from[i])
			continue;
		if (!user[i])
			user[i] = from[i];
		else if (user[i] != from[i])
			user[i] = SHARED;
		more |= user[i] == SHARED && !decides[i];
	}
	return more;
}
