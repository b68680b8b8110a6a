/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks of libdevmapper, and what they fail with: for dm.c and live.c alone. */
#ifndef QCOWCTL_DM_TASK_H
#define QCOWCTL_DM_TASK_H

#include <libdevmapper.h>
#include <stdbool.h>

/* A task. The program ends with a sentence if device-mapper is out of reach. */
struct dm_task *task_new(int type);

/* The same for a device; the program ends if libdevmapper refuses its name. */
struct dm_task *task_for(int type, const char *name);

/* The same, but silent: NULL if there is no memory or the name is refused. */
struct dm_task *task_try_for(int type, const char *name);

/* Run it. Return: 0 or a positive errno. */
int task_run(struct dm_task *task);

/* Run one that makes udev work, and wait for udev. Return: as task_run(). */
int task_run_with_udev(struct dm_task *task);

/* Let udev do its part of @task when it runs; *@cookie is what to wait for. */
void task_set_cookie(struct dm_task *task, uint32_t *cookie);

/* Load a table of one target, which is not live before a resume. Silent. Return: as task_run(). */
int task_load(const char *name, const char *table, uint64_t sectors, bool read_only);

/**
 * task_say_unreachable() - an ioctl failed for a reason that lies outside of our device
 * @what: what was tried, the start of the sentence
 * @err: errno
 *
 * Return: -1.
 */
int task_say_unreachable(const char *what, int err);

#endif
