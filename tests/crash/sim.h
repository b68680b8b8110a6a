/* SPDX-License-Identifier: GPL-2.0-only */
/* The simulation's runner: options, random numbers, failures. */
#ifndef Q2_SIM_H
#define Q2_SIM_H

#include "env.h"
#include "stamp.h"

/**
 * struct sim_options - what was asked for
 * @seed: everything random comes from it
 * @states: crash states that all tests together look at, about
 * @seconds: go on with further seeds for so long; 0: one round
 * @qemu_every: each so many states are shown to qemu-img as well; 0: none
 * @only: run tests whose name holds this; NULL: all
 * @dir: scratch folder
 * @args: what follows the options; ends with NULL
 * @stop: leave after the first failure
 * @verbose: say what is being done
 */
struct sim_options {
	u64 seed;
	unsigned long states;
	unsigned long seconds;
	unsigned long qemu_every;
	const char *only;
	const char *dir;
	char **args;
	bool stop;
	bool verbose;
};
extern struct sim_options sim;

/* What was looked at, for the closing lines. */
struct sim_count {
	unsigned long ops;
	unsigned long states;
	unsigned long reopened;
	unsigned long faults;
	unsigned long sequences;
	unsigned long qemu;
};
extern struct sim_count sim_count;

struct rng {
	u64 state;
};

u64 rng_next(struct rng *r);
/* 0 .. n - 1 */
u64 rng_below(struct rng *r, u64 n);
static inline bool rng_one_in(struct rng *r, u64 n)
{
	return !rng_below(r, n);
}

/* A test is left at once: main thread only. Elsewhere the failure is noted. */
void sim_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Has the running test failed (for threads)? */
bool sim_failed(void);
/* What is being done; printed with a failure. */
void sim_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define FAIL(...) sim_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(c)                        \
	do {                            \
		if (!(c))               \
			FAIL("%s", #c); \
	} while (0)

/* A verdict is being found: nothing it does is judged again. */
extern bool sim_judging;

/* Run one test by name; @run gets @arg. Counted as passed or failed. */
void sim_test(const char *name, void (*run)(void *arg), void *arg);
bool sim_wanted(const char *name);

void *xalloc(size_t bytes);

/* Allocations of the code under test: the @nth from now fails, all later ones too if @sticky. */
void fault_alloc(unsigned long nth, bool sticky);
/* None fails and none is counted for a while. */
void fault_alloc_pause(bool pause);

/* What the program is there for: groups.c, or replay/. Called again and again with --seconds. */
void sim_run(void);

/* The groups of tests. */
void run_random(void);
void run_faults(void);
void run_sequences(void);
void run_space(void);
void run_threads(void);
void run_turns(void);
void run_merges(void);

#endif
