// SPDX-License-Identifier: GPL-2.0-only
/* Allocation, as the code under test sees it: from the arena, and it may fail. */
#include "arena.h"
#include "task.h"
#include "reduce.h"
#include "run.h"

void *q2_env_alloc(size_t size)
{
	void *p;

	if (run_options.alloc_faults && explore_choose_fault(2, "an allocation fails"))
		return NULL;
	p = arena_alloc(size);
	if (!p)
		explore_fail("the arena has no memory for %zu bytes", size);
	return p;
}

void explore_free(void *p)
{
	const char *wrong;

	if (!p)
		return;
	wrong = arena_free_wrong(p);
	if (wrong)
		explore_fail("%s frees %p, %s", explore_task_name(), p, wrong);
	lock_check_free(p, arena_bytes(p));
	work_check_free(p, arena_bytes(p));
	reduce_free(p, arena_bytes(p));
	arena_free(p);
}

void *explore_alloc_percpu(size_t bytes)
{
	void *p;

	if (bytes > EXPLORE_PERCPU_BYTES)
		explore_fail("more than %d bytes for a CPU", EXPLORE_PERCPU_BYTES);
	p = q2_env_alloc(EXPLORE_PERCPU_BYTES * EXPLORE_CPUS);
	if (p)
		memset(p, 0, EXPLORE_PERCPU_BYTES * EXPLORE_CPUS);
	return p;
}

void explore_check_leaks(void)
{
	if (arena_live())
		explore_fail("%u pieces of memory have not been freed", arena_live());
}
