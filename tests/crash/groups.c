// SPDX-License-Identifier: GPL-2.0-only
/* crash-sim: the image code alone, on disks in memory. */
#include "sim.h"

void sim_run(void)
{
	run_sequences();
	run_space();
	run_random();
	run_faults();
	run_turns();
	run_merges();
	run_threads();
}
