/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mutexes, spinlocks and read-write semaphores, and the order they are taken in.
 *
 * All calls are points. Whoever waits gets a lock in any order. A reader that comes to
 * a semaphore while a writer waits has to wait, as in the kernel, where it mostly does:
 * a task that takes it twice for reading can hang, and taking it twice is a failure.
 *
 * Locks that are initialized at one place of the source are of one class. The order of
 * classes is remembered over all schedules of a run, and a cycle in it is a failure
 * though no schedule hangs; so is a lock taken under another one of its class without
 * the word "nested". What is got by trylock has no order, as with lockdep.
 */
#ifndef Q2_EXPLORE_LOCK_H
#define Q2_EXPLORE_LOCK_H

#include "point.h"

/* Locks of one class; lives as long as the program, whatever becomes of a schedule. */
struct explore_class {
	const char *name;
	int id; /* 1 and up, 0: none yet */
};

/* "static DEFINE_MUTEX(x)" makes the class static, and the lock visible, which does no harm. */
#define EXPLORE_CLASS_(var, text) \
	struct explore_class var __attribute__((section("explore_keep"))) = {.name = (text)}
#define EXPLORE_CLASS(var, text) static EXPLORE_CLASS_(var, text)

struct explore_lock {
	struct explore_class *class; /* NULL: never initialized */
	unsigned int owner;	     /* task + 1 */
	u64 readers;		     /* tasks */
	u64 wait_read;		     /* tasks */
	u64 wait_write;		     /* tasks */
};

enum explore_lock_kind {
	EXPLORE_MUTEX,
	EXPLORE_SPIN,
	EXPLORE_SEM,
};

/*
 * What is behind the kernel's names. @name: the lock as the source calls it; @nested: 0, or it
 * may be taken under another one of its class.
 */
void explore_lock_init(struct explore_lock *l, struct explore_class *class);
void explore_lock_destroy(struct explore_lock *l, const char *name);
void explore_lock(struct explore_lock *l, enum explore_lock_kind kind, unsigned int nested,
		  const char *name);
bool explore_trylock(struct explore_lock *l, enum explore_lock_kind kind, const char *name);
void explore_unlock(struct explore_lock *l, enum explore_lock_kind kind, const char *name);
void explore_lock_read(struct explore_lock *l, unsigned int nested, const char *name);
bool explore_trylock_read(struct explore_lock *l, const char *name);
void explore_unlock_read(struct explore_lock *l, const char *name);
void explore_assert_held(const struct explore_lock *l, bool write, const char *name);
bool explore_is_locked(const struct explore_lock *l);

#define explore_init_(l)                                \
	do {                                            \
		EXPLORE_CLASS(class_, #l);              \
		explore_lock_init(&(l)->lock, &class_); \
	} while (0)

/* linux/mutex.h */
struct mutex {
	struct explore_lock lock;
};

#define DEFINE_MUTEX(var)                  \
	EXPLORE_CLASS_(var##_class, #var); \
	struct mutex var = {.lock.class = &var##_class}
#define mutex_init(l) explore_init_(l)
#define mutex_destroy(l) explore_lock_destroy(&(l)->lock, #l)
#define mutex_lock(l) explore_lock(&(l)->lock, EXPLORE_MUTEX, 0, #l)
#define mutex_lock_nested(l, n) explore_lock(&(l)->lock, EXPLORE_MUTEX, n, #l)
#define mutex_trylock(l) explore_trylock(&(l)->lock, EXPLORE_MUTEX, #l)
#define mutex_unlock(l) explore_unlock(&(l)->lock, EXPLORE_MUTEX, #l)
#define mutex_is_locked(l) explore_is_locked(&(l)->lock)

/* linux/spinlock.h: there are no interrupts; what runs at an I/O's end is a task that cannot sleep.
 */
typedef struct {
	struct explore_lock lock;
} spinlock_t;

#define DEFINE_SPINLOCK(var)               \
	EXPLORE_CLASS_(var##_class, #var); \
	spinlock_t var = {.lock.class = &var##_class}
#define spin_lock_init(l) explore_init_(l)
#define spin_lock(l) explore_lock(&(l)->lock, EXPLORE_SPIN, 0, #l)
#define spin_lock_nested(l, n) explore_lock(&(l)->lock, EXPLORE_SPIN, n, #l)
#define spin_trylock(l) explore_trylock(&(l)->lock, EXPLORE_SPIN, #l)
#define spin_unlock(l) explore_unlock(&(l)->lock, EXPLORE_SPIN, #l)
#define spin_lock_bh(l) spin_lock(l)
#define spin_unlock_bh(l) spin_unlock(l)
#define spin_lock_irq(l) spin_lock(l)
#define spin_unlock_irq(l) spin_unlock(l)
#define spin_lock_irqsave(l, f) ((f) = 0, spin_lock(l))
#define spin_unlock_irqrestore(l, f) ((void)(f), spin_unlock(l))

/* linux/rwsem.h */
struct rw_semaphore {
	struct explore_lock lock;
};

#define DECLARE_RWSEM(var)                \
	EXPLORE_CLASS(var##_class, #var); \
	struct rw_semaphore var = {.lock.class = &var##_class}
#define init_rwsem(l) explore_init_(l)
#define down_write(l) explore_lock(&(l)->lock, EXPLORE_SEM, 0, #l)
#define down_write_nested(l, n) explore_lock(&(l)->lock, EXPLORE_SEM, n, #l)
#define down_write_trylock(l) explore_trylock(&(l)->lock, EXPLORE_SEM, #l)
#define up_write(l) explore_unlock(&(l)->lock, EXPLORE_SEM, #l)
#define down_read(l) explore_lock_read(&(l)->lock, 0, #l)
#define down_read_nested(l, n) explore_lock_read(&(l)->lock, n, #l)
#define down_read_trylock(l) explore_trylock_read(&(l)->lock, #l)
#define up_read(l) explore_unlock_read(&(l)->lock, #l)

/* linux/lockdep.h */
#define lockdep_assert_held(l) explore_assert_held(&(l)->lock, false, #l)
#define lockdep_assert_held_write(l) explore_assert_held(&(l)->lock, true, #l)
#define lockdep_assert_held_read(l) explore_assert_held(&(l)->lock, false, #l)

#endif
