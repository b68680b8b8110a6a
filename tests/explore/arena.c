// SPDX-License-Identifier: GPL-2.0-only
/* The memory of a world. */
#include "arena.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, bytes) ((void)(p))
#define ASAN_UNPOISON_MEMORY_REGION(p, bytes) ((void)(p))
#endif

#define POISON 0x6b
#define FRESH 0xa5
#define MAGIC 0x51a7e11aU
/* Freed pieces that are looked at when a schedule ends; beyond, the rest is not. */
#define MOST_FREED 1024

struct piece {
	u32 magic;
	u32 bytes;
	u32 freed;
	u32 unused;
};

static_assert(sizeof(struct piece) == ARENA_GRAIN);

struct arena_head {
	size_t end; /* of what has been handed out */
	unsigned int live;
	unsigned int nr_freed;
	u32 freed[MOST_FREED];
};

u8 arena[ARENA_BYTES] __attribute__((aligned(4096)));
u8 arena_map[ARENA_BYTES / ARENA_GRAIN];
static struct arena_head head, saved_head;
static u8 *saved, *saved_map;

/* Static variables that belong to a schedule; build.mk gathers them. */
extern u8 __start_explore_data[], __stop_explore_data[];
extern u8 __start_explore_bss[], __stop_explore_bss[];
static u8 *saved_data, *saved_bss, *first_data;

/*
 * How much of a piece is filled with FRESH and POISON: what is larger is a buffer for data, in
 * which the start will do.
 */
static size_t poisoned(size_t bytes)
{
	return min(bytes, (size_t)4096);
}

void *arena_alloc(size_t bytes)
{
	/* Two pieces never touch, so that ASan sees the end of each. */
	size_t room = round_up(bytes + 1, (size_t)ARENA_GRAIN);
	struct piece *piece = (struct piece *)(arena + head.end);
	u8 *p = (u8 *)(piece + 1);

	if (bytes > ARENA_BYTES || head.end + sizeof(*piece) + room > ARENA_BYTES)
		return NULL;
	ASAN_UNPOISON_MEMORY_REGION(piece, sizeof(*piece) + room);
	*piece = (struct piece){.magic = MAGIC, .bytes = bytes};
	memset(p, FRESH, poisoned(room));
	memset(&arena_map[(p - arena) / ARENA_GRAIN], ARENA_USED, room / ARENA_GRAIN);
	head.end += sizeof(*piece) + room;
	head.live++;
	ASAN_POISON_MEMORY_REGION(p + bytes, room - bytes);
	return p;
}

void *arena_alloc_hidden(size_t bytes)
{
	void *p = arena_alloc(bytes);

	head.live -= !!p;
	return p;
}

static const struct piece *piece_of(const u8 *p)
{
	size_t at = p - arena;

	if (at < sizeof(struct piece) || at >= head.end || at % ARENA_GRAIN)
		return NULL;
	return (const struct piece *)p - 1;
}

const char *arena_free_wrong(const void *p)
{
	const struct piece *piece = piece_of(p);

	if (!piece || piece->magic != MAGIC)
		return "which is no memory of the arena";
	return piece->freed ? "which has been freed before" : NULL;
}

size_t arena_bytes(const void *p)
{
	return piece_of(p)->bytes;
}

void arena_free(void *p)
{
	struct piece *piece = (struct piece *)p - 1;
	size_t room = round_up(piece->bytes + 1, ARENA_GRAIN);

	ASAN_UNPOISON_MEMORY_REGION(p, room);
	piece->freed = 1;
	head.live--;
	memset(p, POISON, poisoned(room));
	memset(&arena_map[((u8 *)p - arena) / ARENA_GRAIN], ARENA_FREED, room / ARENA_GRAIN);
	if (head.nr_freed < MOST_FREED)
		head.freed[head.nr_freed++] = (u8 *)p - arena;
	ASAN_POISON_MEMORY_REGION(p, room);
}

