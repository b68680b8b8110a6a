/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels 6.1 and 7.2. The only file that knows.
 *
 * Each block names the capability and the change it bridges; Q2_HAVE_* come
 * from module/probe.sh, which looks into the headers the module is built with.
 */
#ifndef Q2_COMPAT_H
#define Q2_COMPAT_H

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* 6.3, 5970e15dbcfe: locks moved from fs.h to a header of their own. */
#ifdef Q2_HAVE_FILELOCK_H
#include <linux/filelock.h>
#endif

/* 6.9, 4ca52f539865: members that locks and leases share moved into "c". */
#ifdef Q2_HAVE_FILE_LOCK_CORE
#define q2_fl_type(fl) ((fl)->c.flc_type)
#define q2_fl_flags(fl) ((fl)->c.flc_flags)
#define q2_fl_owner(fl) ((fl)->c.flc_owner)
#define q2_fl_file(fl) ((fl)->c.flc_file)
#define q2_fl_pid(fl) ((fl)->c.flc_pid)
#else
#define q2_fl_type(fl) ((fl)->fl_type)
#define q2_fl_flags(fl) ((fl)->fl_flags)
#define q2_fl_owner(fl) ((fl)->fl_owner)
#define q2_fl_file(fl) ((fl)->fl_file)
#define q2_fl_pid(fl) ((fl)->fl_pid)
#endif

/* 6.5, 05bdb9965305: block devices got modes of their own. */
#ifdef Q2_HAVE_BLK_OPEN_READ
#define Q2_OPEN_READ BLK_OPEN_READ
#else
#define Q2_OPEN_READ FMODE_READ
#endif

/* 6.17, 0c40d7cb5ef3: write-zeroes that may unmap have a limit, all or nothing. */
static inline void q2_limit_write_zeroes(struct queue_limits *limits, unsigned int sectors)
{
	limits->max_write_zeroes_sectors = sectors;
#ifdef Q2_HAVE_WZEROES_UNMAP
	limits->max_hw_wzeroes_unmap_sectors = sectors;
#endif
}

/* 6.5, 0d625446d0a4: tasks no longer remember what they write to. */
#ifdef Q2_HAVE_TASK_BDI
static inline struct backing_dev_info *q2_take_bdi(struct task_struct *task)
{
	struct backing_dev_info *bdi = task->backing_dev_info;

	task->backing_dev_info = NULL;
	return bdi;
}

static inline void q2_give_bdi(struct task_struct *task, struct backing_dev_info *bdi)
{
	task->backing_dev_info = bdi;
}
#else
static inline struct backing_dev_info *q2_take_bdi(struct task_struct *task)
{
	return NULL;
}

static inline void q2_give_bdi(struct task_struct *task, struct backing_dev_info *bdi)
{
}
#endif

/* 6.17, ca115d7e7546: the kernel's part of a file's attributes got a name of its own. */
#ifdef Q2_HAVE_FILE_KATTR
#define q2_fileattr file_kattr
#else
#define q2_fileattr fileattr
#endif

/*
 * 6.9, 06b23f92af87: a plug remembers the time, and the scheduler makes it forget, by a flag
 * of the task that stands for a plug which has some. Without the plug the flag must go, too.
 */
static inline struct blk_plug *q2_take_plug(struct task_struct *task)
{
	struct blk_plug *plug = task->plug;

#ifdef PF_BLOCK_TS
	if (task->flags & PF_BLOCK_TS) {
		plug->cur_ktime = 0;
		task->flags &= ~PF_BLOCK_TS;
	}
#endif
	task->plug = NULL;
	return plug;
}

/* 7.2 warns of a workqueue that is neither unbound nor WQ_PERCPU; 6.12 has no such flag. */
#ifdef Q2_HAVE_WQ_PERCPU
#define Q2_WQ_PERCPU WQ_PERCPU
#else
#define Q2_WQ_PERCPU 0
#endif

/* 6.7, c42d50aefd17: shrinkers are allocated. */
#ifdef Q2_HAVE_SHRINKER_ALLOC
static inline struct shrinker *q2_shrinker_alloc(void)
{
	return shrinker_alloc(0, "dm-qcow2");
}

static inline int q2_shrinker_register(struct shrinker *shrinker)
{
	shrinker_register(shrinker);
	return 0;
}

static inline void q2_shrinker_free(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
#else
static inline struct shrinker *q2_shrinker_alloc(void)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);

	if (shrinker)
		shrinker->seeks = DEFAULT_SEEKS;
	return shrinker;
}

static inline int q2_shrinker_register(struct shrinker *shrinker)
{
	return register_shrinker(shrinker, "dm-qcow2");
}

static inline void q2_shrinker_free(struct shrinker *shrinker)
{
	/* Knows by itself whether it was registered. */
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

#endif
