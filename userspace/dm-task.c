// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "dm-task.h"
#include "say.h"

int task_run(struct dm_task *task)
{
	int ret;

	errno = 0;
	if (dm_task_run(task))
		return 0;
	ret = dm_task_get_errno(task);
	if (!ret)
		ret = errno ? errno : EIO;
	return ret;
}

int task_say_unreachable(const char *what, int err)
{
	if (geteuid())
		return say("%s needs root (CAP_SYS_ADMIN)", what);
	if (err == EPERM || err == EACCES)
		return say("%s: refused: %s; a container needs CAP_SYS_ADMIN in "
			   "the first user namespace",
			   what, strerror(err));
	if (err == ENODEV || err == ENOENT || err == ENXIO)
		return say("%s: the kernel has no device-mapper, or /dev/mapper/control is "
			   "missing (modprobe dm_mod)",
			   what);
	return say("%s: device-mapper failed: %s", what, strerror(err));
}

struct dm_task *task_new(int type)
{
	struct dm_task *task;

	/* libdevmapper already fails here if the driver is out of reach. */
	errno = 0;
	task = dm_task_create(type);
	if (!task) {
		task_say_unreachable("device-mapper", errno ? errno : EIO);
		exit(STATUS_FAILED);
	}
	return task;
}

void task_set_cookie(struct dm_task *task, uint32_t *cookie)
{
	if (!dm_task_set_cookie(task, cookie, 0)) {
		/* No semaphores (a container without SysV IPC): do udev's part ourselves. */
		dm_udev_set_sync_support(0);
		*cookie = 0;
	}
}

int task_run_with_udev(struct dm_task *task)
{
	uint32_t cookie = 0;
	int ret;

	task_set_cookie(task, &cookie);
	ret = task_run(task);
	/* Also without udev: then libdevmapper makes or removes the node now. */
	dm_udev_wait(cookie);
	return ret;
}

struct dm_task *task_try_for(int type, const char *name)
{
	struct dm_task *task = dm_task_create(type);

	if (task && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

struct dm_task *task_for(int type, const char *name)
{
	struct dm_task *task = task_new(type);

	if (!dm_task_set_name(task, name)) {
		say("device name \"%s\" is refused by libdevmapper", name);
		exit(STATUS_FAILED);
	}
	return task;
}

int task_load(const char *name, const char *table, uint64_t sectors, bool read_only)
{
	struct dm_task *task = task_try_for(DM_DEVICE_RELOAD, name);
	int ret = ENOMEM;

	if (!task)
		return ret;
	if ((!read_only || dm_task_set_ro(task)) &&
	    dm_task_add_target(task, 0, sectors, DM_TARGET, table))
		ret = task_run(task);
	dm_task_destroy(task);
	return ret;
}
