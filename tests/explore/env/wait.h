/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wait queues and completions.
 *
 * wait_event() looks at its condition, enters the queue, looks again, and sleeps unless
 * somebody has called wake_up() in between: a wake-up that is missing, or comes before
 * what it tells of, leaves the task asleep, and the explorer says so.
 */
#ifndef Q2_EXPLORE_WAIT_H
#define Q2_EXPLORE_WAIT_H

#include "point.h"

/* linux/wait.h. Nobody waits exclusively, so wake_up() is wake_up_all(). */
typedef struct wait_queue_head {
	bool ready;
	u64 waiters; /* tasks */
} wait_queue_head_t;

#define DECLARE_WAIT_QUEUE_HEAD(var) wait_queue_head_t var = {.ready = true}
#define init_waitqueue_head(q) ((void)(*(q) = (wait_queue_head_t){.ready = true}))
#define wake_up(q) explore_wake_up(q, #q)
#define wake_up_all(q) explore_wake_up(q, #q)
#define waitqueue_active(q) explore_queue_active(q, #q)
#define wq_has_sleeper(q) explore_queue_active(q, #q)

/* What is behind these. @name: the queue as the source calls it. */
void explore_wake_up(wait_queue_head_t *q, const char *name);
bool explore_queue_active(wait_queue_head_t *q, const char *name);

/* The parts of wait_event(). @ns: virtual time after which to go on; U64_MAX: never. */
void explore_wait_enter(wait_queue_head_t *q, u64 ns, const char *name);
/* Sleep. Return: false once the time is over. */
bool explore_wait_sleep(wait_queue_head_t *q, const char *name);
/* Return: virtual ns that are left. */
u64 explore_wait_leave(wait_queue_head_t *q);

/* ns that are left, at least 1; 0 if the condition is false after @ns. */
#define explore_wait_(q, condition, ns, text)                        \
	({                                                           \
		u64 left_ = (ns);                                    \
		bool done_;                                          \
		explore_might_sleep("wait_event");                   \
		done_ = (condition);                                 \
		if (!done_) {                                        \
			explore_wait_enter(q, left_, text);          \
			for (;;) {                                   \
				bool more_;                          \
				done_ = (condition);                 \
				if (done_)                           \
					break;                       \
				more_ = explore_wait_sleep(q, text); \
				if (!more_) {                        \
					done_ = (condition);         \
					break;                       \
				}                                    \
			}                                            \
			left_ = explore_wait_leave(q);               \
			left_ = done_ ? max(left_, 1ULL) : 0;        \
		}                                                    \
		left_;                                               \
	})

#define wait_event(q, condition) ((void)explore_wait_(&(q), condition, U64_MAX, #q ": " #condition))
#define wait_event_timeout(q, condition, t)                                           \
	({                                                                            \
		long t_ = (t);                                                        \
		u64 ns_ = explore_wait_(&(q), condition, (u64)t_ * (1000000000 / HZ), \
					#q ": " #condition);                          \
		(long)DIV_ROUND_UP(ns_, 1000000000 / HZ);                             \
	})
#define wait_event_hrtimeout(q, condition, t) \
	(explore_wait_(&(q), condition, (u64)(t), #q ": " #condition) ? 0 : -ETIME)
/* There are no signals. */
#define wait_event_interruptible(q, condition) \
	(explore_wait_(&(q), condition, U64_MAX, #q ": " #condition), 0)
#define wait_event_killable(q, condition) \
	(explore_wait_(&(q), condition, U64_MAX, #q ": " #condition), 0)

/* linux/completion.h */
struct completion {
	bool ready;
	unsigned int done;
	u64 waiters; /* tasks */
};

#define DECLARE_COMPLETION_ONSTACK(var) struct completion var = {.ready = true}
#define init_completion(c) ((void)(*(c) = (struct completion){.ready = true}))
#define reinit_completion(c) ((void)((c)->done = 0))
#define complete(c) explore_complete(c, 1, #c)
#define complete_all(c) explore_complete(c, UINT_MAX / 2, #c)
#define wait_for_completion(c) ((void)explore_wait_for_completion(c, #c))
#define wait_for_completion_io(c) wait_for_completion(c)
#define completion_done(c) explore_completion_done(c, #c)

/* What is behind these. @n: how many it lets go. */
void explore_complete(struct completion *c, unsigned int n, const char *name);
void explore_wait_for_completion(struct completion *c, const char *name);
bool explore_completion_done(struct completion *c, const char *name);

#endif
