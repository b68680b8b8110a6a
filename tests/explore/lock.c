// SPDX-License-Identifier: GPL-2.0-only
/* Locks, and the order of their classes. */
#include "reduce.h"
#include "task.h"

#define MOST_CLASSES 128

static struct explore_class *classes[MOST_CLASSES]; /* by id */
static unsigned int nr_classes;
/* Bit j of after[i]: a lock of class j was taken under one of class i. */
static u64 after[MOST_CLASSES][MOST_CLASSES / 64];
static const char *taker[MOST_CLASSES][MOST_CLASSES]; /* the task that did */

static bool is_after(unsigned int from, unsigned int to)
{
	return after[from][to / 64] >> (to % 64) & 1;
}

/* Is there a way from @from to @to? @way: the classes on it, @from first. */
static bool reaches(unsigned int from, unsigned int to, u8 *seen, unsigned int *way,
		    unsigned int *len)
{
	unsigned int i;

	if (seen[from])
		return false;
	seen[from] = 1;
	way[(*len)++] = from;
	if (from == to)
		return true;
	for (i = 1; i <= nr_classes; i++) {
		if (is_after(from, i) && reaches(i, to, seen, way, len))
			return true;
	}
	(*len)--;
	return false;
}

static void add_order(struct explore_class *from, struct explore_class *to)
{
	unsigned int way[MOST_CLASSES], len = 0, i, at = 0;
	u8 seen[MOST_CLASSES] = {};
	char text[512], takers[256];

	if (reaches(to->id, from->id, seen, way, &len)) {
		for (i = 0; i < len && at < sizeof(text); i++)
			at += snprintf(text + at, sizeof(text) - at, "%s, then ",
				       classes[way[i]]->name);
		at = 0;
		for (i = 0; i + 1 < len && at < sizeof(takers); i++)
			at += snprintf(takers + at, sizeof(takers) - at, "%s, ",
				       taker[way[i]][way[i + 1]]);
		explore_fail("locks in two orders: %s%s (taken so by %s%s)", text,
			     classes[to->id]->name, takers, current_task()->name);
	}
	taker[from->id][to->id] = current_task()->name;
	after[from->id][to->id / 64] |= BIT_ULL(to->id % 64);
}

void lock_forget_order(void)
{
	memset(after, 0, sizeof(after));
}

/* Class @class is about to be taken. */
static void check_order(struct explore_class *class, unsigned int nested, const char *name)
{
	const struct task *t = current_task();
	unsigned int i;

	if (!class->id) {
		if (nr_classes + 1 == MOST_CLASSES)
			explore_fail("more than %u classes of locks", MOST_CLASSES - 1);
		class->id = ++nr_classes;
		classes[class->id] = class;
	}
	for (i = 0; i < t->nr_held; i++) {
		struct explore_class *held = t->held[i].lock->class;

		if (held == class) {
			if (!nested)
				explore_fail("%s takes %s and holds %s, which is of the same class",
					     t->name, name, t->held[i].name);
		} else if (!is_after(held->id, class->id)) {
			add_order(held, class);
		}
	}
}

static void hold(struct explore_lock *l, enum explore_lock_kind kind, bool read, const char *name)
{
	struct task *t = current_task();

	if (t->nr_held == MOST_HELD)
		explore_fail("%s holds more than %u locks", t->name, MOST_HELD);
	t->held[t->nr_held++] = (struct held){l, kind, read, name};
	if (kind == EXPLORE_SPIN)
		t->atomic++;
}

static void let_go(struct explore_lock *l, enum explore_lock_kind kind, bool read, const char *name)
{
	struct task *t = current_task();
	unsigned int i = t->nr_held;

	while (i--) {
		if (t->held[i].lock != l || t->held[i].read != read)
			continue;
		memmove(&t->held[i], &t->held[i + 1], (--t->nr_held - i) * sizeof(t->held[0]));
		if (kind == EXPLORE_SPIN)
			t->atomic--;
		return;
	}
	explore_fail("%s unlocks %s, which it does not hold", t->name, name);
}

static void check(const struct explore_lock *l, const char *name)
{
	if (!l->class)
		explore_fail("%s was never initialized", name);
}

void explore_lock_init(struct explore_lock *l, struct explore_class *class)
{
	*l = (struct explore_lock){.class = class};
}

void explore_lock_destroy(struct explore_lock *l, const char *name)
{
	explore_point("destroy", name, l);
	check(l, name);
	if (l->owner || l->readers || l->wait_read || l->wait_write)
		explore_fail("%s is destroyed, and %s", name,
			     l->owner || l->readers ? "is held" : "somebody waits for it");
	l->class = NULL;
}

