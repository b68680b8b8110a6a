// SPDX-License-Identifier: GPL-2.0-only
/*
 * damage FILE SEED [header]: break a few fields of an image's tables, or of its
 * header: flip bits, clear entries, or point them at another cluster.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *image;
static size_t size;
static uint64_t state;

static uint64_t dice(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

static uint64_t get(size_t at, int bytes)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < bytes; i++)
		value = value << 8 | (at + i < size ? image[at + i] : 0);
	return value;
}

static void put(size_t at, uint64_t value)
{
	int i;

	for (i = 0; i < 8; i++)
		if (at + i < size)
			image[at + i] = value >> (56 - 8 * i);
}

struct area {
	uint64_t at, bytes;
};

/* Where the tables are. */
static int find(struct area *areas, int most)
{
	uint64_t cluster = 1ULL << (get(20, 4) & 31), l1 = get(40, 8), n = get(36, 4), i, l2;
	int nr = 0;

	areas[nr++] = (struct area){l1, n * 8};
	areas[nr++] = (struct area){get(48, 8), 8};
	areas[nr++] = (struct area){get(get(48, 8), 8), cluster < 128 ? cluster : 128};
	if (get(60, 4))
		areas[nr++] = (struct area){get(64, 8), 40};
	for (i = 0; i < n && nr < most; i++) {
		l2 = get(l1 + 8 * i, 8) & 0xfffffffffffe00ULL;
		if (l2)
			areas[nr++] = (struct area){l2, cluster < 1024 ? cluster : 1024};
	}
	return nr;
}

static void break_one(const struct area *area)
{
	uint64_t cluster = 1ULL << (get(20, 4) & 31);
	size_t at = area->at + dice(area->bytes ? area->bytes : 1), word = at & ~7ULL;

	if (at >= size)
		return;
	switch (dice(5)) {
	case 0:
		put(word, 0);
		break;
	case 1:
		put(word, dice(size / cluster + 3) * cluster | dice(2) << 63);
		break;
	default:
		image[at] ^= 1 << dice(8);
	}
}

int main(int argc, char **argv)
{
	struct area areas[8], header = {8, 104};
	FILE *f = argc > 2 ? fopen(argv[1], "r+b") : NULL;
	int nr, i;

	if (!f || fseek(f, 0, SEEK_END))
		return 2;
	size = ftell(f);
	image = malloc(size + 1);
	rewind(f);
	if (!image || fread(image, 1, size, f) != size)
		return 2;
	state = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ULL + 1;
	dice(2);
	nr = find(areas, 8);
	for (i = 1 + dice(3); i > 0; i--)
		break_one(argc > 3 ? &header : &areas[dice(nr)]);
	rewind(f);
	if (fwrite(image, 1, size, f) != size || fclose(f))
		return 2;
	return 0;
}
