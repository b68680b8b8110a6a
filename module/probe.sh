#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh TREE: what the kernel headers in TREE can do, as compiler flags.
# Distributions backport, so a declaration is looked for, not a version number.
inc=$1/include/linux
has() { # has HEADER PATTERN FLAG
	if grep -qsE "$2" "$inc/$1"; then echo "-DQ2_HAVE_$3"; fi
}
has shrinker.h 'shrinker_alloc\(' SHRINKER_ALLOC
has filelock.h 'flc_flags' FILE_LOCK_CORE
has filelock.h 'vfs_lock_file' FILELOCK_H
has blkdev.h 'BLK_OPEN_READ' BLK_OPEN_READ
has workqueue.h 'WQ_PERCPU' WQ_PERCPU
has fileattr.h 'struct file_kattr \{' FILE_KATTR
has sched.h '\*backing_dev_info;' TASK_BDI
has blkdev.h 'max_hw_wzeroes_unmap_sectors' WZEROES_UNMAP
