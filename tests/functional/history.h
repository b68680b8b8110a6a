/* SPDX-License-Identifier: GPL-2.0-only */
/* What the writers of a history and its judge agree on: who owns a sector, what is in it, what is
 * noted. */
#ifndef HISTORY_H
#define HISTORY_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define DEVICES 4
#define WRITERS 3
#define SECTORS (8 << 11) /* of a device that are used: 8 MiB */
#define PAGE 8		  /* sectors of a page, and of a subcluster */
#define REGION 128	  /* sectors that are divided among the writers in one way: a cluster */

enum {
	WRITE,
	FUA,
	BUFFERED,
	ZERO,
	DISCARD,
	FLUSH,
	LOST
};
enum {
	UNDER_WAY,
	DONE,
	FAILED
};

/* One thing that a writer does: its number is its place in the writer's log, from 1. */
struct thing {
	uint32_t device;
	uint32_t sector;
	uint32_t nr;
	uint16_t op;
	uint16_t result;
};

struct stamp {
	uint64_t writer, number, device, sector;
	uint64_t fill[59];
	uint64_t sum;
};

_Static_assert(sizeof(struct stamp) == SECTOR, "a stamp is a sector");

static inline void die(const char *what)
{
	fprintf(stderr, "history: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* Is a class of things left out? WITHOUT names those that are. */
static inline bool without(const char *class)
{
	const char *list = getenv("WITHOUT");
	size_t len = strlen(class);

	for (; list && *list; list += strspn(list, " ")) {
		size_t word = strcspn(list, " ");

		if (word == len && !strncmp(list, class, len))
			return true;
		list += word;
	}
	return false;
}

/*
 * Of four regions one belongs to one writer. In the others the writers own pages, runs that
 * end within pages, and single sectors, in turn.
 */
static inline uint32_t writer_of(uint32_t sector)
{
	static int together = -1;
	uint32_t region = sector / REGION;

	if (together < 0)
		together = !without("small");
	if (!together)
		return region % WRITERS;
	switch (region % 4) {
	case 0:
		return region / 4 % WRITERS;
	case 1:
		return sector / PAGE % WRITERS;
	case 2:
		return sector / 3 % WRITERS;
	default:
		return sector % WRITERS;
	}
}

static inline void make_stamp(struct stamp *s, uint32_t writer, uint64_t number, uint32_t device,
			      uint32_t sector)
{
	uint64_t state = number << 32 ^ sector << 8 ^ device << 4 ^ writer;
	unsigned int i;

	*s = (struct stamp){writer + 1, number, device, sector, {0}, 0};
	for (i = 0; i < 59; i++)
		s->fill[i] = next(&state);
	s->sum = next(&state);
}

/*
 * Is the sector put together of what things @first to @last of its writer wrote there, and of
 * zeroes? What is read beside a write may be: below, it is bytes in memory that are copied.
 */
static inline bool is_torn(const struct stamp *s, uint32_t device, uint32_t sector, uint64_t first,
			   uint64_t last)
{
	const uint64_t *is = (const uint64_t *)s, *might;
	bool known[SECTOR / sizeof(*is)];
	struct stamp one;
	uint64_t number;
	unsigned int i;

	/* All of it zero is no mixture. */
	for (i = 0; i < SECTOR / sizeof(*is) && !is[i]; i++)
		;
	if (i == SECTOR / sizeof(*is))
		return false;
	for (i = 0; i < SECTOR / sizeof(*is); i++)
		known[i] = !is[i];
	for (number = first; number <= last; number++) {
		make_stamp(&one, writer_of(sector), number, device, sector);
		might = (const uint64_t *)&one;
		for (i = 0; i < SECTOR / sizeof(*is); i++)
			known[i] |= is[i] == might[i];
	}
	for (i = 0; i < SECTOR / sizeof(*is); i++) {
		if (!known[i])
			return false;
	}
	return true;
}

/* The number of the thing that wrote the sector, 0 if it is zero. */
static inline uint64_t number_in(const struct stamp *s, uint32_t device, uint32_t sector)
{
	static const char zeroes[SECTOR];
	struct stamp right;

	if (!memcmp(s, zeroes, SECTOR))
		return 0;
	make_stamp(&right, writer_of(sector), s->number, device, sector);
	if (memcmp(s, &right, SECTOR)) {
		fprintf(stderr,
			"history: device %u sector %u holds what was never written there: writer %llu number %llu device %llu sector %llu\n",
			device, sector, (unsigned long long)s->writer - 1,
			(unsigned long long)s->number, (unsigned long long)s->device,
			(unsigned long long)s->sector);
		exit(1);
	}
	return s->number;
}

#endif
