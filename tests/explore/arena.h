/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a world: one piece, so that it can be put back at once.
 *
 * Memory is handed out one piece after the other and never again in the same schedule;
 * what is freed is poisoned. So a pointer to freed memory never points at something new,
 * and whatever is done with it at a scheduling point, or written to it, is found.
 */
#ifndef Q2_EXPLORE_ARENA_H
#define Q2_EXPLORE_ARENA_H

#include "env.h"

#define ARENA_BYTES (16U << 20)
#define ARENA_GRAIN 16U

enum arena_state {
	ARENA_NONE, /* never handed out, or between two pieces */
	ARENA_USED,
	ARENA_FREED,
};

extern u8 arena[ARENA_BYTES];
extern u8 arena_map[ARENA_BYTES / ARENA_GRAIN]; /* enum arena_state of each grain */

/* NULL: no memory left in the arena. Aligned to ARENA_GRAIN; filled with 0xa5. */
void *arena_alloc(size_t bytes);

/* The same for what belongs to the world and is never freed: no leak. */
void *arena_alloc_hidden(size_t bytes);

/* May @p be freed? Return: NULL or what is wrong with it. */
const char *arena_free_wrong(const void *p);

/* Bytes of a piece that may be freed. */
size_t arena_bytes(const void *p);

/* Free such a piece. */
void arena_free(void *p);

/* Remember all of it, and the static variables of worlds and of the code under test. */
void arena_save(void);
void arena_restore(void);

enum arena_part {
	ARENA_PIECES,
	ARENA_DATA, /* static variables */
	ARENA_BSS,
};

/* Have @bytes at @at of a part changed since they were saved? */
bool arena_changed(enum arena_part part, size_t at, size_t bytes);

/* Empty, for another world. */
void arena_reset(void);

/* Bytes that are saved: of the arena, and with static variables. */
size_t arena_saved_end(void);
size_t arena_saved(void);

/* Has freed memory been written to? Return: NULL or what. */
const char *arena_check(void);

/* Pieces that have not been freed. */
unsigned int arena_live(void);

/* May the object at @p be used? Always true outside of the arena. */
static inline bool arena_good(const volatile void *p)
{
	size_t at = (const volatile u8 *)p - arena;

	return at >= ARENA_BYTES || arena_map[at / ARENA_GRAIN] == ARENA_USED;
}

#endif
