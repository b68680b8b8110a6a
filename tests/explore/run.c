// SPDX-License-Identifier: GPL-2.0-only
/* Schedules of a world. */
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
#include "run.h"
#include "arena.h"
#include "cut.h"
#include "reduce.h"
#include "task.h"

#define MOST_WORLD_TASKS 16

struct run_options run_options = {.ops = "", .parts = 1};

static struct {
	const char *name;
	void (*run)(void *arg);
	void *arg;
} initial[MOST_WORLD_TASKS];
static unsigned int nr_initial;
static struct schedule saved; /* after the set-up */

void world_task(const char *name, void (*run)(void *arg), void *arg)
{
	if (nr_initial == MOST_WORLD_TASKS)
		explore_fail("more than %u tasks", MOST_WORLD_TASKS);
	initial[nr_initial].name = name;
	initial[nr_initial].run = run;
	initial[nr_initial++].arg = arg;
}

bool explore_exploring(void)
{
	return !now.quiet;
}

/*
 * A task that touches what it must not fails its schedule, like anything else; what it
 * was doing tells the trace.
 */
static sigjmp_buf crashed;
static volatile bool watching;

static void on_crash(int signal)
{
	if (!watching)
		_exit(3);
	siglongjmp(crashed, signal);
}

/* CPU time without a step, after which a task is told to go round in circles. */
#define STUCK_SECONDS 2

static void on_tick(int signal)
{
	static unsigned int ticks;
	static u64 seen;

	if (seen != engine.steps)
		ticks = 0;
	seen = engine.steps;
	if (watching && ++ticks > STUCK_SECONDS) {
		ticks = 0;
		siglongjmp(crashed, signal);
	}
}

static void watch_for_crashes(void)
{
	static u8 stack[65536];
	struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
	struct itimerval second = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};

	sigaltstack(&alt, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	action.sa_handler = on_tick;
	sigaction(SIGVTALRM, &action, NULL);
	setitimer(ITIMER_VIRTUAL, &second, NULL);
}

static bool run_guarded(void (*alone)(void))
{
	bool good;
	int signal = sigsetjmp(crashed, 0);

	if (signal) {
		watching = false;
		snprintf(engine.failure, sizeof(engine.failure),
			 "%s %s (signal %d), after step %llu", explore_task_name(),
			 signal == SIGVTALRM ? "goes round in circles" : "crashes", signal,
			 now.step - now.start);
		return false;
	}
	watching = true;
	good = schedule_run(alone);
	watching = false;
	return good;
}

static const struct explore_world *world;

static void call_setup(void)
{
	world->setup(run_options.ops);
}

static bool set_up(void)
{
	arena_reset();
	schedule_reset();
	nr_initial = 0;
	cut_reset();
	now.quiet = true;
	if (!run_guarded(call_setup))
		return false;
	if (now.runnable) {
		snprintf(engine.failure, sizeof(engine.failure),
			 "tasks are at work after the set-up");
		return false;
	}
	arena_save();
	tasks_save();
	saved = now;
	return true;
}

/* The tasks are gone, whatever they were at. */
static void drop_tasks(void)
{
	now.tasks = now.runnable = now.counted = 0;
	now.rcu_readers = now.rcu_waiters = 0;
	now.rcu_task = 0;
	now.rcu_first = NULL;
	now.rcu_done = now.rcu_asked;
	INIT_LIST_HEAD(&now.timers);
	now.current = NO_TASK;
}

/* Lists have their heads in @now, so it goes back to where it was. */
static void restore(void)
{
	arena_restore();
	tasks_restore();
	now = saved;
	now.quiet = false;
	now.faults = 0;
	now.current = NO_TASK;
	now.start = now.step;
}

static bool run_one(struct run_result *res)
{
	const char *wrong;
	unsigned int i;

	restore();
	for (i = 0; i < nr_initial; i++) {
		unsigned int nr = task_new(initial[i].name, initial[i].run, initial[i].arg);

		tasks[nr].counts = true;
		tasks[nr].id = i + 1;
		now.counted |= TASK_BIT(nr);
	}
	if (!run_guarded(NULL))
		return false;
	now.quiet = true;
	if (now.cut) {
		res->cuts++;
		drop_tasks();
		if (!run_guarded(world->cut))
			return false;
	} else if (world->end) {
		now.current = NO_TASK;
		if (!run_guarded(world->end))
			return false;
	}
	wrong = arena_check();
	if (wrong)
		snprintf(engine.failure, sizeof(engine.failure), "%s", wrong);
	return !wrong;
}

void run_part(const struct explore_world *the_world, unsigned int part, u64 *lowest,
	      struct run_result *res)
{
	u64 number, first_steps = 0;

	world = engine.world = the_world;
	watch_for_crashes();
	memset(res, 0, sizeof(*res));
	engine.steps = engine.switches = 0;
	if (!set_up()) {
		res->failed = true;
		snprintf(res->failure, sizeof(res->failure), "set-up: %s", engine.failure);
		__atomic_store_n(lowest, 0, __ATOMIC_RELAXED);
		return;
	}
	res->saved = arena_saved();
	if (reduce_mode == REDUCE_LEARN)
		reduce_reset(arena_saved_end());
	first_steps = engine.steps;
	chooser.strategy->begin(part, run_options.parts);
	for (;;) {
		number = res->schedules * run_options.parts + part;
		if (run_options.schedules && number >= run_options.schedules)
			break;
		if (number > __atomic_load_n(lowest, __ATOMIC_RELAXED))
			break;
		if (!choose_start())
			break;
		res->schedules++;
		if (!run_one(res)) {
			u64 seen = __atomic_load_n(lowest, __ATOMIC_RELAXED);

			res->failed = true;
			res->number = number;
			snprintf(res->failure, sizeof(res->failure), "%s", engine.failure);
			choose_print(res->schedule, sizeof(res->schedule));
			while (number < seen &&
			       !__atomic_compare_exchange_n(lowest, &seen, number, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
				;
			break;
		}
		res->longest = max(res->longest, now.step - now.start);
	}
	res->steps = engine.steps - first_steps;
	res->switches = engine.switches;
}