static const char *const kind_names[] = {"mutex", "spinlock", "semaphore"};

/* Those that wait for @l and can have it go on, the others do not. */
static void sort_waiters(struct explore_lock *l)
{
	if (l->owner) {
		now.runnable &= ~(l->wait_read | l->wait_write);
	} else if (l->readers) {
		now.runnable &= ~l->wait_write;
		task_wake(l->wait_read);
	} else {
		task_wake(l->wait_read | l->wait_write);
	}
}

static void wait_for(struct explore_lock *l, u64 *mask, const char *why, const char *name)
{
	*mask |= current_bit();
	current_task()->lock = l;
	task_wait(why, name);
	*mask &= ~current_bit();
}

void explore_lock(struct explore_lock *l, enum explore_lock_kind kind, unsigned int nested,
		  const char *name)
{
	if (kind != EXPLORE_SPIN)
		explore_might_sleep(name);
	explore_point("lock", name, l);
	check(l, name);
	check_order(l->class, nested, name);
	if (l->owner || l->readers)
		wait_for(l, &l->wait_write, kind_names[kind], name);
	l->owner = now.current + 1;
	sort_waiters(l);
	hold(l, kind, false, name);
}

bool explore_trylock(struct explore_lock *l, enum explore_lock_kind kind, const char *name)
{
	explore_point("trylock", name, l);
	check(l, name);
	reduce_tried(l->class);
	if (l->owner || l->readers)
		return false;
	if (!l->class->id)
		check_order(l->class, 1, name);
	l->owner = now.current + 1;
	sort_waiters(l);
	hold(l, kind, false, name);
	return true;
}

void explore_unlock(struct explore_lock *l, enum explore_lock_kind kind, const char *name)
{
	point_release("unlock", name, l, !l->class || reduce_is_tried(l->class));
	check(l, name);
	let_go(l, kind, false, name);
	l->owner = 0;
	sort_waiters(l);
}

void explore_lock_read(struct explore_lock *l, unsigned int nested, const char *name)
{
	explore_might_sleep(name);
	explore_point("lock", name, l);
	check(l, name);
	check_order(l->class, nested, name);
	if (l->owner || l->wait_write)
		wait_for(l, &l->wait_read, "semaphore to read", name);
	l->readers |= current_bit();
	sort_waiters(l);
	hold(l, EXPLORE_SEM, true, name);
}

bool explore_trylock_read(struct explore_lock *l, const char *name)
{
	explore_point("trylock", name, l);
	check(l, name);
	reduce_tried(l->class);
	if (l->owner || l->wait_write)
		return false;
	if (!l->class->id)
		check_order(l->class, 1, name);
	l->readers |= current_bit();
	sort_waiters(l);
	hold(l, EXPLORE_SEM, true, name);
	return true;
}

void explore_unlock_read(struct explore_lock *l, const char *name)
{
	point_release("unlock", name, l, !l->class || reduce_is_tried(l->class));
	check(l, name);
	let_go(l, EXPLORE_SEM, true, name);
	l->readers &= ~current_bit();
	sort_waiters(l);
}

void explore_assert_held(const struct explore_lock *l, bool write, const char *name)
{
	if (l->owner == now.current + 1 || (!write && (l->readers & current_bit())))
		return;
	explore_fail("%s does not hold %s, and should", current_task()->name, name);
}

bool explore_is_locked(const struct explore_lock *l)
{
	explore_point("is locked", "", l);
	reduce_tried(l->class);
	return l->owner || l->readers;
}

void lock_check_end(const struct task *task)
{
	if (task->nr_held)
		explore_fail("%s ends and holds %s", task->name,
			     task->held[task->nr_held - 1].name);
}

void lock_check_free(const void *p, size_t bytes)
{
	u64 left;

	for (left = now.tasks; left; left &= left - 1) {
		const struct task *t = &tasks[__builtin_ctzll(left)];
		unsigned int i;

		if ((size_t)((const u8 *)t->lock - (const u8 *)p) < bytes)
			explore_fail("%s frees a lock that %s waits for", current_task()->name,
				     t->name);
		if ((size_t)((const u8 *)t->queue - (const u8 *)p) < bytes)
			explore_fail("%s frees a wait queue that %s is in", current_task()->name,
				     t->name);
		for (i = 0; i < t->nr_held; i++) {
			if ((size_t)((const u8 *)t->held[i].lock - (const u8 *)p) < bytes)
				explore_fail("%s frees %s, which %s holds", current_task()->name,
					     t->held[i].name, t->name);
		}
	}
}
