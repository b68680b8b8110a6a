// SPDX-License-Identifier: GPL-2.0-only
/* Locks: that they exclude, that the explorer finds it where they are misused. */
#include "explore.h"

static struct mutex a, b;
static spinlock_t spin;
static struct rw_semaphore sem;
static int count, inside, readers_inside;

/*
 * Each of these adds to a count by reading and writing it apart.
 */

static void add(void)
{
	int was = READ_ONCE(count);

	WRITE_ONCE(count, was + 1);
}

static void add_locked(void *arg)
{
	mutex_lock(&a);
	add();
	mutex_unlock(&a);
}

static void add_spinning(void *arg)
{
	spin_lock(&spin);
	add();
	spin_unlock(&spin);
}

static void add_unlocked(void *arg)
{
	add();
}

static void count_is_3(void)
{
	explore_check(count == 3);
}

static void setup_locks(void)
{
	mutex_init(&a);
	mutex_init(&b);
	spin_lock_init(&spin);
	init_rwsem(&sem);
}

static void setup_mutex(const char *ops)
{
	setup_locks();
	explore_task("one", add_locked, NULL);
	explore_task("two", add_locked, NULL);
	explore_task("three", add_locked, NULL);
}

static const struct explore_world mutex_excludes = {
	.name = "lock/mutex",
	.shows = "a mutex excludes",
	.bound = 3,
	.setup = setup_mutex,
	.end = count_is_3,
};
EXPLORE_WORLD(mutex_excludes);

static void setup_spin(const char *ops)
{
	setup_locks();
	explore_task("one", add_spinning, NULL);
	explore_task("two", add_spinning, NULL);
	explore_task("three", add_spinning, NULL);
}

static const struct explore_world spin_excludes = {
	.name = "lock/spinlock",
	.shows = "a spinlock excludes",
	.bound = 3,
	.setup = setup_spin,
	.end = count_is_3,
};
EXPLORE_WORLD(spin_excludes);

static void setup_unlocked(const char *ops)
{
	setup_locks();
	explore_task("one", add_locked, NULL);
	explore_task("two", add_locked, NULL);
	explore_task("three", add_unlocked, NULL);
}

static const struct explore_world lost_update = {
	.name = "lock/lost-update",
	.shows = "without the lock an update is lost",
	.finds = "not so: count == 3",
	.bound = 1,
	.setup = setup_unlocked,
	.end = count_is_3,
};
EXPLORE_WORLD(lost_update);

static void take_ab(void *arg)
{
	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
}

