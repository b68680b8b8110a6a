// SPDX-License-Identifier: GPL-2.0-only
/*
 * messages NAME SENDERS SEED COUNT LIMIT MESSAGE...
 *	SENDERS threads send COUNT messages each to a device, every time any one of
 *	MESSAGE... A # in one becomes a digit of 0 to 3. The message "flip" is a suspend
 *	with a resume behind it.
 *
 * Says how many were taken, and how many refused with which error. Any answer is right, but
 * there must be one: after LIMIT seconds without any the job is cancelled, which may help,
 * and this fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "dm.h"

#define MOST_SENDERS 64
#define MOST_ERRORS 200

struct sender {
	pthread_t thread;
	uint64_t random;
};

static const char *name;
static char **texts;
static int nr_texts;
static long count, answers, waiting, by_error[MOST_ERRORS];

static void answered(int ret)
{
	int error = ret ? errno : 0;

	__sync_fetch_and_add(&by_error[error < MOST_ERRORS ? error : 0], 1);
	__sync_fetch_and_add(&answers, 1);
}

static void send_one(struct sender *s)
{
	const char *text = texts[dm_random(&s->random) % nr_texts];
	char copy[2048], *at;

	if (!strcmp(text, "flip")) {
		answered(dm_suspend(name));
		if (dm_random(&s->random) % 2)
			usleep(dm_random(&s->random) % 4000);
		answered(dm_resume(name));
		return;
	}
	snprintf(copy, sizeof(copy), "%s", text);
	for (at = strchr(copy, '#'); at; at = strchr(at, '#'))
		*at = '0' + dm_random(&s->random) % 4;
	answered(dm_message(name, copy));
}

static void *work(void *arg)
{
	long i;

	for (i = 0; i < count; i++)
		send_one(arg);
	__sync_fetch_and_sub(&waiting, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sender senders[MOST_SENDERS] = {};
	long nr, i, limit, seen = -1, still = 0;

	if (argc < 7 || atol(argv[2]) > MOST_SENDERS)
		return 2;
	name = argv[1];
	nr = atol(argv[2]);
	count = atol(argv[4]);
	limit = atol(argv[5]);
	texts = argv + 6;
	nr_texts = argc - 6;
	dm_open();
	waiting = nr;
	for (i = 0; i < nr; i++) {
		senders[i].random = strtoull(argv[3], NULL, 10) * 1000003 + i;
		if (pthread_create(&senders[i].thread, NULL, work, &senders[i]))
			return 2;
	}
	while (__sync_fetch_and_add(&waiting, 0)) {
		long now = __sync_fetch_and_add(&answers, 0);

		still = now == seen ? still + 1 : 0;
		seen = now;
		if (still > limit * 50) {
			fprintf(stderr, "messages: no answer for %ld s, after %ld\n", limit, now);
			dm_resume(name);
			dm_message(name, "job cancel");
			usleep(500000);
			_exit(1);
		}
		usleep(20000);
	}
	printf("taken %ld", by_error[0]);
	for (i = 1; i < MOST_ERRORS; i++)
		if (by_error[i])
			printf(", %s %ld", strerrorname_np(i), by_error[i]);
	printf("\n");
	return 0;
}