const char *arena_check(void)
{
	unsigned int i;

	for (i = 0; i < head.nr_freed; i++) {
		const u8 *p = arena + head.freed[i];
		u32 bytes = poisoned(piece_of(p)->bytes);

		ASAN_UNPOISON_MEMORY_REGION(p, bytes);
		/* All bytes are the first one, and that is the poison. */
		if (bytes && (*p != POISON || memcmp(p, p + 1, bytes - 1)))
			return "memory was written to after it had been freed";
	}
	return NULL;
}

unsigned int arena_live(void)
{
	return head.live;
}

size_t arena_saved_end(void)
{
	return saved_head.end;
}

size_t arena_saved(void)
{
	return saved_head.end + (__stop_explore_data - __start_explore_data) +
	       (__stop_explore_bss - __start_explore_bss);
}

static void *copy(void *old, const void *from, size_t bytes)
{
	u8 *p = realloc(old, max(bytes, (size_t)1));

	if (!p)
		abort();
	memcpy(p, from, bytes);
	return p;
}

void arena_save(void)
{
	ASAN_UNPOISON_MEMORY_REGION(arena, head.end);
	saved = copy(saved, arena, head.end);
	saved_map = copy(saved_map, arena_map, head.end / ARENA_GRAIN);
	saved_data =
		copy(saved_data, __start_explore_data, __stop_explore_data - __start_explore_data);
	saved_bss = copy(saved_bss, __start_explore_bss, __stop_explore_bss - __start_explore_bss);
	saved_head = head;
}

/* What was freed during the set-up. The ends of its pieces are not seen any more. */
static void poison_freed(void)
{
	unsigned int i;

	for (i = 0; i < head.nr_freed; i++)
		ASAN_POISON_MEMORY_REGION(arena + head.freed[i],
					  piece_of(arena + head.freed[i])->bytes);
}

void arena_restore(void)
{
	size_t end = saved_head.end;

	ASAN_UNPOISON_MEMORY_REGION(arena, head.end);
	memcpy(arena, saved, end);
	memcpy(arena_map, saved_map, end / ARENA_GRAIN);
	if (head.end > end)
		memset(arena_map + end / ARENA_GRAIN, ARENA_NONE, (head.end - end) / ARENA_GRAIN);
	memcpy(__start_explore_data, saved_data, __stop_explore_data - __start_explore_data);
	memcpy(__start_explore_bss, saved_bss, __stop_explore_bss - __start_explore_bss);
	head.end = end;
	head.live = saved_head.live;
	head.nr_freed = saved_head.nr_freed;
	poison_freed();
}

__attribute__((no_sanitize_address)) bool arena_changed(enum arena_part part, size_t at,
							size_t bytes)
{
	const u8 *there, *then;
	size_t end;

	switch (part) {
	case ARENA_PIECES:
		there = arena;
		then = saved;
		end = saved_head.end;
		break;
	case ARENA_DATA:
		there = __start_explore_data;
		then = saved_data;
		end = __stop_explore_data - __start_explore_data;
		break;
	default:
		there = __start_explore_bss;
		then = saved_bss;
		end = __stop_explore_bss - __start_explore_bss;
		break;
	}
	bytes = min(bytes, end - at);
	if (likely(bytes == sizeof(u64)))
		return memcmp(there + at, then + at, sizeof(u64));
	while (bytes--) {
		if (there[at + bytes] != then[at + bytes])
			return true;
	}
	return false;
}

void arena_reset(void)
{
	if (!first_data)
		first_data = copy(NULL, __start_explore_data,
				  __stop_explore_data - __start_explore_data);
	memcpy(__start_explore_data, first_data, __stop_explore_data - __start_explore_data);
	memset(__start_explore_bss, 0, __stop_explore_bss - __start_explore_bss);
	memset(arena_map, ARENA_NONE, sizeof(arena_map));
	ASAN_UNPOISON_MEMORY_REGION(arena, head.end);
	memset(&head, 0, sizeof(head));
}
