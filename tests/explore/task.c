// SPDX-License-Identifier: GPL-2.0-only
/* Tasks, and the switch from one to the other. */
#include "task.h"
#include "arena.h"
#include "reduce.h"

#define STACK_BYTES (64U << 10)

struct schedule now;
struct task tasks[MOST_TASKS];
struct engine engine = {.most_steps = 100000};

static u8 stacks[MOST_TASKS][STACK_BYTES] __attribute__((aligned(4096)));
static void *main_sp; /* of who called schedule_run() */

void explore_switch(void **save, void *to);

void explore_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(engine.failure, sizeof(engine.failure), fmt, args);
	va_end(args);
	if (now.current == NO_TASK) {
		fprintf(stderr, "%s\n", engine.failure);
		abort();
	}
	schedule_leave();
}

/* Tasks of a mask: few, as a rule. */
static inline unsigned int count(u64 mask)
{
	unsigned int n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

/* Number @c of the tasks of @mask, counted from behind the running one on. */
static inline unsigned int pick(u64 mask, unsigned int c)
{
	unsigned int turn = (now.current + 1) % MOST_TASKS;
	u64 turned = turn ? mask >> turn | mask << (MOST_TASKS - turn) : mask;

	while (c--)
		turned &= turned - 1;
	return (__builtin_ctzll(turned) + turn) % MOST_TASKS;
}

static void task_main(void);

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

static bool reported; /* by ASan, in this schedule */

/* A report does not end the program: it ends the schedule, at the next point. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "halt_on_error=0:detect_leaks=0:handle_segv=0:use_sigaltstack=0:detect_stack_use_after_return=0";
}

void __asan_on_error(void)
{
	reported = true;
}

/* It wants to know on which stack we are, and be told again on arrival. */
static const void *main_bottom;
static size_t main_size;

static void before_switch(unsigned int nr)
{
	if (nr == NO_TASK)
		__sanitizer_start_switch_fiber(NULL, main_bottom, main_size);
	else
		__sanitizer_start_switch_fiber(NULL, stacks[nr], STACK_BYTES);
}

static void after_switch(void)
{
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
}

/* The first switch of all comes from there. */
static void after_first_switch(void)
{
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(NULL, &bottom, &size);
	if (!main_bottom) {
		main_bottom = bottom;
		main_size = size;
	}
}

/* The task before left its frames there. */
static void clean_stack(unsigned int nr)
{
	ASAN_UNPOISON_MEMORY_REGION(stacks[nr], STACK_BYTES);
}

static bool take_report(void)
{
	bool was = reported;

	reported = false;
	return was;
}
#else
static inline void before_switch(unsigned int nr)
{
}

static inline void after_switch(void)
{
}

static inline void after_first_switch(void)
{
}

static void clean_stack(unsigned int nr)
{
}

static bool take_report(void)
{
	return false;
}
#endif

void schedule_leave(void)
{
	void *unused;

	before_switch(NO_TASK);
	explore_switch(&unused, main_sp);
	__builtin_unreachable();
}

/* A stack as explore_switch() leaves it, that returns to task_main(). */
static void make_stack(unsigned int nr)
{
	void **top = (void **)(stacks[nr] + STACK_BYTES);

	clean_stack(nr);
#if defined(__x86_64__)
	*--top = NULL; /* so that the stack is aligned as after a call */
	*--top = (void *)task_main;
	top -= 6;
#else
	top -= 20;
	top[11] = (void *)task_main; /* x30 */
#endif
	tasks[nr].sp = top;
}

#define MOST_SAVED 4

/* A task, and what its stack holds. */
static struct {
	unsigned int nr;
	size_t bytes;
	struct task task;
	u8 stack[STACK_BYTES];
} saved_tasks[MOST_SAVED];
static unsigned int nr_saved;

void tasks_save(void)
{
	u64 left;

	nr_saved = 0;
	for (left = now.tasks; left; left &= left - 1) {
		unsigned int nr = __builtin_ctzll(left);
		u8 *sp = tasks[nr].sp;

		if (nr_saved == MOST_SAVED) {
			fprintf(stderr, "the set-up leaves more than %u tasks\n", MOST_SAVED);
			abort();
		}
		clean_stack(nr);
		saved_tasks[nr_saved].nr = nr;
		saved_tasks[nr_saved].task = tasks[nr];
		saved_tasks[nr_saved].bytes = stacks[nr] + STACK_BYTES - sp;
		memcpy(saved_tasks[nr_saved].stack, sp, saved_tasks[nr_saved].bytes);
		nr_saved++;
	}
}

void tasks_restore(void)
{
	unsigned int i;

	for (i = 0; i < nr_saved; i++) {
		unsigned int nr = saved_tasks[i].nr;

		clean_stack(nr);
		tasks[nr] = saved_tasks[i].task;
		memcpy(tasks[nr].sp, saved_tasks[i].stack, saved_tasks[i].bytes);
	}
}

static void run(unsigned int nr)
{
	void **save = &tasks[now.current].sp;

	if (nr == now.current)
		return;
	engine.switches++;
	now.current = nr;
	if (tasks[nr].state == TASK_NEW) {
		tasks[nr].state = TASK_LIVE;
		make_stack(nr);
	}
	before_switch(nr);
	explore_switch(save, tasks[nr].sp);
	after_switch();
}

/* What every task waits for, for a message. */
static void report(char *buf, size_t bytes)
{
	size_t at = strlen(buf);
	unsigned int i;

	for (i = 0; i < MOST_TASKS && at < bytes; i++) {
		const struct task *t = &tasks[i];

		if (!(now.tasks & TASK_BIT(i)) || t->state == TASK_FREE || !t->why)
			continue;
		at += snprintf(buf + at, bytes - at, "\n    %s waits: %s %s", t->name, t->why,
			       t->whose);
		if (t->lock && t->lock->owner && at < bytes)
			at += snprintf(buf + at, bytes - at, ", which %s has",
				       tasks[t->lock->owner - 1].name);
	}
}

/* Another task goes on. The running one cannot, or has ended. */
static void others(void)
{
	unsigned int n, c;

	if (clock_waits() && now.runnable && !now.quiet && explore_choose_kind(CHOOSE_EARLY, 2))
		clock_advance();
	while (!now.runnable) {
		if (clock_advance())
			continue;
		snprintf(engine.failure, sizeof(engine.failure), "a wait without an end");
		report(engine.failure, sizeof(engine.failure));
		schedule_leave();
	}
	n = count(now.runnable);
	c = n > 1 && !now.quiet ? explore_choose_kind(CHOOSE_SWITCH, n) : 0;
	run(pick(now.runnable, c));
}

void task_wait(const char *why, const char *whose)
{
	struct task *t = current_task();

	t->why = why;
	t->whose = whose;
	now.runnable &= ~current_bit();
	if (engine.tracing)
		trace_step("waits", why);
	others();
	t->why = NULL;
	t->lock = NULL;
}

static void step(const char *op, const char *name, const volatile void *addr)
{
	if (unlikely(!arena_good(addr)))
		explore_fail("%s %s: memory that has been freed, or is none", op, name);
	if (take_report())
		explore_fail("%s does what ASan has told of", current_task()->name);
	engine.steps++;
	if (unlikely(++now.step - now.start > engine.most_steps))
		explore_fail("no end after %llu steps", engine.most_steps);
	if (unlikely(engine.world->always) && !now.quiet)
		engine.world->always();
}

static inline void point(const char *op, const char *name, const volatile void *addr, bool offered)
{
	u64 rest;
	unsigned int c = 0;

	step(op, name, addr);
	if (reduce_mode != REDUCE_OFF)
		offered &= reduce_touch(addr);
	rest = now.runnable & ~current_bit();
	if (rest && !now.quiet) {
		if (offered)
			c = explore_choose_kind(CHOOSE_PREEMPT, 1 + count(rest));
		else
			chooser.index++;
		if (c) {
			run(pick(rest, c - 1));
			/* What the object was may have changed meanwhile. */
			if (unlikely(!arena_good(addr)))
				explore_fail("%s %s: memory that has been freed", op, name);
		}
	}
	if (unlikely(engine.tracing))
		trace_step(op, name);
}

void explore_point(const char *op, const char *name, const volatile void *addr)
{
	point(op, name, addr, true);
}

void point_release(const char *op, const char *name, const volatile void *addr, bool offered)
{
	point(op, name, addr, offered || reduce_mode != REDUCE_ON);
}

void explore_yield(const char *op, const char *name, const volatile void *addr)
{
	u64 rest;
	unsigned int c;

	step(op, name, addr);
	rest = now.runnable & ~current_bit();
	if (rest && !now.quiet) {
		c = explore_choose_kind(CHOOSE_SWITCH, 1 + count(rest));
		if (c)
			run(pick(rest, c - 1));
	}
	if (unlikely(engine.tracing))
		trace_step(op, name);
}

static void task_main(void)
{
	struct task *t = current_task();

	after_first_switch();
	t->run(t->arg);
	if (take_report())
		explore_fail("%s does what ASan has told of", t->name);
	lock_check_end(t);
	if (t->read_sections)
		explore_fail("%s ends in a read section", t->name);
	now.tasks &= ~current_bit();
	now.runnable &= ~current_bit();
	now.counted &= ~current_bit();
	t->state = TASK_FREE;
	if (engine.tracing)
		trace_step("ends", "");
	if (!now.counted) {
		/* What the last writes left behind counts as well. */
		explore_maybe_cut("at the end");
		schedule_leave();
	}
	others();
	__builtin_unreachable();
}

unsigned int task_new(const char *name, void (*run)(void *arg), void *arg)
{
	/* The running task may have ended, and be on its stack still. */
	u64 taken = now.tasks | (now.current < MOST_TASKS ? current_bit() : 0);
	unsigned int nr;
	struct task *t;

	if (!~taken)
		explore_fail("more than %u tasks at once", MOST_TASKS);
	nr = __builtin_ctzll(~taken);
	t = &tasks[nr];
	t->run = run;
	t->arg = arg;
	t->name = name;
	t->state = TASK_NEW;
	t->id = 255;
	t->counts = t->woken = t->late = false;
	t->why = t->whose = NULL;
	t->lock = NULL;
	t->deadline = U64_MAX;
	t->queue = NULL;
	t->atomic = t->read_sections = t->nr_held = 0;
	t->readers = 0;
	t->work = t->flush = NULL;
	t->wq = NULL;
	t->flush_wq = NULL;
	now.tasks |= TASK_BIT(nr);
	now.runnable |= TASK_BIT(nr);
	return nr;
}

void task_forget(unsigned int nr)
{
	tasks[nr].state = TASK_FREE;
	now.tasks &= ~TASK_BIT(nr);
	now.runnable &= ~TASK_BIT(nr);
}

static void call_alone(void *arg)
{
	void (**alone)(void) = arg;

	(*alone)();
}

bool schedule_run(void (*alone)(void))
{
	static void (*function)(void);

	engine.failure[0] = '\0';
	if (alone) {
		function = alone;
		now.counted |= TASK_BIT(task_new("alone", call_alone, &function));
	}
	if (now.counted) {
		/* The first one to go on is a choice, too. */
		unsigned int n = count(now.runnable), c = 0, first;

		now.current = MOST_TASKS - 1;
		if (n > 1 && !now.quiet)
			c = explore_choose_kind(CHOOSE_SWITCH, n);
		first = pick(now.runnable, c);
		now.current = first;
		if (tasks[first].state == TASK_NEW) {
			tasks[first].state = TASK_LIVE;
			make_stack(first);
		}
		before_switch(first);
		explore_switch(&main_sp, tasks[first].sp);
		after_switch();
	}
	return !engine.failure[0];
}

void schedule_reset(void)
{
	memset(&now, 0, sizeof(now));
	INIT_LIST_HEAD(&now.timers);
	now.current = NO_TASK;
	/* As the kernel does: a jiffies counter that starts at 0 hides what wraps. */
	now.now = 0;
}

void explore_task(const char *name, void (*run)(void *arg), void *arg)
{
	unsigned int nr;

	if (!now.quiet) {
		explore_point("new task", name, NULL);
		nr = task_new(name, run, arg);
		tasks[nr].counts = true;
		now.counted |= TASK_BIT(nr);
		return;
	}
	world_task(name, run, arg);
}

static void event_main(void *arg)
{
	struct task *t = current_task();

	t->event(arg);
	t->atomic--;
}

void explore_event(const char *name, void (*run)(void *arg), void *arg)
{
	unsigned int nr = task_new(name, event_main, arg);

	tasks[nr].event = run;
	tasks[nr].atomic = 1;
}

const char *explore_task_name(void)
{
	return now.current < MOST_TASKS ? current_task()->name : "";
}

unsigned int explore_cpu(void)
{
	return now.current & 1;
}

void explore_might_sleep(const char *what)
{
	const struct task *t = current_task();
	unsigned int i;

	if (likely(!t->atomic && !t->read_sections))
		return;
	for (i = 0; i < t->nr_held; i++) {
		if (t->held[i].kind == EXPLORE_SPIN)
			explore_fail("%s sleeps (%s) and holds the spinlock %s", t->name, what,
				     t->held[i].name);
	}
	explore_fail("%s sleeps (%s) %s", t->name, what,
		     t->read_sections ? "in a read section" : "where it must not");
}
