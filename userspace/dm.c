// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm.h"
#include "dm-task.h"
#include "escape.h"
#include "holders.h"
#include "kmsg.h"
#include "say.h"

#define UUID_PREFIX "QCOW2-"
/* Names tried when the first one is taken. */
#define NAMES_MOST 9999

/* Everything libdevmapper says is also in errno, and ours is one sentence. */
static void keep_quiet(int level, const char *file, int line, int dm_errno, const char *fmt, ...)
{
}

void dm_setup(void)
{
	dm_log_with_errno_init(keep_quiet);
	/* Names are shown and taken as the kernel has them. */
	dm_set_name_mangling_mode(DM_STRING_MANGLING_NONE);
}

char *dm_path(const char *name)
{
	return xasprintf("%s/%s", dm_dir(), name);
}

/* A uuid of our own; what is random in it comes from the kernel. */
static char *new_uuid(void)
{
	char random[37] = "";
	FILE *in = fopen("/proc/sys/kernel/random/uuid", "re");

	if (in) {
		if (!fgets(random, sizeof(random), in))
			random[0] = '\0';
		fclose(in);
	}
	return xasprintf(UUID_PREFIX "%s", random);
}

/* DM_DEVICE_CREATE without a table. Return: 0 or a positive errno. */
static int create(const char *name, struct dm_info *info)
{
	struct dm_task *task = task_for(DM_DEVICE_CREATE, name);
	char *uuid = new_uuid();
	int ret = EINVAL;

	if (dm_task_set_uuid(task, uuid))
		ret = task_run(task);
	if (!ret && !dm_task_get_info(task, info))
		ret = EIO;
	free(uuid);
	dm_task_destroy(task);
	return ret;
}

static int resume(const char *name, bool read_only)
{
	struct dm_task *task = task_for(DM_DEVICE_RESUME, name);
	int ret = ENOMEM;

	if (!read_only || dm_task_set_ro(task))
		ret = task_run_with_udev(task);
	dm_task_destroy(task);
	return ret;
}

static int remove_device(const char *name, enum dm_detach_how how)
{
	struct dm_task *task = task_for(DM_DEVICE_REMOVE, name);
	int ret;

	if (how == DETACH_RETRY)
		dm_task_retry_remove(task);
	if (how == DETACH_LAZY)
		dm_task_deferred_remove(task);
	ret = task_run_with_udev(task);
	dm_task_destroy(task);
	return ret;
}

/* The kernel did not take the table: say why. */
static void say_refused(const char *name, const struct dm_info *info, int err, int log)
{
	char *device = xasprintf("%u:%u", info->major, info->minor);
	char *reason = kmsg_reason(log, device, DM_TARGET);

	if (reason && !strcmp(reason, "unknown target type"))
		say("%s: the kernel has no qcow2 target: is the module installed for this kernel "
		    "(dkms status dm-qcow2)?",
		    name);
	else if (reason)
		say("%s: the kernel refused it: %s", name, reason);
	else
		say("%s: the kernel refused it: %s; dmesg may tell more", name, strerror(err));
	free(reason);
	free(device);
}

/* Create under @name, or under a name like it that is free. */
static char *create_named(const char *name, bool unique, struct dm_info *info)
{
	char *taken = xstrdup(name);
	unsigned int nr = 1;
	int err;

	for (;;) {
		err = create(taken, info);
		if (!err)
			return taken;
		if (err != EBUSY && err != EEXIST)
			task_say_unreachable("attaching", err);
		else if (!unique)
			say("a device named \"%s\" exists already; choose another with -n", name);
		else if (++nr > NAMES_MOST)
			say("devices named \"%s\" to \"%s\" exist already; choose another name "
			    "with -n",
			    name, taken);
		else {
			free(taken);
			taken = xasprintf("%s-%u", name, nr);
			continue;
		}
		free(taken);
		return NULL;
	}
}

