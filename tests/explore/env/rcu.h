/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RCU and SRCU.
 *
 * A grace period of RCU ends when the last task leaves that was in a read section as it
 * began; a callback is then a task that is ready to go on, and the callbacks run one
 * after the other, oldest first. SRCU has two counters and turns from one to the other,
 * as in the kernel: a reader that comes while a grace period is waiting for the turn can
 * hold it up, one that comes after the turn cannot.
 */
#ifndef Q2_EXPLORE_RCU_H
#define Q2_EXPLORE_RCU_H

#include "atomic.h"
#include "lock.h"

/* linux/rcupdate.h */
struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
	u64 readers; /* tasks that hold it up */
};

/* A read section of the running task; they nest. */
void rcu_read_lock(void);
void rcu_read_unlock(void);
/* Have @func called when all read sections of now have ended, in a context that cannot sleep. */
void explore_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
/* Until all callbacks of now have been called. Blocks. */
void rcu_barrier(void);
/* Until all read sections of now have ended. Blocks. */
void synchronize_rcu(void);
/* Is the running task in one? */
bool rcu_read_lock_held(void);
#define synchronize_rcu_expedited() synchronize_rcu()
#define call_rcu(head, func) explore_call_rcu(head, func)
#define rcu_dereference(p) READ_ONCE(p)
#define rcu_dereference_protected(p, c) (p)
#define rcu_access_pointer(p) READ_ONCE(p)
#define rcu_assign_pointer(p, v) WRITE_ONCE(p, v)
#define RCU_INIT_POINTER(p, v) ((void)((p) = (v)))
#define rcu_replace_pointer(p, v, c) xchg(&(p), v)
#define __rcu

/* linux/rculist.h */
static inline void explore_hlist_add(struct hlist_node *node, struct hlist_head *head)
{
	explore_point("list add", "", head);
	node->next = head->next;
	node->prev = (struct hlist_node *)head;
	if (head->next)
		head->next->prev = node;
	head->next = node;
}

static inline void explore_hlist_del(struct hlist_node *node)
{
	explore_point("list del", "", node);
	if (node->next)
		node->next->prev = node->prev;
	node->prev->next = node->next;
}

#define hlist_add_head_rcu(n, h) explore_hlist_add(n, h)
#define hlist_del_rcu(n) explore_hlist_del(n)
#define explore_hlist_entry_(at, type, member)              \
	({                                                  \
		struct hlist_node *n_ = READ_ONCE(*(at));   \
		n_ ? container_of(n_, type, member) : NULL; \
	})
#define hlist_for_each_entry_rcu(p, head, member)                                \
	for (p = explore_hlist_entry_(&(head)->next, __typeof__(*p), member); p; \
	     p = explore_hlist_entry_(&(p)->member.next, __typeof__(*p), member))

/* linux/srcu.h */
struct srcu_struct {
	bool ready;
	int idx;
	unsigned int readers[2];
	u64 waiting; /* tasks in a grace period that waits for readers */
	struct explore_lock turn;
};

/* What is behind the kernel's names; @name is the object as the source calls it. */
int explore_srcu_init(struct srcu_struct *s);
int explore_srcu_read_lock(struct srcu_struct *s, const char *name);
void explore_srcu_read_unlock(struct srcu_struct *s, int idx, const char *name);
void explore_synchronize_srcu(struct srcu_struct *s, const char *name);
void explore_srcu_cleanup(struct srcu_struct *s, const char *name);
#define init_srcu_struct(s) explore_srcu_init(s)
#define cleanup_srcu_struct(s) explore_srcu_cleanup(s, #s)
#define __srcu_read_lock(s) explore_srcu_read_lock(s, #s)
#define __srcu_read_unlock(s, idx) explore_srcu_read_unlock(s, idx, #s)
#define srcu_read_lock(s) explore_srcu_read_lock(s, #s)
#define srcu_read_unlock(s, idx) explore_srcu_read_unlock(s, idx, #s)
#define synchronize_srcu(s) explore_synchronize_srcu(s, #s)
#define synchronize_srcu_expedited(s) explore_synchronize_srcu(s, #s)

/* For sparse, in the kernel. */
#define __acquire(x) ((void)0)
#define __release(x) ((void)0)

#endif
