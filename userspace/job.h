/* SPDX-License-Identifier: GPL-2.0-only */
/* A job of the kernel on a device, commit or stream, as the device's status tells of it. */
#ifndef QCOWCTL_JOB_H
#define QCOWCTL_JOB_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "dm.h"

/**
 * struct job - how a job stands
 * @kind: "commit" or "stream"
 * @state: "running", "paused", "cancelled", "failed", "done", as the kernel has it
 * @done: bytes of the disk that are behind it
 * @total: bytes of the disk
 * @moved: bytes copied
 * @rate: most bytes a second, 0: no limit
 * @error: errno of one that failed, or 0
 */
struct job {
	char kind[16];
	char state[16];
	uint64_t done;
	uint64_t total;
	uint64_t moved;
	uint64_t rate;
	int error;
};

/**
 * job_parse() - find the job in a status line
 * @status: line, or NULL
 * @job: result
 *
 * Return: false if there has been no job.
 */
bool job_parse(const char *status, struct job *job);

/* Running or paused? */
bool job_is_on(const struct job *job);

/* "commit 43%", "commit paused 43%", "commit failed"; NULL if there is nothing to tell. To be
 * freed. */
char *job_short(const struct job *job);

/* One sentence without a full stop. To be freed. */
char *job_sentence(const struct job *job);

/* The words of @job as an object. */
struct json_object *job_json(const struct job *job);

/**
 * job_wait() - wait for the end
 * @device: device; is learned anew
 * @cancels: SIGINT, SIGTERM and SIGHUP cancel the job instead of ending the program
 * @job: result
 *
 * Shows how far it is. Return: 0 if it ended well, or -1 after having said what became of it.
 */
int job_wait(struct dm_device *device, bool cancels, struct job *job);

/* Tell the job on a device something, "cancel" or "rate 100". Return: 0, or -1 after having said
 * why not. */
int job_tell(const struct dm_device *device, const char *what);

/**
 * job_cancel() - tell the job on a device to end before its time
 * @device: device; may be learned anew
 * @job: the job; likewise
 *
 * It is no failure if it has ended by itself meanwhile. Return: 0, or -1 after having said why not.
 */
int job_cancel(struct dm_device *device, struct job *job);

/* "10M" of an option, per second, as the kernel wants it: KiB. Return: 0, or -1, silent. */
int job_parse_rate(const char *text, uint64_t *kib);

#endif
