// SPDX-License-Identifier: GPL-2.0-only
/* Small images. */
#include "image.h"
#include "fsck.h" /* tests/crash */
#include "run.h"

static void put(u8 *at, u64 value, unsigned int bytes)
{
	while (bytes--) {
		at[bytes] = value;
		value >>= 8;
	}
}

/* Host clusters of what each image has. */
enum {
	AT_HEADER,
	AT_REFTABLE,
	AT_REFBLOCK,
	AT_L1,
	AT_L2,
	AT_DATA,
};

#define COPIED (1ULL << 63)
#define NAME_AT 256

struct store *image_create(const char *name, unsigned int clusters, const int *values,
			   const char *backing)
{
	static u8 d[IMAGE_ROOM];
	unsigned int i, next = values ? AT_DATA : AT_L2;

	memset(d, 0, sizeof(d));
	put(d, 0x514649fb, 4);
	put(d + 4, 3, 4);
	put(d + 20, 9, 4); /* cluster_bits */
	put(d + 24, (u64)clusters * IMAGE_CLUSTER, 8);
	put(d + 36, 1, 4); /* entries of L1 */
	put(d + 40, AT_L1 * IMAGE_CLUSTER, 8);
	put(d + 48, AT_REFTABLE * IMAGE_CLUSTER, 8);
	put(d + 56, 1, 4);    /* clusters of the refcount table */
	put(d + 96, 4, 4);    /* refcounts of 16 bits */
	put(d + 100, 112, 4); /* bytes of the header */
	if (backing) {
		put(d + 8, NAME_AT, 8);
		put(d + 16, strlen(backing), 4);
		memcpy(d + NAME_AT, backing, strlen(backing));
	}
	put(d + AT_REFTABLE * IMAGE_CLUSTER, AT_REFBLOCK * IMAGE_CLUSTER, 8);
	if (values)
		put(d + AT_L1 * IMAGE_CLUSTER, (AT_L2 * IMAGE_CLUSTER) | COPIED, 8);
	for (i = 0; values && i < clusters; i++) {
		if (values[i] < 0)
			continue;
		put(d + AT_L2 * IMAGE_CLUSTER + i * 8, (next * IMAGE_CLUSTER) | COPIED, 8);
		memset(d + next++ * IMAGE_CLUSTER, values[i], IMAGE_CLUSTER);
	}
	for (i = 0; i < next; i++)
		put(d + AT_REFBLOCK * IMAGE_CLUSTER + i * 2, 1, 2);
	return store_create(name, d, (u64)next * IMAGE_CLUSTER, IMAGE_ROOM);
}

/* What tests/crash/fsck.c takes its memory from; it gives it back. */
void *xalloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

static void dump(const struct store *store)
{
	static unsigned int nr;
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s.%u", run_options.dump, store->file.name, nr++);
	out = fopen(path, "w");
	if (!out || fwrite(store->live, store->file.size, 1, out) != 1 || fclose(out))
		explore_fail("%s cannot be written", path);
}

void image_check(const struct store *store, bool leaks)
{
	struct fsck fsck;

	if (run_options.dump)
		dump(store);
	fsck_run(store->live, store->file.size, &fsck);
	if (fsck.corruptions)
		explore_fail("%s is corrupt: %s", store->file.name, fsck.first);
	if (fsck.leaks && !leaks)
		explore_fail("%s: %lu clusters are leaked", store->file.name, fsck.leaks);
}
