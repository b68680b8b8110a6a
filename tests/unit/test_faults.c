// SPDX-License-Identifier: GPL-2.0-only
/* Real chains with the n-th allocation or read failing, for every n until none is left. */
#include "images.h"
#include "test.h"

#define SPOTS 24
#define SPOT 4096

/* Open, read here and there with and without the map, close. */
static int scenario(struct golden *g, struct q2_err *err)
{
	struct disk disk = disk_open(g->files, g->raw, g->nr);
	struct q2_map *map;
	static u8 buf[SPOT];
	int ret, first = 0, i;

	*err = disk.err;
	if (disk.ret)
		return disk.ret;
	map = q2_map_create(disk.chain, Q2_MAP_MIN);
	if (IS_ERR(map)) {
		disk_close(&disk);
		return PTR_ERR(map);
	}
	for (i = 0; i < 2 * SPOTS; i++) {
		u64 guest = (disk.chain->size - SPOT) / SPOTS * (i / 2);

		memset(buf, 0xee, SPOT);
		ret = i & 1 ? disk_read(disk.chain, guest, buf, SPOT)
			    : disk_read_map(disk.chain, map, guest, buf, SPOT);
		/* A failure is an error, never wrong bytes. */
		if (!ret)
			CHECK(!memcmp(buf, g->content->data + guest, SPOT));
		else if (!first)
			first = ret;
	}
	/* Once nothing fails any more, everything reads right, whatever was remembered. */
	if (first) {
		fault_clear();
		for (i = 0; i < SPOTS; i++) {
			u64 guest = (disk.chain->size - SPOT) / SPOTS * i;

			CHECK_EQ(disk_read_map(disk.chain, map, guest, buf, SPOT), 0);
			CHECK(!memcmp(buf, g->content->data + guest, SPOT));
		}
	}
	q2_map_destroy(map);
	disk_close(&disk);
	return first;
}

static void fail_each(struct golden *g, void (*fault)(unsigned long nth, bool on), int code,
		      bool on)
{
	unsigned long n;

	for (n = 1;; n++) {
		struct q2_err err = {""};
		int ret;

		fault(n, on);
		ret = scenario(g, &err);
		if (!ret && !fault_hit())
			break;
		fault_clear();
		if (ret && ret != code)
			test_fail(__FILE__, __LINE__, "%s, n = %lu: %d", g->name, n, ret);
		if (ret && err.text[0])
			CHECK_REFUSED(ret, -code, &err, "");
	}
	CHECK(n > 10);
}

static void fail_allocations(struct golden *g)
{
	fail_each(g, fault_alloc, -ENOMEM, false);
	fail_each(g, fault_alloc, -ENOMEM, true);
}

static void fail_reads(struct golden *g)
{
	fail_each(g, fault_read, -EIO, false);
	fail_each(g, fault_read, -EIO, true);
}

TEST(faults_of_every_allocation)
{
	golden_each("chain4", fail_allocations);
	golden_each("snapshots-c9", fail_allocations);
	golden_each("extl2-c14-over", fail_allocations);
}

TEST(faults_of_every_read)
{
	golden_each("chain4", fail_reads);
	golden_each("snapshots-c9", fail_reads);
	golden_each("extl2-c14-over", fail_reads);
	golden_each("zstd-c12", fail_reads);
}
