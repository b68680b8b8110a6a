/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment for ThreadSanitizer: the process' twin with an RCU it can see.
 *
 * liburcu orders memory with membarrier(), of which TSan knows nothing. Here a
 * read section holds a lock shared and a grace period takes it exclusively, so
 * that what the code shared with the module does wrong under RCU stands out.
 */
#ifndef Q2_TSAN_ENV_H
#define Q2_TSAN_ENV_H

#include "../../../userspace/env/env.h"

#undef rcu_read_lock
#undef rcu_read_unlock
#undef call_rcu
#undef rcu_barrier
#undef hlist_add_head_rcu
#undef hlist_del_rcu
#undef hlist_for_each_entry_rcu

#define rcu_read_lock() tsan_read_lock()
#define rcu_read_unlock() tsan_read_unlock()
#define call_rcu(head, func) tsan_call_rcu(head, func)
#define rcu_barrier() tsan_rcu_barrier()

void tsan_read_lock(void);
void tsan_read_unlock(void);
void tsan_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void tsan_rcu_barrier(void);

static inline void hlist_add_head_rcu(struct cds_hlist_node *node, struct cds_hlist_head *head)
{
	node->next = head->next;
	node->prev = (struct cds_hlist_node *)head;
	if (head->next)
		head->next->prev = node;
	__atomic_store_n(&head->next, node, __ATOMIC_RELEASE);
}

static inline void hlist_del_rcu(struct cds_hlist_node *node)
{
	if (node->next)
		node->next->prev = node->prev;
	__atomic_store_n(&node->prev->next, node->next, __ATOMIC_RELEASE);
}

#define tsan_entry(at, type, member)                                               \
	({                                                                         \
		struct cds_hlist_node *n_ = __atomic_load_n(at, __ATOMIC_CONSUME); \
		n_ ? cds_hlist_entry(n_, type, member) : NULL;                     \
	})
#define hlist_for_each_entry_rcu(p, head, member)                      \
	for (p = tsan_entry(&(head)->next, __typeof__(*p), member); p; \
	     p = tsan_entry(&(p)->member.next, __typeof__(*p), member))

#endif
