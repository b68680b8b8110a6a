/* SPDX-License-Identifier: GPL-2.0-only */
/* Schedules of a world, one after the other, and what came of them. */
#ifndef Q2_EXPLORE_RUN_H
#define Q2_EXPLORE_RUN_H

#include "explore.h"

/**
 * struct run_options - what was asked for
 * @ops: for the world
 * @alloc_faults: allocations may fail, too
 * @schedules: of all parts, at most; 0: no limit but that of the strategy
 * @dump: folder to put each image that is checked into, or NULL
 * @parts: processes that share the work
 */
struct run_options {
	const char *ops;
	bool alloc_faults;
	u64 schedules;
	const char *dump;
	unsigned int parts;
};

extern struct run_options run_options;

/**
 * struct run_result - of one part; lies in memory that all parts share
 * @schedules: that have been run
 * @steps: points in them
 * @switches: from task to task in them
 * @cuts: schedules that ended with a power cut
 * @longest: points of the longest schedule
 * @saved: bytes that are put back before each schedule
 * @failed: a schedule has failed
 * @number: which of all: those before it, of any part, have been run and are good
 * @schedule: it, for --replay
 * @failure: why
 */
struct run_result {
	u64 schedules;
	u64 steps;
	u64 switches;
	u64 cuts;
	u64 longest;
	u64 saved;
	bool failed;
	u64 number;
	char schedule[16384];
	char failure[4096];
};

/**
 * run_part() - run the schedules of one part
 * @world: whose
 * @part: number of the part
 * @lowest: the number of the first schedule known to have failed, of any part; U64_MAX: none
 * @res: result
 *
 * Learns what reduce.h is about if that is on. Ends at the first failure, and where another part's
 * failure comes before.
 */
void run_part(const struct explore_world *world, unsigned int part, u64 *lowest,
	      struct run_result *res);

#endif
