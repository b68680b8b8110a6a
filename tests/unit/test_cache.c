// SPDX-License-Identifier: GPL-2.0-only
/* The metadata cache: what is read, held, dropped and counted. */
#include "fault.h"
#include "image/cache.h"
#include "image/image.h"
#include "test.h"

#define SLICE 512
#define LIMIT 8 /* slices */

static struct mem_file *numbered_file(unsigned int slices)
{
	struct mem_file *mem = mem_file_create(slices * SLICE);
	unsigned int i;

	for (i = 0; i < slices; i++)
		memset(mem->data + i * SLICE, i, SLICE);
	return mem;
}

static struct q2_slice *get(struct q2_cache *cache, unsigned int nr)
{
	struct q2_slice *slice = q2_cache_get(cache, nr * SLICE);

	CHECK(!IS_ERR(slice));
	CHECK_EQ(((u8 *)slice->data)[SLICE - 1], (u8)nr);
	return slice;
}

static void touch(struct q2_cache *cache, unsigned int nr)
{
	q2_cache_put(cache, get(cache, nr));
}

TEST(cache_reads_each_slice_once)
{
	struct mem_file *mem = numbered_file(64);
	struct q2_cache *cache = q2_cache_create(&mem->file, SLICE, LIMIT * SLICE);
	struct q2_slice *a, *b;
	struct q2_cache_stats stats;
	unsigned int i;

	CHECK_EQ(q2_cache_slice_bytes(cache), SLICE);
	a = get(cache, 3);
	b = get(cache, 3);
	CHECK(a == b);
	q2_cache_put(cache, a);
	q2_cache_put(cache, b);
	for (i = 0; i < 100; i++)
		touch(cache, i % LIMIT);
	CHECK_EQ(mem->reads, LIMIT);
	q2_cache_stats(cache, &stats);
	CHECK_EQ(stats.misses, LIMIT);
	CHECK_EQ(stats.hits, 102 - LIMIT);
	CHECK_EQ(stats.bytes, LIMIT * SLICE);
	CHECK_EQ(stats.limit, LIMIT * SLICE);
	q2_cache_destroy(cache);
	mem_file_free(mem);
}

TEST(cache_drops_the_least_recently_used)
{
	struct mem_file *mem = numbered_file(64);
	struct q2_cache *cache = q2_cache_create(&mem->file, SLICE, LIMIT * SLICE);
	struct q2_cache_stats stats;
	unsigned long reads;
	unsigned int i;

	for (i = 0; i < LIMIT; i++)
		touch(cache, i);
	touch(cache, 0);
	touch(cache, 20); /* drops 1 */
	reads = mem->reads;
	touch(cache, 0);
	touch(cache, 20);
	for (i = 2; i < LIMIT; i++)
		touch(cache, i);
	CHECK_EQ(mem->reads, reads);
	touch(cache, 1);
	CHECK_EQ(mem->reads, reads + 1);
	q2_cache_stats(cache, &stats);
	CHECK_EQ(stats.bytes, LIMIT * SLICE);
	q2_cache_destroy(cache);
	mem_file_free(mem);
}

/* Slices in use are never dropped, and what is over the limit goes when they are put. */
TEST(cache_exceeds_its_limit_only_in_use)
{
	struct mem_file *mem = numbered_file(64);
	struct q2_cache *cache = q2_cache_create(&mem->file, SLICE, LIMIT * SLICE);
	struct q2_slice *slice[20];
	struct q2_cache_stats stats;
	unsigned int i;

	for (i = 0; i < 20; i++)
		slice[i] = get(cache, i);
	q2_cache_stats(cache, &stats);
	CHECK_EQ(stats.bytes, 20 * SLICE);
	CHECK_EQ(q2_cache_shrinkable(cache), 0);
	CHECK_EQ(q2_cache_shrink(cache, 100), 0);
	for (i = 0; i < 20; i++) {
		CHECK_EQ(((u8 *)slice[i]->data)[0], i);
		q2_cache_put(cache, slice[i]);
	}
	q2_cache_stats(cache, &stats);
	CHECK_EQ(stats.bytes, LIMIT * SLICE);
	CHECK_EQ(q2_cache_shrinkable(cache), LIMIT);
	CHECK_EQ(q2_cache_shrink(cache, 3), 3);
	CHECK_EQ(q2_cache_shrink(cache, 100), LIMIT - 3);
	q2_cache_stats(cache, &stats);
	CHECK_EQ(stats.bytes, 0);
	q2_cache_destroy(cache);
	mem_file_free(mem);
}

/* Without memory: the spare slices, then the oldest idle one; none is lost. */
TEST(cache_without_memory)
{
	struct mem_file *mem = numbered_file(64);
	struct q2_cache *cache = q2_cache_create(&mem->file, SLICE, LIMIT * SLICE);
	struct q2_slice *held[3];
	unsigned int i;

	CHECK_EQ(q2_cache_reserve(cache, 2), 0);
	for (i = 0; i < 50; i++) {
		fault_alloc(1, true);
		touch(cache, i);
		CHECK(fault_hit());
	}
	CHECK_EQ(q2_cache_shrink(cache, 100), 2);
	for (i = 0; i < 2; i++) {
		held[i] = q2_cache_get(cache, i * SLICE);
		CHECK(!IS_ERR(held[i]));
	}
	/* All are in use. */
	CHECK_EQ(PTR_ERR(q2_cache_get(cache, 2 * SLICE)), -ENOMEM);
	q2_cache_put(cache, held[0]);
	held[2] = q2_cache_get(cache, 2 * SLICE);
	CHECK(!IS_ERR(held[2]));
	fault_clear();
	q2_cache_put(cache, held[1]);
	q2_cache_put(cache, held[2]);
	touch(cache, 0);
	q2_cache_destroy(cache);
	mem_file_free(mem);
}

TEST(cache_after_failures)
{
	struct mem_file *mem = numbered_file(64);
	unsigned int nth;
	struct q2_cache *cache = q2_cache_create(&mem->file, SLICE, LIMIT * SLICE);
	struct q2_cache_stats stats;

	fault_read(1, false);
	CHECK_EQ(PTR_ERR(q2_cache_get(cache, 5 * SLICE)), -EIO);
	q2_cache_stats(cache, &stats);
	CHECK_EQ(stats.bytes, 0);
	CHECK_EQ(q2_cache_shrinkable(cache), 0);
	touch(cache, 5);
	fault_alloc(1, false);
	touch(cache, 5); /* a hit allocates nothing */
	CHECK(!fault_hit());
	for (nth = 1; nth <= 4; nth++) {
		fault_alloc(nth, false);
		CHECK_EQ(PTR_ERR(q2_cache_create(&mem->file, SLICE, LIMIT * SLICE)), -ENOMEM);
	}
	fault_clear();
	q2_cache_destroy(cache);
	mem_file_free(mem);
}
