// SPDX-License-Identifier: GPL-2.0-only
/*
 * hog MEGABYTES SEED ROUNDS THREADS: dirty that much memory, again and again, and
 * see each time that it still holds what was put there. With less memory than
 * that it lives in swap. If nothing goes on for a minute the kernel is made to say
 * who waits for what.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE 4096
#define WORDS (PAGE / sizeof(uint64_t))
#define PATIENCE 60 /* seconds */

static uint64_t *memory;
static uint64_t pages, seed;
static unsigned int rounds, threads;
static atomic_bool failed;
static atomic_ulong *progress;

static uint64_t mix(uint64_t z)
{
	/* splitmix64 */
	z += 0x9e3779b97f4a7c15ULL;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t stamp(uint64_t page, unsigned int round)
{
	return mix(seed ^ page << 8 ^ round);
}

static void check(uint64_t page, unsigned int round)
{
	const uint64_t *words = memory + page * WORDS;
	uint64_t want = stamp(page, round);
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		if (words[i] == want + i)
			continue;
		fprintf(stderr, "hog: round %u: page %llu, word %u is %016llx, not %016llx\n",
			round, (unsigned long long)page, i, (unsigned long long)words[i],
			(unsigned long long)(want + i));
		atomic_store(&failed, true);
		return;
	}
}

static void fill(uint64_t page, unsigned int round)
{
	uint64_t *words = memory + page * WORDS, first = stamp(page, round);
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		words[i] = first + i;
}

/* Every THREADS-th page: in order, and in later rounds, in leaps. */
static void *work(void *arg)
{
	uint64_t number = (uintptr_t)arg, own = pages / threads, i;
	unsigned int round;

	for (round = 1; round <= rounds; round++) {
		/* A step without a factor in common with the number of pages meets each once. */
		uint64_t step = round == 1 ? 1 : 7919, at = 0;

		while (round > 1 && own % step == 0)
			step += 2;
		for (i = 0; i < own && !atomic_load(&failed); i++, at = (at + step) % own) {
			uint64_t page = at * threads + number;

			if (round > 1)
				check(page, round - 1);
			fill(page, round);
			atomic_fetch_add(progress, 1);
		}
	}
	for (i = 0; i < own && !atomic_load(&failed); i++) {
		check(i * threads + number, rounds);
		atomic_fetch_add(progress, 1);
	}
	return NULL;
}

/* A process of its own, which needs no memory any more. */
static void watch(void)
{
	int sysrq = open("/proc/sysrq-trigger", O_WRONLY);
	unsigned long last = 0, still = 0;

	if (sysrq < 0 || mlockall(MCL_CURRENT))
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (still < PATIENCE) {
		sleep(1);
		still = atomic_load(progress) == last ? still + 1 : 0;
		last = atomic_load(progress);
	}
	if (write(sysrq, "w", 1) < 0 || write(sysrq, "m", 1) < 0 || write(sysrq, "l", 1) < 0)
		return;
}

int main(int argc, char **argv)
{
	pthread_t ids[16];
	uintptr_t i;

	if (argc != 5)
		return 2;
	pages = strtoull(argv[1], NULL, 10) << 20 >> 12;
	seed = strtoull(argv[2], NULL, 10);
	rounds = atoi(argv[3]);
	threads = atoi(argv[4]);
	if (!pages || !rounds || !threads || threads > 16)
		return 2;
	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 1;
	if (!fork()) {
		watch();
		_exit(0);
	}
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		perror("hog: mmap");
		return 1;
	}
	/* A huge page goes to swap whole, or is split first: small ones are the harder case. */
	madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, work, (void *)i);
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	if (atomic_load(&failed))
		return 1;
	printf("hog: %llu pages, %u rounds: as they should be\n", (unsigned long long)pages,
	       rounds);
	return 0;
}
