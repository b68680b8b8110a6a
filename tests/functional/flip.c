// SPDX-License-Identifier: GPL-2.0-only
/*
 * flip NAME SEED ROUNDS LIMIT [CANCEL]
 *	suspends and resumes a device on which a job is, back to back or nearly so,
 *	ROUNDS times, or until the job ends or the device goes. Each call has LIMIT
 *	seconds. While the device is suspended its job does nothing, and does not end.
 *	In round CANCEL, counted from 1, the job is cancelled between a suspend and
 *	its resume.
 *
 * Says at the end in how many rounds there was a job, and what became of it. If a call
 * does not return, the job is cancelled, which may free it, and this fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "dm.h"

static const char *name;
static long limit, rounds_done;
static volatile int stuck;
static const char *doing = "nothing";
static time_t since; /* of the call that is under way; 0: none */

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + 1;
}

static void enter(const char *what)
{
	__atomic_store_n(&doing, what, __ATOMIC_SEQ_CST);
	__atomic_store_n(&since, now(), __ATOMIC_SEQ_CST);
}

static void leave(void)
{
	__atomic_store_n(&since, 0, __ATOMIC_SEQ_CST);
}

static void *watch(void *arg)
{
	for (;;) {
		time_t start = __atomic_load_n(&since, __ATOMIC_SEQ_CST);

		usleep(100000);
		if (!start || now() - start <= limit ||
		    __atomic_load_n(&since, __ATOMIC_SEQ_CST) != start)
			continue;
		fprintf(stderr, "flip: %s has not returned for %ld s, in round %ld\n", doing, limit,
			rounds_done + 1);
		stuck = 1;
		dm_message(name, "job cancel");
		sleep(2);
		_exit(1);
	}
	return arg;
}

/* What status says of the job, from job_state on. Return: there is a device. */
static int job(char *words, size_t bytes)
{
	char line[4096], *at;

	if (dm_status(name, line, sizeof(line)))
		return 0;
	at = strstr(line, "job_state=");
	snprintf(words, bytes, "%s", at ? at : "none");
	return 1;
}

static int is_on(const char *words)
{
	return !strncmp(words, "job_state=running", 17) || !strncmp(words, "job_state=paused", 16);
}

static int end(const char *what)
{
	printf("%ld rounds; %s\n", rounds_done, what);
	return stuck;
}

static int stop(const char *what)
{
	if (errno == ENXIO)
		return end("the device is gone");
	fprintf(stderr, "flip: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	char before[512], after[512];
	uint64_t random;
	pthread_t thread;
	long rounds, cancel;
	int ret;

	if (argc != 5 && argc != 6)
		return 2;
	name = argv[1];
	random = strtoull(argv[2], NULL, 10);
	rounds = atol(argv[3]);
	limit = atol(argv[4]);
	cancel = argc == 6 ? atol(argv[5]) : 0;
	dm_open();
	if (pthread_create(&thread, NULL, watch, NULL))
		return 2;
	for (; rounds_done < rounds; rounds_done++) {
		enter("a suspend");
		ret = dm_suspend(name);
		leave();
		if (ret)
			return stop("suspend");
		if (!job(before, sizeof(before)))
			return end("the device is gone");
		if (rounds_done + 1 == cancel && is_on(before) && dm_message(name, "job cancel"))
			return stop("job cancel");
		if (dm_random(&random) % 4 == 0 || rounds_done + 1 == cancel)
			usleep(dm_random(&random) % 5000);
		if (!job(after, sizeof(after)))
			return end("the device is gone");
		if (strcmp(before, after)) {
			fprintf(stderr,
				"flip: suspended, in round %ld, the job goes from %s to %s\n",
				rounds_done + 1, before, after);
			dm_resume(name);
			return 1;
		}
		enter("a resume");
		ret = dm_resume(name);
		leave();
		if (ret)
			return stop("resume");
		if (!is_on(after))
			return end(after);
		if (dm_random(&random) % 4 == 0)
			usleep(dm_random(&random) % 3000);
	}
	return end(after);
}
