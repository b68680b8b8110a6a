// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reserve of bios that file systems write with.
 *
 * Swap and the direct writes of ext4 and xfs take their bios from one pool, whose
 * reserve is two. Without memory two pages on their way to swap on a device of
 * ours would hold both until they are written, and writing them to the image's
 * file takes one more: nothing would ever move. device-mapper lets at most so
 * many bios of swap in (limit_swap_bios; dm_mod.swap_bios, 8 MiB of pages unless
 * set otherwise), and with a larger reserve than that there is one left.
 */
#include <linux/bio.h>
#include <linux/mempool.h>

#include "env.h"
#include "io/bios.h"

/* What swap may hold, and as many again as workers and journals may want at a time. */
#define SWAP_BIOS ((8 << 20) >> PAGE_SHIFT)
#define OTHER_BIOS 256

static DEFINE_MUTEX(lock);
static unsigned int users; /* protected by lock */
static int usual;	   /* reserve without us; protected by lock */

int q2_bios_get(void)
{
	mempool_t *pool = &fs_bio_set.bio_pool;
	int ret = 0;

	mutex_lock(&lock);
	if (!users) {
		usual = pool->min_nr;
		ret = mempool_resize(pool, usual + SWAP_BIOS + OTHER_BIOS);
	}
	if (!ret)
		users++;
	mutex_unlock(&lock);
	return ret;
}

void q2_bios_put(void)
{
	mutex_lock(&lock);
	/* Smaller always works. */
	if (!--users)
		mempool_resize(&fs_bio_set.bio_pool, usual);
	mutex_unlock(&lock);
}
