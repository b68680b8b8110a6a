// SPDX-License-Identifier: GPL-2.0-only
/* Grace periods by a thread of their own; see env.h beside this file. */
#include "env.h"

static pthread_rwlock_t readers;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct rcu_head *queue;	     /* protected by lock, newest first */
static unsigned long queued, called; /* protected by lock */

static void *grace_periods(void *arg)
{
	pthread_mutex_lock(&lock);
	for (;;) {
		struct rcu_head *head = queue, *next;
		unsigned long n = 0;

		if (!head) {
			pthread_cond_wait(&changed, &lock);
			continue;
		}
		queue = NULL;
		pthread_mutex_unlock(&lock);
		pthread_rwlock_wrlock(&readers);
		pthread_rwlock_unlock(&readers);
		for (; head; head = next, n++) {
			next = (struct rcu_head *)head->next.next;
			head->func(head);
		}
		pthread_mutex_lock(&lock);
		called += n;
		pthread_cond_broadcast(&changed);
	}
	return arg;
}

__attribute__((constructor)) static void start(void)
{
	pthread_rwlockattr_t attr;
	pthread_t thread;

	/* Readers that keep coming must not hold up the grace period. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&readers, &attr);
	if (pthread_create(&thread, NULL, grace_periods, NULL))
		abort();
	pthread_detach(thread);
}

void tsan_read_lock(void)
{
	pthread_rwlock_rdlock(&readers);
}

void tsan_read_unlock(void)
{
	pthread_rwlock_unlock(&readers);
}

void tsan_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	head->func = func;
	pthread_mutex_lock(&lock);
	head->next.next = (struct cds_wfcq_node *)queue;
	queue = head;
	queued++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void tsan_rcu_barrier(void)
{
	unsigned long upto;

	pthread_mutex_lock(&lock);
	upto = queued;
	while (called < upto)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}
