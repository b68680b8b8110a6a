/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The task that happens to submit a request, kept outside of the file system below.
 *
 * A request is served where it is submitted if nothing has to wait for that: in the middle of
 * any system call, of any task, perhaps inside a transaction of the file system on the device.
 * What that task is, and may do, must not be what the file system below goes by. All that one
 * could look at, and what is done about each:
 *
 *	hidden while it is entered (q2_task_hide())
 *		current->journal_info	ext4 takes the handle of the file system above for its
 *					own, and dies
 *		current->bio_list	bios below would be held back until the submission has
 *					returned, and waiting for one of them would never end
 *		current->plug		the same until the task unplugs
 *		current->cred		the task may lack a capability that decides: set-uid bits
 *					(file_remove_privs()), reserved blocks, quotas; audit would
 *					tell of what it never asked for. Instead: the kernel's
 *		PF_MEMALLOC_NOFS, _PIN	of the file system above. Instead: PF_MEMALLOC_NOIO, which
 *					forbids more
 *		backing_dev_info	of a buffered write above (before 6.5)
 *		I/O priority		that of the bio goes into the kiocb, not the task's
 *
 *	the reason to go to a worker instead (q2_task_may_submit())
 *		RLIMIT_FSIZE		generic_write_checks() holds the offset in the image against
 *					it, and kills the task
 *		a fatal signal		ends waits below early, and a write with -EINTR
 *		the stack		devices lie on files on devices: all on one stack
 *
 *	left as it is, since it cannot do harm
 *		PF_MEMALLOC		whoever writes memory back may use the reserve for it;
 *					without it allocations below would reclaim once more
 *		other signals		waits in read_iter and write_iter are killable at most
 *		control groups		direct I/O on blocks that are there allocates next to
 *					nothing; if the group's memory is used up, that fails,
 *					and a worker does it. I/O is charged to whoever asks
 *					for it, as on any disk
 *		dirty throttling,	direct I/O dirties no pages
 *		page-cache accounting
 *		quota			nothing is allocated without waiting; a worker does that
 *		audit, fsnotify,	hook into the calls of read(2) and write(2) above
 *		security modules	->read_iter and ->write_iter
 *		page faults		the memory is the bio's: there are none
 *		cpusets, memory policy	say where memory comes from, not whether
 *		PF_EXITING,		nothing on the way of ->read_iter and ->write_iter looks
 *		PF_DUMPCORE
 *
 * Calls that may wait (struct q2_file_ops of a file) never enter a file system in a user's
 * task: q2_task_call() hands them to a kernel thread, since a limit, a signal or a capability
 * of whoever suspends, messages or removes a device is as little to the point.
 */
#ifndef Q2_IO_TASK_H
#define Q2_IO_TASK_H

#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>

#include "compat.h"

/* Flags of the task above that are not for allocations below. */
#define Q2_TASK_FLAGS (PF_MEMALLOC_NOFS | PF_MEMALLOC_NOIO | PF_MEMALLOC_PIN)

/**
 * struct q2_task - what a task was before it entered the file system below
 * @journal: its transaction
 * @bios: bios that its submit_bio() has yet to send on
 * @plug: requests that it holds back
 * @cred: who it was
 * @bdi: what it writes to
 * @flags: those of Q2_TASK_FLAGS
 */
struct q2_task {
	void *journal;
	struct bio_list *bios;
	struct blk_plug *plug;
	const struct cred *cred;
	struct backing_dev_info *bdi;
	unsigned int flags;
};

/* The kernel's own; from q2_task_init() on. */
extern const struct cred *q2_task_cred;

/* Hide the task; to be followed by q2_task_show(). May be nested. Process context. */
static inline void q2_task_hide(struct q2_task *saved)
{
	struct task_struct *task = current;

	saved->journal = task->journal_info;
	task->journal_info = NULL;
	saved->bios = task->bio_list;
	task->bio_list = NULL;
	saved->plug = q2_take_plug(task);
	/* Nobody else puts or changes it meanwhile, so that no reference is needed. */
	saved->cred = rcu_replace_pointer(task->cred, q2_task_cred, 1);
	saved->bdi = q2_take_bdi(task);
	saved->flags = task->flags & Q2_TASK_FLAGS;
	task->flags = (task->flags & ~Q2_TASK_FLAGS) | PF_MEMALLOC_NOIO;
}

static inline void q2_task_show(const struct q2_task *saved)
{
	struct task_struct *task = current;

	task->flags = (task->flags & ~Q2_TASK_FLAGS) | saved->flags;
	q2_give_bdi(task, saved->bdi);
	rcu_assign_pointer(task->cred, saved->cred);
	task->plug = saved->plug;
	task->bio_list = saved->bios;
	task->journal_info = saved->journal;
}

/* Module parameter: may any task enter it? */
extern bool q2_task_inline;

/**
 * q2_task_may_submit() - may the file system below be entered in this task?
 * @past: host offset behind what is to be written; 0: it is only read
 *
 * For who comes from submit_bio(). Never blocks. Return: false: a worker has to.
 */
static inline bool q2_task_may_submit(u64 past)
{
	unsigned long left =
		(unsigned long)__builtin_frame_address(0) - (unsigned long)task_stack_page(current);

	/* A file system and a driver take a quarter of the stack at most. */
	return left > THREAD_SIZE / 2 && READ_ONCE(q2_task_inline) &&
	       past <= rlimit(RLIMIT_FSIZE) && !fatal_signal_pending(current);
}

/**
 * q2_task_call() - have a kernel thread call a function
 * @fn: function; may block
 * @arg: its argument
 *
 * Called at once if this is a kernel thread. Blocks until it has returned, whatever signals
 * come. Return: what @fn returned.
 */
int q2_task_call(int (*fn)(void *arg), void *arg);

/* Return: 0 or -ENOMEM. */
int q2_task_init(void);
void q2_task_exit(void);

#endif
