// SPDX-License-Identifier: GPL-2.0-only
/* Many threads on one chain: reads, fills, evictions, shrinks, failures. Also under TSan. */
#include "images.h"
#include "test.h"

#define THREADS 4
#define ROUNDS 1500
#define MAX_READ 20000

/* What all threads share. */
struct crowd {
	struct golden *golden;
	struct q2_chain *chain;
	struct q2_map *map;
	bool failing; /* reads may fail with -EIO or -ENOMEM */
	unsigned int errors;
};

struct member {
	pthread_t thread;
	struct crowd *crowd;
	u64 seed;
};

static void read_somewhere(struct crowd *c, u64 *seed, u8 *buf)
{
	u64 len = min(1 + test_random(seed) % MAX_READ, c->chain->size);
	u64 guest = test_random(seed) % (c->chain->size - len + 1);
	int ret;

	if (test_random(seed) % 4)
		ret = disk_read_map(c->chain, c->map, guest, buf, len);
	else
		ret = disk_read(c->chain, guest, buf, len);
	if (!ret) {
		CHECK(!memcmp(buf, c->golden->content->data + guest, len));
	} else {
		CHECK(c->failing && (ret == -EIO || ret == -ENOMEM));
		__atomic_add_fetch(&c->errors, 1, __ATOMIC_RELAXED);
	}
}

static void shrink_something(struct crowd *c, u64 *seed)
{
	struct q2_image *img = c->chain->layers[test_random(seed) % c->chain->nr_layers].img;
	struct q2_cache_stats cache;
	struct q2_map_stats stats;

	q2_map_stats(c->map, &stats);
	q2_map_shrink(c->map, test_random(seed) % (q2_map_shrinkable(c->map) + 1));
	if (img) {
		q2_image_cache_stats(img, &cache);
		q2_image_shrink(img, test_random(seed) % (q2_image_shrinkable(img) + 1));
	}
}

static void *work(void *arg)
{
	struct member *m = arg;
	u8 *buf = malloc(MAX_READ);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (test_random(&m->seed) % 16 == 0)
			shrink_something(m->crowd, &m->seed);
		if (m->crowd->failing && test_random(&m->seed) % 8 == 0) {
			if (test_random(&m->seed) & 1)
				fault_read(1 + test_random(&m->seed) % 8, false);
			else
				fault_alloc(1 + test_random(&m->seed) % 8, false);
		}
		read_somewhere(m->crowd, &m->seed, buf);
	}
	free(buf);
	return NULL;
}

static void crowd_on(struct golden *g, bool failing)
{
	struct disk disk = disk_open(g->files, g->raw, g->nr);
	struct crowd crowd = {.golden = g, .chain = disk.chain, .failing = failing};
	struct member members[THREADS];
	unsigned int i;

	CHECK_EQ(disk.ret, 0);
	crowd.map = q2_map_create(disk.chain, Q2_MAP_MIN);
	for (i = 0; i < THREADS; i++) {
		members[i].crowd = &crowd;
		members[i].seed = i;
		CHECK_EQ(pthread_create(&members[i].thread, NULL, work, &members[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(members[i].thread, NULL);
	fault_clear();
	CHECK_EQ(crowd.errors > 0, failing);
	q2_map_destroy(crowd.map);
	disk_close(&disk);
}

static void crowd_of_readers(struct golden *g)
{
	crowd_on(g, false);
}

static void crowd_with_failures(struct golden *g)
{
	crowd_on(g, true);
}

TEST(threads_read_one_chain)
{
	golden_each("chain4", crowd_of_readers);
	golden_each("v1.1-c9", crowd_of_readers);
	golden_each("extl2-c14-over", crowd_of_readers);
}

TEST(threads_with_failures)
{
	golden_each("chain4", crowd_with_failures);
	golden_each("v1.1-c9", crowd_with_failures);
}
