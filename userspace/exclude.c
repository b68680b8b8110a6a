// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exclude.h"
#include "say.h"

#define DIRECTORY "/run/qcowctl"

/* "snapshot, process 812" from a lock that another holds; it may not have written it yet. */
static char *holder(int fd)
{
	char text[64];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return *text ? xasprintf(" (%s)", text) : xstrdup("");
}

int exclude_others(const struct dm_device *device, const char *verb, bool quiet)
{
	char *path = xasprintf(DIRECTORY "/%u:%u", device->major, device->minor), *who;
	int fd;

	if (mkdir(DIRECTORY, 0755) && errno != EEXIST) {
		say(DIRECTORY " cannot be made: %s", strerror(errno));
		free(path);
		return -1;
	}
	/* It stays: who removes the file of a lock takes it from those who wait for it. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		say("%s: %s", path, strerror(errno));
	} else if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno == EWOULDBLOCK && quiet) {
			/* The caller comes again, and says so then. */
		} else if (errno == EWOULDBLOCK) {
			who = holder(fd);
			say("%s: another qcowctl works on the device%s; try again when it has "
			    "ended",
			    device->name, who);
			free(who);
		} else {
			say("%s: %s", path, strerror(errno));
		}
		close(fd);
		fd = -1;
	} else if (ftruncate(fd, 0) || dprintf(fd, "%s, process %d\n", verb, getpid()) < 0) {
		/* The sentence of another run will be poorer. */
	}
	free(path);
	return fd;
}