static void take_ba(void *arg)
{
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void setup_abba(const char *ops)
{
	setup_locks();
	explore_task("ab", take_ab, NULL);
	explore_task("ba", take_ba, NULL);
}

static const struct explore_world abba_order = {
	.name = "lock/abba-order",
	.shows = "locks in two orders are found where no schedule hangs",
	.finds = "locks in two orders: &a, then &b, then &a",
	.setup = setup_abba,
};
EXPLORE_WORLD(abba_order);

/* trylock has no order, and going on without the lock is no way out of this. */
static void take_ab_trying(void *arg)
{
	mutex_lock(&a);
	while (!mutex_trylock(&b))
		cond_resched();
	mutex_unlock(&b);
	mutex_unlock(&a);
}

static void take_ba_trying(void *arg)
{
	mutex_lock(&b);
	while (!mutex_trylock(&a))
		cond_resched();
	mutex_unlock(&a);
	mutex_unlock(&b);
}

static void setup_livelock(const char *ops)
{
	setup_locks();
	explore_task("ab", take_ab_trying, NULL);
	explore_task("ba", take_ba_trying, NULL);
}

static const struct explore_world livelock = {
	.name = "lock/livelock",
	.shows = "what goes on for ever is found",
	.finds = "no end after",
	.bound = 1,
	.setup = setup_livelock,
};
EXPLORE_WORLD(livelock);

static DECLARE_WAIT_QUEUE_HEAD(handed);
static bool a_taken;

static void hold_and_wait(void *arg)
{
	mutex_lock(&a);
	WRITE_ONCE(a_taken, true);
	wake_up_all(&handed);
	wait_event(handed, !READ_ONCE(a_taken));
	mutex_unlock(&a);
}

static void lock_and_tell(void *arg)
{
	wait_event(handed, READ_ONCE(a_taken));
	mutex_lock(&a);
	WRITE_ONCE(a_taken, false);
	wake_up_all(&handed);
	mutex_unlock(&a);
}

static void setup_hang(const char *ops)
{
	setup_locks();
	explore_task("holder", hold_and_wait, NULL);
	explore_task("teller", lock_and_tell, NULL);
}

static const struct explore_world hang = {
	.name = "lock/hang",
	.shows = "a deadlock is told of with what each task waits for",
	.finds = "teller waits: mutex &a, which holder has",
	.setup = setup_hang,
};
EXPLORE_WORLD(hang);

static void sleep_spinning(void *arg)
{
	spin_lock(&spin);
	mutex_lock(&a);
	mutex_unlock(&a);
	spin_unlock(&spin);
}

static void setup_sleep(const char *ops)
{
	setup_locks();
	explore_task("sleeper", sleep_spinning, NULL);
}

static const struct explore_world sleep_under_spinlock = {
	.name = "lock/sleep-spinning",
	.shows = "a mutex under a spinlock is found",
	.finds = "sleeps (&a) and holds the spinlock &spin",
	.setup = setup_sleep,
};
EXPLORE_WORLD(sleep_under_spinlock);

static void allocate_spinning(void *arg)
{
	spin_lock(&spin);
	kfree(kmalloc(1, GFP_ATOMIC));
	kfree(kmalloc(1, GFP_NOIO));
	spin_unlock(&spin);
}

static void setup_allocate(const char *ops)
{
	setup_locks();
	explore_task("allocator", allocate_spinning, NULL);
}

static const struct explore_world allocate_under_spinlock = {
	.name = "lock/allocate-spinning",
	.shows = "an allocation that may wait, under a spinlock, is found",
	.finds = "sleeps (allocates) and holds the spinlock &spin",
	.setup = setup_allocate,
};
EXPLORE_WORLD(allocate_under_spinlock);

static void unlock_foreign(void *arg)
{
	mutex_unlock(&a);
}

static void setup_foreign(const char *ops)
{
	setup_locks();
	explore_task("locker", add_locked, NULL);
	explore_task("unlocker", unlock_foreign, NULL);
}

static const struct explore_world unlock_not_held = {
	.name = "lock/unlock-not-held",
	.shows = "unlocking what another one holds is found",
	.finds = "unlocker unlocks &a, which it does not hold",
	.setup = setup_foreign,
};
EXPLORE_WORLD(unlock_not_held);

static void write_sem(void *arg)
{
	down_write(&sem);
	explore_check(!inside && !readers_inside);
	WRITE_ONCE(inside, 1);
	add();
	WRITE_ONCE(inside, 0);
	up_write(&sem);
}

static void read_sem(void *arg)
{
	int was;

	down_read(&sem);
	was = readers_inside++;
	explore_check(!READ_ONCE(inside));
	/* That two readers are in at once: a schedule in which this is so must be. */
	explore_check(!arg || !was);
	readers_inside--;
	up_read(&sem);
}

static void setup_sem(const char *ops)
{
	setup_locks();
	explore_task("writer", write_sem, NULL);
	explore_task("reader", read_sem, NULL);
	explore_task("reader2", read_sem, NULL);
}

static const struct explore_world sem_excludes = {
	.name = "lock/rwsem",
	.shows = "a writer excludes writers and readers",
	.bound = 3,
	.setup = setup_sem,
};
EXPLORE_WORLD(sem_excludes);

static void setup_two_readers(const char *ops)
{
	setup_locks();
	explore_task("reader", read_sem, "");
	explore_task("reader2", read_sem, "");
}

static const struct explore_world sem_shares = {
	.name = "lock/rwsem-shares",
	.shows = "two readers are in at once",
	.finds = "not so: !arg || !was",
	.bound = 1,
	.setup = setup_two_readers,
};
EXPLORE_WORLD(sem_shares);

static void destroy_held(void *arg)
{
	mutex_lock(&a);
	mutex_destroy(&a);
}

static void setup_destroy_held(const char *ops)
{
	setup_locks();
	explore_task("destroyer", destroy_held, NULL);
}

static const struct explore_world destroys_held = {
	.name = "lock/destroy-held",
	.shows = "destroying a lock that is held is found",
	.finds = "&a is destroyed, and is held",
	.setup = setup_destroy_held,
};
EXPLORE_WORLD(destroys_held);

static void end_holding(void *arg)
{
	mutex_lock(&a);
}

static void setup_end_holding(const char *ops)
{
	setup_locks();
	explore_task("holder", end_holding, NULL);
}

static const struct explore_world ends_holding = {
	.name = "lock/end-holding",
	.shows = "a task that ends with a lock is found",
	.finds = "holder ends and holds &a",
	.setup = setup_end_holding,
};
EXPLORE_WORLD(ends_holding);

static void free_held(void *arg)
{
	struct mutex *m = kmalloc(sizeof(*m), GFP_KERNEL);

	mutex_init(m);
	mutex_lock(m);
	kfree(m);
}

static void setup_free_held(const char *ops)
{
	explore_task("freer", free_held, NULL);
}

static const struct explore_world frees_held = {
	.name = "lock/free-held",
	.shows = "freeing a lock that is held is found",
	.finds = "frees m, which freer holds",
	.setup = setup_free_held,
};
EXPLORE_WORLD(frees_held);
