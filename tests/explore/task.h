/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasks of a schedule, and the scheduler: coroutines of one thread.
 *
 * A task can go on, or it waits for something that has its number in a mask of tasks.
 * Whatever it is that makes a task able to go on takes its number off again, and adds it
 * to @runnable. A task that is chosen then gets what it waited for, always: waiting is
 * never a loop, and the same state is not reached twice by tasks that wake up in vain.
 */
#ifndef Q2_EXPLORE_TASK_H
#define Q2_EXPLORE_TASK_H

#include "explore.h"
#include "choose.h"

#define MOST_TASKS 64
#define MOST_HELD 16
#define NO_TASK MOST_TASKS
#define TASK_BIT(nr) BIT_ULL(nr)

enum task_state {
	TASK_FREE,
	TASK_NEW, /* has not begun */
	TASK_LIVE,
};

struct held {
	struct explore_lock *lock;
	enum explore_lock_kind kind;
	bool read;
	const char *name;
};

/**
 * struct task - a task
 * @sp: its stack pointer while another one runs
 * @run: its function
 * @arg: of @run
 * @event: for explore_event(), what @run calls
 * @name: for messages
 * @state: see above
 * @id: of a task of the world from its set-up: 1 and up; 255: another one
 * @counts: the schedule waits for it to return
 * @why: what it waits for: a word; NULL: nothing
 * @whose: and the object's name
 * @lock: and the lock, if it is one
 * @deadline: virtual ns at which it goes on anyway; U64_MAX: never
 * @woken: it has been called while it was about to sleep
 * @late: its deadline has passed
 * @queue: the wait queue it is in
 * @atomic: what it must not sleep in: spinlocks, callbacks
 * @read_sections: of RCU, one in the other
 * @readers: of RCU, tasks that hold up its grace period
 * @nr_held: locks
 * @held: locks
 * @work: the work item it runs; its memory may be gone
 * @wq: and the queue, as long as it counts there
 * @work_seq: and which time
 * @flush: the work item it waits for, with @flush_seq; its memory may be gone
 * @flush_wq: the queue whose items up to @flush_seq it waits for
 * @flush_seq: see @flush
 */
struct task {
	void *sp;
	void (*run)(void *arg);
	void *arg;
	void (*event)(void *arg);
	const char *name;
	enum task_state state;
	u8 id;
	bool counts;
	bool woken;
	bool late;
	const char *why;
	const char *whose;
	const struct explore_lock *lock;
	u64 deadline;
	wait_queue_head_t *queue;
	unsigned int atomic;
	unsigned int read_sections;
	u64 readers;
	unsigned int nr_held;
	struct held held[MOST_HELD];
	const struct work_struct *work;
	struct workqueue_struct *wq;
	u64 work_seq;
	const struct work_struct *flush;
	const struct workqueue_struct *flush_wq;
	u64 flush_seq;
};

/**
 * struct schedule - all that a schedule changes outside of the arena and the tasks
 * @runnable: tasks that can go on
 * @tasks: tasks that there are
 * @counted: tasks that the schedule waits for
 * @current: the number of the running one
 * @quiet: no choices: set-up and end
 * @cut: the power has been cut
 * @step: points so far, those of the set-up included
 * @start: these
 * @now: virtual ns
 * @timers: struct work_struct that are pending on time
 * @wqs: workqueues that there are
 * @work_seq: how often work has been queued
 * @rcu_readers: tasks in a read section
 * @rcu_waiters: tasks in synchronize_rcu() and rcu_barrier()
 * @rcu_first: callbacks, oldest first
 * @rcu_last: the youngest
 * @rcu_asked: callbacks so far
 * @rcu_done: callbacks that have run
 * @rcu_task: the task that runs callbacks + 1
 * @faults: how many there have been
 */
struct schedule {
	unsigned int faults;
	u64 runnable;
	u64 tasks;
	u64 counted;
	unsigned int current;
	bool quiet;
	bool cut;
	u64 step;
	u64 start;
	u64 now;
	struct list_head timers;
	u64 work_seq;
	u64 rcu_readers;
	u64 rcu_waiters;
	struct rcu_head *rcu_first;
	struct rcu_head *rcu_last;
	u64 rcu_asked;
	u64 rcu_done;
	unsigned int rcu_task;
};

extern struct schedule now;
extern struct task tasks[MOST_TASKS];

/**
 * struct engine - counters, and what is the same for many schedules
 * @steps: points of all schedules
 * @switches: from one task to another
 * @most_steps: a schedule that has more is endless
 * @tracing: print each step
 * @failure: what went wrong, or ""
 * @world: whose schedules these are
 */
struct engine {
	u64 steps;
	u64 switches;
	u64 most_steps;
	bool tracing;
	char failure[4096];
	const struct explore_world *world;
};

extern struct engine engine;

static inline struct task *current_task(void)
{
	return &tasks[now.current];
}

static inline u64 current_bit(void)
{
	return TASK_BIT(now.current);
}

/* As explore_point(), before something that only lets others go on: see reduce.h. */
void point_release(const char *op, const char *name, const volatile void *addr, bool offered);

/* A new task, able to go on. Return: its number. */
unsigned int task_new(const char *name, void (*run)(void *arg), void *arg);

/* A task that has not begun shall not. */
void task_forget(unsigned int nr);

/*
 * The running task cannot go on: let others, until somebody has made it runnable.
 * @why and @whose say what it waits for.
 */
void task_wait(const char *why, const char *whose);

/* Tasks of a mask can go on. */
static inline void task_wake(u64 mask)
{
	now.runnable |= mask;
}

/* All that a schedule waits for, from nothing. Return: true, or false with engine.failure. */
bool schedule_run(void (*alone)(void));

/* The schedule ends here. Called by a task; does not return. */
void schedule_leave(void) __attribute__((noreturn));

/* Forget all tasks. */
void schedule_reset(void);

/*
 * Keep the tasks that there are, which all wait; and have them again as they were then.
 * What they hold and wait for is in @now and in the arena, which go back with them.
 */
void tasks_save(void);
void tasks_restore(void);

/* Time passes up to the next deadline. Return: false if there is none. */
bool clock_advance(void);

/* Is there a deadline? */
bool clock_waits(void);

/* Memory [@p, @p + @bytes) goes: fail if it is in use by a lock, a wait or as work. */
void lock_check_free(const void *p, size_t bytes);
void work_check_free(const void *p, size_t bytes);

/* A task has left its last read section; a callback may be due. */
void rcu_left(unsigned int nr);

/* The time of a work item has come. */
void work_expire(struct work_struct *work);

/* Nothing is known of the order of locks, for another world. */
void lock_forget_order(void);

/* Locks a task has when it ends; fails if there are any. */
void lock_check_end(const struct task *task);

/* During the set-up: a task each schedule starts with. */
void world_task(const char *name, void (*run)(void *arg), void *arg);

/* A step, for the trace. */
void trace_step(const char *op, const char *name);

#endif
