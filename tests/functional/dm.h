/* SPDX-License-Identifier: GPL-2.0-only */
/* device-mapper's calls, for programs of tests that make many of them. */
#ifndef TESTS_DM_H
#define TESTS_DM_H

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct dm_call {
	struct dm_ioctl head;
	char data[4096];
};

static int dm_control;

static inline void dm_open(void)
{
	dm_control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (dm_control < 0) {
		perror("/dev/mapper/control");
		exit(2);
	}
}

static inline int dm_ask(struct dm_call *c, const char *name, unsigned int flags,
			 unsigned long request)
{
	memset(&c->head, 0, sizeof(c->head));
	c->head.version[0] = 4;
	c->head.data_size = sizeof(*c);
	c->head.data_start = sizeof(c->head);
	c->head.flags = flags;
	snprintf(c->head.name, sizeof(c->head.name), "%s", name);
	return ioctl(dm_control, request, c);
}

/* Without freezing a file system on it. */
static inline int dm_suspend(const char *name)
{
	struct dm_call c;

	return dm_ask(&c, name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG, DM_DEV_SUSPEND);
}

static inline int dm_resume(const char *name)
{
	struct dm_call c;

	return dm_ask(&c, name, 0, DM_DEV_SUSPEND);
}

static inline int dm_message(const char *name, const char *text)
{
	struct dm_call c;
	struct dm_target_msg *m = (void *)c.data;

	memset(c.data, 0, sizeof(c.data));
	snprintf(m->message, sizeof(c.data) - sizeof(*m), "%s", text);
	return dm_ask(&c, name, 0, DM_TARGET_MSG);
}

/* The status line of the first target. */
static inline int dm_status(const char *name, char *line, size_t bytes)
{
	struct dm_call c;
	int ret = dm_ask(&c, name, DM_NOFLUSH_FLAG, DM_TABLE_STATUS);

	if (!ret)
		snprintf(line, bytes, "%s", c.data + sizeof(struct dm_target_spec));
	return ret;
}

/* splitmix64 */
static inline uint64_t dm_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

#endif
