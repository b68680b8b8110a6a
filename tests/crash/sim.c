// SPDX-License-Identifier: GPL-2.0-only
/* The runner of crash-sim and crash-replay. */
#include <getopt.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_do_recoverable_leak_check() 0
#endif
#include "disk.h"
#include "images.h"
#include "sim.h"

struct sim_options sim = {.seed = 1, .states = 4000, .qemu_every = 8};
struct sim_count sim_count;
bool sim_judging;

static jmp_buf leave;
static pthread_t main_thread;
static bool failed, running;
static char context[512];
static unsigned int passed, bad;
static long alloc_left;
static bool alloc_sticky, alloc_paused;

u64 rng_next(struct rng *r)
{
	u64 z = r->state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

u64 rng_below(struct rng *r, u64 n)
{
	return n ? rng_next(r) % n : 0;
}

void *xalloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p) {
		perror("memory");
		exit(1);
	}
	return p;
}

void fault_alloc(unsigned long nth, bool sticky)
{
	alloc_sticky = sticky;
	alloc_paused = false;
	__atomic_store_n(&alloc_left, nth, __ATOMIC_RELAXED);
}

void fault_alloc_pause(bool pause)
{
	alloc_paused = pause;
}

void *q2_env_alloc(size_t size)
{
	void *p;

	if (!alloc_paused && __atomic_load_n(&alloc_left, __ATOMIC_RELAXED) > 0 &&
	    !__atomic_sub_fetch(&alloc_left, 1, __ATOMIC_RELAXED)) {
		disk_fault.hit = true;
		if (alloc_sticky)
			__atomic_store_n(&alloc_left, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	p = malloc(size ? size : 1);
	/* What is not initialized shall be seen. */
	if (p)
		memset(p, 0xa5, size);
	return p;
}

void sim_context(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(context, sizeof(context), fmt, args);
	va_end(args);
	if (sim.verbose)
		fprintf(stderr, "  %s\n", context);
}

bool sim_failed(void)
{
	return __atomic_load_n(&failed, __ATOMIC_RELAXED);
}

void sim_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	flockfile(stderr);
	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n    in: %s\n", context);
	funlockfile(stderr);
	__atomic_store_n(&failed, true, __ATOMIC_RELAXED);
	if (running && pthread_equal(pthread_self(), main_thread))
		longjmp(leave, 1);
}

bool sim_wanted(const char *name)
{
	return !sim.only || strstr(name, sim.only);
}

void sim_test(const char *given, void (*run)(void *arg), void *arg)
{
	struct timespec a, b;
	char name[128];

	snprintf(name, sizeof(name), "%s", given);
	if (!sim_wanted(name) || (bad && sim.stop))
		return;
	failed = sim_judging = false;
	running = true;
	context[0] = 0;
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (!setjmp(leave))
		run(arg);
	running = false;
	fault_alloc(0, false);
	disk_fault_clear();
	/* A test that was left in the middle leaves memory: from then on nothing is told apart. */
	if (!bad && !failed && __lsan_do_recoverable_leak_check())
		failed = true;
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (failed) {
		bad++;
		printf("FAIL %s   (again: --only %s --seed %llu)\n", name, name, sim.seed);
	} else {
		passed++;
		printf("ok   %s %.1fs\n", name,
		       b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9);
	}
}

#ifdef __SANITIZE_ADDRESS__
/* Large buffers come and go here: to keep them all for a while costs more than it finds. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8";
}
#endif

static const struct option options[] = {
	{"seed", required_argument, NULL, 's'},
	{"states", required_argument, NULL, 'n'},
	{"seconds", required_argument, NULL, 't'},
	{"only", required_argument, NULL, 'o'},
	{"dir", required_argument, NULL, 'd'},
	{"stop", no_argument, NULL, 'x'},
	{"qemu-every", required_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{},
};

static void usage(FILE *out)
{
	fputs("crash-sim [--seed N] [--states N] [--seconds N] [--only NAME] [--qemu-every N]\n"
	      "          [--dir DIR] [--stop] [--verbose]\n",
	      out);
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			sim.seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			sim.states = strtoul(optarg, NULL, 0);
			break;
		case 't':
			sim.seconds = strtoul(optarg, NULL, 0);
			break;
		case 'q':
			sim.qemu_every = strtoul(optarg, NULL, 0);
			break;
		case 'o':
			sim.only = optarg;
			break;
		case 'd':
			sim.dir = optarg;
			break;
		case 'x':
			sim.stop = true;
			break;
		case 'v':
			sim.verbose = true;
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	sim.args = argv + optind;
}

int main(int argc, char **argv)
{
	static char dir[] = "/dev/shm/crash-sim.XXXXXX";
	time_t start = time(NULL);
	bool own_dir;

	main_thread = pthread_self();
	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	own_dir = !sim.dir;
	if (own_dir)
		sim.dir = mkdtemp(dir);
	if (!sim.dir) {
		perror("scratch folder");
		return 1;
	}
	do {
		printf("seed %llu\n", sim.seed);
		sim_run();
		images_forget();
		sim.seed++;
	} while (sim.seconds && time(NULL) - start < (time_t)sim.seconds && !(bad && sim.stop));
	if (own_dir)
		rmdir(sim.dir);
	printf("%lu guest operations, %lu crash states (%lu gone on with), %lu faults, %lu "
	       "sequences, %lu runs of other programs\n",
	       sim_count.ops, sim_count.states, sim_count.reopened, sim_count.faults,
	       sim_count.sequences, sim_count.qemu);
	printf("%u passed, %u failed\n", passed, bad);
	fflush(stdout);
	/* A test that was left in the middle leaves memory. */
	if (bad)
		_exit(1);
	return !passed;
}
