// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random schedules: uniform, and by priority (PCT).
 *
 * Schedule number n of a seed is the same whatever runs before it, in whichever part.
 *
 * PCT (Burckhardt and others, "A randomized scheduler with probabilistic guarantees of
 * finding bugs", 2010): each task gets a priority by chance, the highest that can go on
 * does; at depth - 1 steps chosen by chance the running one gets the lowest. A bug that
 * needs d such steps is met with a probability of at least 1 / (n k^(d-1)), for n tasks
 * and k steps. What is no choice of tasks is uniform, and faults are as likely as to
 * come once a schedule.
 */
#include "choose.h"
#include "task.h"

#define MOST_DEPTH 16

static u64 state, number;
static unsigned int part, parts;
static u32 change[MOST_DEPTH];
static u64 priority[MOST_TASKS];
static u64 ranked; /* tasks with a priority */

static u64 next(void)
{
	u64 z = state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* 0 .. @n - 1 */
static u32 below(u32 n)
{
	return ((next() >> 32) * n) >> 32;
}

static void random_begin(unsigned int own_part, unsigned int all_parts)
{
	part = own_part;
	parts = all_parts;
	number = 0;
}

static bool random_start(void)
{
	unsigned int i;

	state = chooser.seed * 0xd1342543de82ef95ULL + (number++ * parts + part);
	next();
	ranked = 0;
	for (i = 0; i + 1 < chooser.depth && i < MOST_DEPTH; i++)
		change[i] = below(chooser.expected + chooser.expected / 4 + 1);
	return true;
}

static unsigned int random_other(enum choose_kind kind, unsigned int n)
{
	switch (kind) {
	case CHOOSE_FAULT:
	case CHOOSE_CUT:
	case CHOOSE_EARLY:
		return below(chooser.expected_kind[kind] + 1) ? 0 : 1 + below(n - 1);
	default:
		return below(n);
	}
}

static unsigned int random_choose(enum choose_kind kind, unsigned int n)
{
	return random_other(kind, n);
}

/* Which way of @mask task @nr is, as task.c counts them. */
static unsigned int way_of(u64 mask, unsigned int nr)
{
	unsigned int turn = (now.current + 1) % MOST_TASKS;
	u64 turned = turn ? mask >> turn | mask << (MOST_TASKS - turn) : mask;

	return __builtin_popcountll(turned & (TASK_BIT((nr - turn) % MOST_TASKS) - 1));
}

static u64 priority_of(unsigned int nr)
{
	if (!(ranked & TASK_BIT(nr))) {
		ranked |= TASK_BIT(nr);
		priority[nr] = MOST_DEPTH + (next() >> 8);
	}
	return priority[nr];
}

static unsigned int pct_choose(enum choose_kind kind, unsigned int n)
{
	unsigned int i, best_nr = NO_TASK, self = now.current;
	u64 mask = now.runnable, best = 0, left;

	if (kind != CHOOSE_PREEMPT && kind != CHOOSE_SWITCH)
		return random_other(kind, n);
	/* Numbers of tasks are used again: those that have ended are ranked anew. */
	ranked &= now.tasks;
	if (!(mask & current_bit()))
		self = NO_TASK;
	for (i = 0; self != NO_TASK && i + 1 < chooser.depth && i < MOST_DEPTH; i++) {
		if (change[i] == chooser.index) {
			ranked |= current_bit();
			priority[self] = i;
		}
	}
	for (left = mask; left; left &= left - 1) {
		unsigned int nr = __builtin_ctzll(left);
		u64 p = priority_of(nr);

		if (best_nr == NO_TASK || p > best) {
			best = p;
			best_nr = nr;
		}
	}
	if (self == NO_TASK)
		return way_of(mask, best_nr);
	return best_nr == self ? 0 : 1 + way_of(mask & ~current_bit(), best_nr);
}

const struct strategy strategy_random = {
	.name = "random",
	.begin = random_begin,
	.start = random_start,
	.choose = random_choose,
};

const struct strategy strategy_pct = {
	.name = "pct",
	.begin = random_begin,
	.start = random_start,
	.choose = pct_choose,
};
