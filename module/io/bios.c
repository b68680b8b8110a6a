// SPDX-License-Identifier: GPL-2.0-only
/*
 * What writing to files needs when memory is being written to swap on top of them.
 *
 * Bios: swap and the direct writes of ext4 and xfs take theirs from one pool, whose
 * reserve is two. Without memory two pages on their way to swap on a device of
 * ours would hold both until they are written, and writing them to the image's
 * file takes one more: nothing would ever move. So only so much of swap is let in,
 * and with a larger reserve than that there is one left.
 *
 * Turns: who must not wait for one is whoever the file below may be waiting for: its
 * journal writes to swap, too, when it finds no memory, and so does a task in the
 * middle of one of its transactions. device-mapper's own limit (limit_swap_bios)
 * knows no difference: with it the journal waited for pages to be written, and these
 * for the journal. Tasks and kswapd wait; kernel threads and transactions wait a moment,
 * then get in beyond the limit, up to a second one. There their page is sent back: it
 * stays in memory, and they look for another one. Without that end a journal would send
 * all memory on its way, and the reserve of bios with it.
 *
 * Pages: a file system that allocates blocks needs memory for its metadata, and all
 * there is may be waiting to be written by it. It cannot be given the kernel's
 * emergency reserve: its allocations must not fail, and these must not be made with
 * PF_MEMALLOC (mm/page_alloc.c warns). So we hold some pages, and when nothing has been
 * written for a while they go to whoever is not waiting for a turn: those who write.
 *
 * tests/stress/swap hangs without any of the three.
 */
#include <linux/bio.h>
#include <linux/mempool.h>
#include <linux/sched.h>
#include <linux/swap.h>
#include <linux/timer.h>

#include "env.h"
#include "io/bios.h"

/*
 * What swap may hold, in pages, what those that must not wait may add, and what is left
 * then. Each page on its way takes memory for requests, from the kernel's emergency
 * reserve if need be: few of them, or that is used up, and then a journal that has to
 * write a page finds no bio at all. These keep all workers of a device busy.
 */
#define SWAP_PAGES 256
#define MORE_PAGES 128
#define OTHER_BIOS 512
/* How long these wait for a turn. */
#define MOMENT (HZ / 20)

/*
 * Pages that are held for file systems, and the part of them that goes at a time. The last
 * ones must lift what is free above the kernel's watermark, which goes with the square root
 * of the memory there is, and to three times that where memory is fragmented. A large
 * machine's emergency reserve is never as empty as that.
 */
#define RELIEF_MIN ((4UL << 20) >> PAGE_SHIFT)
#define RELIEF_MAX ((32UL << 20) >> PAGE_SHIFT)
#define RELIEF_PARTS 8
/* Nothing has been written for this long: they need some. */
#define RELIEF_DELAY (HZ / 5)

static DEFINE_MUTEX(lock);
static unsigned int users; /* protected by lock */
static int usual;	   /* reserve without us; protected by lock */

static atomic_t swapping; /* pages of swap that are under way */
static DECLARE_WAIT_QUEUE_HEAD(turn);

static DEFINE_SPINLOCK(relief_lock);
static LIST_HEAD(relief);	 /* pages, by lru; protected by relief_lock */
static unsigned int nr_relief;	 /* of them */
static unsigned int most_relief; /* as many shall it be; set before the timer runs */
static atomic_t written;	 /* pages of swap that have been written; wraps */
static int written_before;	 /* when the timer last looked; the timer's */
static struct timer_list watch;

/* Hold up to @nr pages more. */
static void fill_relief(unsigned int nr, gfp_t gfp)
{
	struct page *page;

	while (nr-- && READ_ONCE(nr_relief) < most_relief) {
		page = alloc_page(gfp | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC);
		if (!page)
			return;
		spin_lock_bh(&relief_lock);
		list_add(&page->lru, &relief);
		nr_relief++;
		spin_unlock_bh(&relief_lock);
	}
}