char *dm_attach(const char *name, const char *table, uint64_t sectors, bool read_only, bool unique)
{
	struct dm_info info;
	sigset_t all, old;
	char *taken;
	int err, log;

	/* Nothing may end us with half a device. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	taken = create_named(name, unique, &info);
	if (!taken)
		goto out;
	log = kmsg_listen();
	err = task_load(taken, table, sectors, read_only);
	if (!err) {
		if (log >= 0)
			close(log);
		err = resume(taken, read_only);
		if (err)
			say("%s: the device could not be resumed: %s", taken, strerror(err));
	} else {
		say_refused(taken, &info, err, log);
	}
	if (err) {
		remove_device(taken, DETACH_RETRY);
		free(taken);
		taken = NULL;
	}
out:
	sigprocmask(SIG_SETMASK, &old, NULL);
	return taken;
}

void dm_device_clear(struct dm_device *device)
{
	free(device->name);
	free(device->uuid);
	free(device->table);
	free(device->status);
	memset(device, 0, sizeof(*device));
}

void dm_devices_free(struct dm_device *devices, size_t nr)
{
	while (nr)
		dm_device_clear(&devices[--nr]);
	free(devices);
}

/* Parameters of the first qcow2 target in what a TABLE or STATUS task got. */
static char *target_text(struct dm_task *task, uint64_t *sectors)
{
	void *next = NULL;
	uint64_t start, length;
	char *type, *params;

	do {
		next = dm_get_next_target(task, next, &start, &length, &type, &params);
		if (type && !strcmp(type, DM_TARGET)) {
			*sectors = length;
			return xstrdup(params ? params : "");
		}
	} while (next);
	return NULL;
}

/*
 * TABLE or STATUS of a device. Return: 0 or a positive errno, ENXIO if it does
 * not exist; *text is NULL if it has no qcow2 target.
 */
static int ask(int type, dev_t dev, struct dm_device *device, char **text)
{
	struct dm_task *task = task_new(type);
	struct dm_info info;
	int ret = EIO;

	*text = NULL;
	dm_task_set_major(task, major(dev));
	dm_task_set_minor(task, minor(dev));
	/* Looking must not wait for I/O to drain, nor make the target commit anything. */
	dm_task_no_flush(task);
	ret = task_run(task);
	if (!ret && (!dm_task_get_info(task, &info) || !info.exists))
		ret = ENXIO;
	if (!ret) {
		*text = target_text(task, &device->sectors);
		free(device->name);
		free(device->uuid);
		device->name = xstrdup(dm_task_get_name(task));
		device->uuid = xstrdup(dm_task_get_uuid(task) ? dm_task_get_uuid(task) : "");
		device->major = info.major;
		device->minor = info.minor;
		device->open_count = info.open_count;
		device->events = info.event_nr;
		device->read_only = info.read_only;
		device->suspended = info.suspended;
		device->second_table = info.inactive_table;
		device->deferred_remove = info.deferred_remove;
	}
	dm_task_destroy(task);
	return ret;
}

/* Learn all of a device. Return: 0, or a positive errno; ENODEV: not one of ours. */
static int learn(dev_t dev, struct dm_device *device)
{
	uint32_t events;
	char *uuid;
	int ret;

	memset(device, 0, sizeof(*device));
	/*
	 * The two answers are of two instants. What a job is done with leaves the table before
	 * the status tells of its end, so the status is asked first: a table is never older than
	 * the end that was told. It may be younger, which whoever looks again finds out.
	 */
	ret = ask(DM_DEVICE_STATUS, dev, device, &device->status);
	/* An event that came in between is one that nobody was told of. */
	events = device->events;
	uuid = ret ? NULL : xstrdup(device->uuid);
	if (!ret)
		ret = ask(DM_DEVICE_TABLE, dev, device, &device->table);
	/* Two devices, one after the other under one number: what was asked about is gone. */
	if (!ret && strcmp(uuid, device->uuid))
		ret = ENXIO;
	if (!ret && !device->table && strncmp(device->uuid, UUID_PREFIX, sizeof(UUID_PREFIX) - 1))
		ret = ENODEV;
	if (!ret)
		device->events = events;
	free(uuid);
	if (ret)
		dm_device_clear(device);
	return ret;
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(((const struct dm_device *)a)->name, ((const struct dm_device *)b)->name);
}

int dm_devices(struct dm_device **devices, size_t *nr)
{
	struct dm_task *task = task_new(DM_DEVICE_LIST);
	struct dm_names *names;
	unsigned int next;
	int err;

	*devices = NULL;
	*nr = 0;
	err = task_run(task);
	names = err ? NULL : dm_task_get_names(task);
	if (!names) {
		dm_task_destroy(task);
		return task_say_unreachable("listing devices", err);
	}
	if (names->dev) {
		do {
			struct dm_device device;

			/* One that went away meanwhile is not an error. */
			if (!learn(names->dev, &device)) {
				*devices = xrealloc(*devices, *nr + 1, sizeof(**devices));
				(*devices)[(*nr)++] = device;
			}
			next = names->next;
			names = (struct dm_names *)((char *)names + next);
		} while (next);
	}
	dm_task_destroy(task);
	if (*nr)
		qsort(*devices, *nr, sizeof(**devices), by_name);
	return 0;
}

/* Number of the device that @word names. Return: 0 or a positive errno. */
static int device_number(const char *word, dev_t *dev)
{
	const char *slash = strrchr(word, '/');
	struct dm_task *task;
	struct dm_info info;
	struct stat st;
	int err;

	if (slash && !stat(word, &st) && S_ISBLK(st.st_mode)) {
		*dev = st.st_rdev;
		return 0;
	}
	/* The node may be missing where udev is: the name tells as much. */
	if (slash && strncmp(word, dm_dir(), slash - word))
		return ENXIO;
	task = task_for(DM_DEVICE_INFO, slash ? slash + 1 : word);
	err = task_run(task);
	if (!err && (!dm_task_get_info(task, &info) || !info.exists))
		err = ENXIO;
	dm_task_destroy(task);
	if (!err)
		*dev = makedev(info.major, info.minor);
	return err;
}

int dm_device_find(const char *word, struct dm_device *device)
{
	dev_t dev;
	int err = device_number(word, &dev);

	if (!err)
		err = learn(dev, device);
	if (err == ENXIO)
		return say("there is no device \"%s\"; \"qcowctl list\" shows those there are",
			   word);
	if (err == ENODEV)
		return say("%s is not a qcow2 device", word);
	return err ? task_say_unreachable(word, err) : 0;
}

int dm_device_again(struct dm_device *device)
{
	struct dm_device now;
	int err = learn(makedev(device->major, device->minor), &now);

	if (!err && (strcmp(now.uuid, device->uuid) || strcmp(now.name, device->name))) {
		dm_device_clear(&now);
		err = ENXIO;
	}
	if (err == ENXIO || err == ENODEV)
		return say("%s has been removed", device->name);
	if (err)
		return task_say_unreachable(device->name, err);
	dm_device_clear(device);
	*device = now;
	return 0;
}

int dm_device_by_number(dev_t dev, struct dm_device *device)
{
	char *path = xasprintf("/sys/dev/block/%u:%u/dm", major(dev), minor(dev));
	bool mapped = !access(path, F_OK);

	free(path);
	/* Others are not asked about, so that nobody needs to be root for a disk. */
	return mapped && !learn(dev, device) ? 0 : -1;
}

bool dm_try_detach(const struct dm_device *device)
{
	return !remove_device(device->name, DETACH_NOW);
}

int dm_detach(const struct dm_device *device, enum dm_detach_how how)
{
	char *who;
	int err = remove_device(device->name, how);

	if (!err)
		return 0;
	if (err != EBUSY)
		return say("%s: the device could not be removed: %s", device->name, strerror(err));
	who = holders_text(makedev(device->major, device->minor));
	if (*who)
		say("%s is in use: %s; --lazy removes it when that ends", device->name, who);
	else
		say("%s is in use (open %u times); --lazy removes it when that ends", device->name,
		    device->open_count);
	free(who);
	return -1;
}
