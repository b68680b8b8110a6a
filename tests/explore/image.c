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

/* Host clusters that an image may have. */
#define MOST_CLUSTERS 32

static u64 get(const u8 *at, unsigned int bytes)
{
	u64 value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

/* Put bytes where the L2 table says, or where it is going to. Return: clusters in use. */
static unsigned int put_bytes(u8 *d, const struct image_spec *spec, const struct image_bytes *b,
			      unsigned int used)
{
	unsigned int bits = spec->cluster_bits, entry = spec->extended ? 16 : 8, i;
	u64 cluster = b->guest >> bits, in_cluster = b->guest & ((1ULL << bits) - 1);
	u8 *l2 = d + ((u64)AT_L2 << bits) + cluster * entry;
	u64 host = get(l2, 8) & ~COPIED;

	if (!host) {
		host = (u64)used++ << bits;
		put(l2, host | COPIED, 8);
	}
	memset(d + host + in_cluster, b->value, b->len);
	if (spec->extended) {
		u64 map = get(l2 + 8, 8), sub = 1ULL << (bits - 5);

		for (i = in_cluster / sub; i < (in_cluster + b->len) / sub; i++)
			map |= 1ULL << i;
		put(l2 + 8, map, 8);
	}
	return used;
}

struct store *image_make(const struct image_spec *spec)
{
	const struct image_bytes *b = spec->bytes;
	u64 cluster = 1ULL << spec->cluster_bits;
	u8 *d = calloc(MOST_CLUSTERS, cluster);
	unsigned int i, used = b ? AT_DATA : AT_L2;
	struct store *store;

	if (!d)
		explore_fail("no memory for an image");
	put(d, 0x514649fb, 4);
	put(d + 4, 3, 4);
	put(d + 20, spec->cluster_bits, 4);
	put(d + 24, spec->size, 8);
	put(d + 36, 1, 4); /* entries of L1 */
	put(d + 40, AT_L1 * cluster, 8);
	put(d + 48, AT_REFTABLE * cluster, 8);
	put(d + 56, 1, 4); /* clusters of the refcount table */
	put(d + 72, spec->extended ? 1 << 4 : 0, 8);
	put(d + 96, 4, 4);    /* refcounts of 16 bits */
	put(d + 100, 112, 4); /* bytes of the header */
	if (spec->backing) {
		put(d + 8, NAME_AT, 8);
		put(d + 16, strlen(spec->backing), 4);
		memcpy(d + NAME_AT, spec->backing, strlen(spec->backing));
	}
	put(d + AT_REFTABLE * cluster, AT_REFBLOCK * cluster, 8);
	if (b)
		put(d + AT_L1 * cluster, (AT_L2 * cluster) | COPIED, 8);
	for (; b && b->len; b++)
		used = put_bytes(d, spec, b, used);
	for (i = 0; i < used; i++)
		put(d + AT_REFBLOCK * cluster + i * 2, 1, 2);
	store = store_create(spec->name, d, used * cluster, MOST_CLUSTERS * cluster);
	free(d);
	return store;
}

struct store *image_create(const char *name, unsigned int clusters, const int *values,
			   const char *backing)
{
	struct image_spec spec = {
		.name = name,
		.cluster_bits = 9,
		.size = (u64)clusters * IMAGE_CLUSTER,
		.backing = backing,
	};
	struct image_bytes bytes[64 + 1] = {};
	unsigned int i, n = 0;

	for (i = 0; values && i < clusters; i++) {
		if (values[i] >= 0)
			bytes[n++] = (struct image_bytes){(u64)i * IMAGE_CLUSTER, IMAGE_CLUSTER,
							  values[i]};
	}
	spec.bytes = values ? bytes : NULL;
	return image_make(&spec);
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
