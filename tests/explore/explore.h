/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a world says to the explorer. A world is a small set-up, a few tasks that use
 * the code under test, and a judge.
 *
 * The set-up runs once. What memory of the arena (kmalloc() and the like) and the static
 * variables of the world and of the code under test hold then is where each schedule
 * starts. In a schedule the tasks run as the scheduler has it, then @end runs alone. So
 * a world needs no code that puts things back, and must keep nothing elsewhere: no
 * malloc(), no variable of the C library.
 *
 * The set-up and @end run as tasks do, and may block; the scheduler makes no choices
 * there. What waits when the set-up is over, a worker for its time, goes on waiting in each
 * schedule.
 */
#ifndef Q2_EXPLORE_H
#define Q2_EXPLORE_H

#include "env.h"

/**
 * struct explore_world - a world
 * @name: a word, for --world
 * @shows: a sentence: what has been shown if no schedule fails
 * @finds: NULL, or a part of the message that some schedule must fail with: the world
 *         is wrong on purpose
 * @bound: preemptions in a schedule, unless the command line says otherwise
 * @switches: times that another task than the next goes on where one waits, likewise;
 *            0: no limit
 * @faults: faults in a schedule, likewise
 * @cuts: can the power be cut in it, likewise
 * @early: times that time may pass early, likewise
 * @setup: make it, and name the tasks with explore_task(); @ops is from --ops, or ""
 * @end: judge a schedule that has come to its end; or NULL
 * @cut: judge what is durable after a power cut; the tasks are gone, and their memory
 *       is as it was. NULL: the power is never cut
 * @always: what is so at each step: fails if not. Reads plainly and calls nothing of
 *          env/sync.h. NULL: nothing
 * @print: a few words on the state, for the trace; or NULL
 */
struct explore_world {
	const char *name;
	const char *shows;
	const char *finds;
	unsigned int bound;
	unsigned int switches;
	unsigned int faults;
	unsigned int cuts;
	unsigned int early;
	void (*setup)(const char *ops);
	void (*end)(void);
	void (*cut)(void);
	void (*always)(void);
	void (*print)(char *buf, size_t bytes);
};

/* Make a world known. At file level, once a world. */
#define EXPLORE_WORLD(var)                                   \
	static const struct explore_world *const var##_entry \
		__attribute__((used, section("explore_worlds"))) = &(var)

/**
 * explore_task() - a task of the world
 * @name: for messages; text that stays
 * @run: what it does
 * @arg: its argument
 *
 * During the set-up: each schedule starts with it. Later: from now on. The schedule has
 * come to its end when all of these have returned.
 */
void explore_task(const char *name, void (*run)(void *arg), void *arg);

/**
 * explore_event() - something the world around does later: an I/O that ends
 * @name: for messages; text that stays
 * @run: what is done then; in a context that cannot sleep
 * @arg: its argument
 *
 * When is the scheduler's choice. The schedule does not wait for it.
 */
void explore_event(const char *name, void (*run)(void *arg), void *arg);

/**
 * explore_choose() - a choice that is not about tasks
 * @n: how many ways there are, at least 1
 * @what: for the trace; text that stays
 *
 * All of them are explored. Return: 0 .. @n - 1; 0 outside of a schedule.
 */
unsigned int explore_choose(unsigned int n, const char *what);

/* As explore_choose(); other ways than 0 are faults, of which a schedule has a few at most. */
unsigned int explore_choose_fault(unsigned int n, const char *what);

/* Faults that there have been in this schedule. */
unsigned int explore_faults(void);

/* The power may be cut here. If it is, this does not return. */
void explore_maybe_cut(const char *what);

/* The name of the running task. */
const char *explore_task_name(void);

/* Is this between the set-up and the end? */
bool explore_exploring(void);

/* Fail if memory of the arena has not been given back. */
void explore_check_leaks(void);

/* Fail unless @c. */
#define explore_check(c)                                                           \
	do {                                                                       \
		if (!(c))                                                          \
			explore_fail("%s:%d: not so: %s", __FILE__, __LINE__, #c); \
	} while (0)

#endif
