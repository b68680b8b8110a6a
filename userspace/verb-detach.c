// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl detach: remove devices. */
#include <string.h>

#include "dm.h"
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
			if (devices[i].name && dm_try_detach(&devices[i])) {
				dm_device_clear(&devices[i]);
				progress = true;
			}
	}
	for (i = 0; i < nr; i++)
		if (devices[i].name && dm_detach(&devices[i], how))
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
		if (dm_detach(&device, how))
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
