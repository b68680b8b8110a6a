// SPDX-License-Identifier: GPL-2.0-only
/*
 * senders NAME SEED SENDERS N MESSAGE...: that many threads send N of the messages to a device
 * each, at random and at the same time. A message may be refused; says how many were.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "dm.h"

#define MOST 16

static int nr_messages;
static long seed, count;
static char **words;
static atomic_long taken, refused;

static void *send_all(void *arg)
{
	uint64_t dice = seed * MOST + (uintptr_t)arg;
	long i;

	for (i = 0; i < count; i++) {
		if (dm_message(words[1], words[5 + dm_random(&dice) % nr_messages]))
			refused++;
		else
			taken++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[MOST];
	long i, n;

	if (argc < 6)
		return 2;
	words = argv;
	seed = atol(argv[2]);
	n = atol(argv[3]);
	count = atol(argv[4]);
	nr_messages = argc - 5;
	if (n < 1 || n > MOST)
		return 2;
	dm_open();
	for (i = 0; i < n; i++) {
		if (pthread_create(&threads[i], NULL, send_all, (void *)(uintptr_t)i))
			return 1;
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	printf("%ld messages taken, %ld refused\n", taken, refused);
	return 0;
}
