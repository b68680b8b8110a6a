// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspends NAME N [noflush [only]]: suspend and resume a device N times, back to back. Every
 * other time no file system is frozen. With "noflush" every third time nothing that is under
 * way is waited for, with "only" each time.
 */
#include <errno.h>

#include "dm.h"

static void set(const char *name, unsigned int flags)
{
	struct dm_call c;

	if (!dm_ask(&c, name, flags, DM_DEV_SUSPEND))
		return;
	fprintf(stderr, "suspends: %s %s: %s\n", flags ? "suspend" : "resume", name,
		strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	long i, n = argc > 2 ? atol(argv[2]) : 0;

	if (n < 1)
		return 2;
	dm_open();
	for (i = 0; i < n; i++) {
		set(argv[1], DM_SUSPEND_FLAG | (i % 2 ? DM_SKIP_LOCKFS_FLAG : 0) |
				     (argc > 4 || (argc > 3 && i % 3 == 0) ? DM_NOFLUSH_FLAG : 0));
		set(argv[1], 0);
	}
	return 0;
}
