// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"
#include "say.h"

/* One record of /dev/kmsg; the kernel cuts longer ones. */
#define RECORD_BYTES 8192

int kmsg_listen(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* What stands behind "...: DEVICE: TARGET: " or "dm-TARGET: DEVICE: "; NULL: neither is there. */
static char *behind_prefix(char *record, const char *device, const char *target)
{
	char *loading = xasprintf(": %s: %s: ", device, target);
	char *running = xasprintf(";dm-%s: %s: ", target, device);
	char *text = strstr(record, loading);

	if (text) {
		text += strlen(loading);
	} else {
		text = strstr(record, running);
		if (text)
			text += strlen(running);
	}
	free(loading);
	free(running);
	return text;
}

/* The sentence without the "(-EINVAL)" that device-mapper puts behind it. */
static char *reason_in(char *record, const char *device, const char *target)
{
	char *text = behind_prefix(record, device, target), *end;

	if (!text)
		return NULL;
	end = strchrnul(text, '\n');
	*end = '\0';
	if (end > text && end[-1] == ')') {
		char *errno_name = strstr(text, " (-E");

		if (errno_name && !strchr(errno_name + 1, ' '))
			*errno_name = '\0';
	}
	return xstrdup(text);
}

char *kmsg_reason(int fd, const char *device, const char *target)
{
	char *record = xalloc(RECORD_BYTES + 1), *reason = NULL, *found;
	ssize_t n;

	if (fd < 0)
		goto out;
	for (;;) {
		n = read(fd, record, RECORD_BYTES);
		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* records were overwritten before we read them */
		if (n <= 0)
			break;
		record[n] = '\0';
		found = reason_in(record, device, target);
		if (found) {
			free(reason);
			reason = found;
		}
	}
	close(fd);
out:
	free(record);
	return reason;
}
