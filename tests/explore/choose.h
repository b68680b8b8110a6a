/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Choices: which of several ways a schedule takes, at each place where it has a choice.
 *
 * A schedule is the list of its choices. They are counted from 0, whoever takes them;
 * way 0 is what happens when nobody cares, and a schedule is written as the choices
 * that are not 0: "17.1-40.2" takes way 1 at choice 17 and way 2 at choice 40. So it can
 * be replayed whatever the strategy and the budgets were it was found with.
 *
 * Each kind of choice but the free ones has a budget: how often a schedule may take
 * another way than 0.
 */
#ifndef Q2_EXPLORE_CHOOSE_H
#define Q2_EXPLORE_CHOOSE_H

#include "env.h"

enum choose_kind {
	CHOOSE_PREEMPT, /* another task goes on though the running one could */
	CHOOSE_SWITCH,	/* which task goes on when the running one waits */
	CHOOSE_FAULT,	/* something fails */
	CHOOSE_CUT,	/* the power is cut */
	CHOOSE_EARLY,	/* time passes though tasks could go on */
	CHOOSE_FREE,	/* anything else */
	CHOOSE_KINDS,
};

#define CHOOSE_UNLIMITED ~0U

/**
 * struct strategy - how choices are made
 * @name: for --strategy
 * @begin: the first schedule: part @part of @parts that share the work
 * @start: a schedule starts. Return: false: there are no more
 * @choose: choose among @n ways
 */
struct strategy {
	const char *name;
	void (*begin)(unsigned int part, unsigned int parts);
	bool (*start)(void);
	unsigned int (*choose)(enum choose_kind kind, unsigned int n);
};

extern const struct strategy strategy_dfs, strategy_pct, strategy_random, strategy_replay;

/**
 * struct chooser - the strategy and the state of a schedule's choices
 * @strategy: how
 * @seed: of what is random
 * @depth: change points of PCT
 * @budget: of each schedule
 * @left: of this schedule
 * @index: choices so far
 * @seen: of each kind, those that had a budget or not
 * @expected: what @index was at the end of the schedule of ways 0: about as many choices
 *            as any schedule has
 * @expected_kind: and @seen
 * @nr_taken: those that are not 0
 * @taken: these
 */
struct chooser {
	const struct strategy *strategy;
	u64 seed;
	unsigned int depth;
	unsigned int budget[CHOOSE_KINDS];
	unsigned int left[CHOOSE_KINDS];
	u32 index;
	u32 seen[CHOOSE_KINDS];
	u32 expected;
	u32 expected_kind[CHOOSE_KINDS];
	unsigned int nr_taken;
	struct taken {
		u32 index;
		u32 way;
	} taken[4096];
};

extern struct chooser chooser;

/* Make a choice of a kind among @n ways, at least 2. Return: 0 .. @n - 1. */
unsigned int explore_choose_kind(enum choose_kind kind, unsigned int n);

/* Start the choices of a schedule. Return: false: all of them have been made. */
bool choose_start(void);

/* The schedule as text. */
void choose_print(char *buf, size_t bytes);

/* What strategy_replay is to do. Return: false: that is no schedule. */
bool choose_parse(const char *text);

#endif