/* Give up to @nr of them back. */
static void drop_relief(unsigned int nr)
{
	struct page *page, *next;
	LIST_HEAD(dropped);

	spin_lock_bh(&relief_lock);
	while (nr-- && !list_empty(&relief)) {
		list_move(relief.next, &dropped);
		nr_relief--;
	}
	spin_unlock_bh(&relief_lock);
	list_for_each_entry_safe(page, next, &dropped, lru)
		__free_page(page);
}

/* While pages are under way: a timer, for there may be no worker to be had. */
static void watch_swap(struct timer_list *t)
{
	int now = atomic_read(&written);

	if (now == written_before)
		drop_relief(most_relief / RELIEF_PARTS);
	else
		fill_relief(most_relief / RELIEF_PARTS, GFP_NOWAIT);
	written_before = now;
	if (atomic_read(&swapping) || nr_relief < most_relief)
		mod_timer(&watch, jiffies + RELIEF_DELAY);
}

static unsigned int relief_wanted(void)
{
	/* Four times the watermark: 4 KiB * sqrt(KiB of memory), mm/page_alloc.c. */
	unsigned long kib = 16 * int_sqrt(totalram_pages() << (PAGE_SHIFT - 10));

	return clamp(kib >> (PAGE_SHIFT - 10), RELIEF_MIN, RELIEF_MAX);
}

int q2_bios_get(void)
{
	mempool_t *pool = &fs_bio_set.bio_pool;
	int ret = 0;

	mutex_lock(&lock);
	if (!users) {
		usual = pool->min_nr;
		ret = mempool_resize(pool, usual + SWAP_PAGES + MORE_PAGES + OTHER_BIOS);
		if (!ret) {
			timer_setup(&watch, watch_swap, 0);
			most_relief = relief_wanted();
			fill_relief(most_relief, GFP_KERNEL);
		}
	}
	if (!ret)
		users++;
	mutex_unlock(&lock);
	return ret;
}

void q2_bios_put(void)
{
	mutex_lock(&lock);
	if (!--users) {
		timer_shutdown_sync(&watch);
		drop_relief(most_relief);
		/* Smaller always works. */
		mempool_resize(&fs_bio_set.bio_pool, usual);
	}
	mutex_unlock(&lock);
}

static bool in_transaction(void)
{
	return current->journal_info || (current->flags & PF_MEMALLOC_NOFS);
}

static bool may_wait(void)
{
	return current_is_kswapd() || !(in_transaction() || (current->flags & PF_KTHREAD));
}

/* @pages more, if that stays below @limit, or if there are none. */
static bool get_turn(int pages, int limit)
{
	int n = atomic_read(&swapping);

	while (!n || n + pages <= limit) {
		if (atomic_try_cmpxchg(&swapping, &n, n + pages))
			return true;
	}
	return false;
}

/*
 * A journal not again before anything has been written: who looks for one page tries
 * thousands, and a moment for each is minutes, in which it does nothing for those who write.
 * Other kernel threads each time: one that starts threads, and is told at once that no page
 * can be written, takes the machine for out of memory and has a program killed.
 */
static bool wait_a_moment(int pages)
{
	static int vain = -1; /* pages that had been written when somebody waited in vain */
	int now = atomic_read(&written);

	if (in_transaction() && now == READ_ONCE(vain))
		return get_turn(pages, SWAP_PAGES);
	if (wait_event_timeout(turn, get_turn(pages, SWAP_PAGES), MOMENT))
		return true;
	WRITE_ONCE(vain, now);
	return false;
}

unsigned int q2_bios_swap_begin(unsigned int bytes)
{
	int pages = DIV_ROUND_UP(bytes, PAGE_SIZE);

	if (!timer_pending(&watch))
		mod_timer(&watch, jiffies + RELIEF_DELAY);
	if (may_wait())
		wait_event(turn, get_turn(pages, SWAP_PAGES));
	else if (!wait_a_moment(pages) && !get_turn(pages, SWAP_PAGES + MORE_PAGES))
		return 0;
	return pages;
}

void q2_bios_swap_end(unsigned int pages)
{
	atomic_add(pages, &written);
	atomic_sub(pages, &swapping);
	if (wq_has_sleeper(&turn))
		wake_up_all(&turn);
}
