// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl detach: remove devices. */
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "exclude.h"
#include "job.h"
#include "say.h"
#include "verbs.h"

enum {
	OPT_ALL = OPT_LONG,
	OPT_LAZY,
	OPT_NO_RETRY
};

static const struct option_spec options[] = {
	{OPT_ALL, "all", NULL, "all qcow2 devices", NULL},
	{OPT_LAZY, "lazy", NULL, "remove a device that is in use when its last user closes it",
	 NULL},
	{OPT_NO_RETRY, "no-retry", NULL, "do not try again for some seconds if it is in use", NULL},
	{},
};

/* A job that was on goes with its device. */
static void tell_of_job(const struct dm_device *device)
{
	struct job job;

	if (job_parse(device->status, &job) && job_is_on(&job))
		say("%s: its %s job ended with it, unfinished; the images are sound as they are",
		    device->name, job.kind);
}

/* Remove one that no other qcowctl works on. */
static int detach_one(struct dm_device *device, enum dm_detach_how how)
{
	int lock = exclude_others(device, "detach", false), ret = -1;

	if (lock < 0)
		return -1;
	/* It may have changed until now. */
	if (!dm_device_again(device))
		ret = dm_detach(device, how);
	if (!ret && how != DETACH_LAZY)
		tell_of_job(device);
	close(lock);
	return ret;
}

/* The same, if it is free. Says nothing if not. */
static bool try_detach_one(const struct dm_device *device)
{
	int lock = exclude_others(device, "detach", true);
	bool gone;

	if (lock < 0)
		return false;
	gone = dm_try_detach(device);
	if (gone)
		tell_of_job(device);
	close(lock);
	return gone;
}

/*
 * One may use another (an image on a filesystem of it): take what is free until
 * nothing more is, and only then wait, or say who is in the way.
 */
static int detach_all(enum dm_detach_how how)
{
	struct dm_device *devices;
	int status = STATUS_DONE;
	bool progress = true;
	size_t nr, i;

	if (dm_devices(&devices, &nr))
		return STATUS_FAILED;
	while (progress) {
		progress = false;
		for (i = 0; i < nr; i++)
			if (devices[i].name && try_detach_one(&devices[i])) {
				dm_device_clear(&devices[i]);
				progress = true;
			}
	}
	for (i = 0; i < nr; i++)
		if (devices[i].name && detach_one(&devices[i], how))
			status = STATUS_FAILED;
	dm_devices_free(devices, nr);
	return status;
}

static int run(const struct args *args)
{
	enum dm_detach_how how = args_has(args, OPT_LAZY)	? DETACH_LAZY
				 : args_has(args, OPT_NO_RETRY) ? DETACH_NOW
								: DETACH_RETRY;
	int status = STATUS_DONE, i;

	if (args_has(args, OPT_ALL) ? args->nr > 0 : !args->nr)
		return usage_error(args->verb, "detach: either names or --all is wanted");
	dm_setup();
	if (args_has(args, OPT_ALL))
		return detach_all(how);
	/* One that cannot go does not keep the others. */
	for (i = 0; i < args->nr; i++) {
		struct dm_device device;

		if (dm_device_find(args->word[i], &device)) {
			status = STATUS_FAILED;
			continue;
		}
		if (detach_one(&device, how))
			status = STATUS_FAILED;
		dm_device_clear(&device);
	}
	return status;
}

const struct verb verb_detach = {
	.name = "detach",
	.arguments = "NAME... | --all",
	.summary = "Remove devices",
	.description = "NAME is the name of a device or the path of its node.",
	.options = options,
	.complete = "device",
	.most = -1,
	.run = run,
};
