// SPDX-License-Identifier: GPL-2.0-only
/* The explorer: options, processes, sums. */
#include <fnmatch.h>
#include <getopt.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "reduce.h"
#include "run.h"
#include "task.h"

#define MOST_PARTS 64

extern const struct explore_world *const __start_explore_worlds[], *const __stop_explore_worlds[];

/* What all parts share. */
static struct {
	u64 lowest;
	struct run_result res[MOST_PARTS];
	u8 touched[MOST_PARTS][REDUCE_SLOTS];
} * shared;

static struct {
	const char *worlds[16];
	unsigned int nr_worlds;
	const struct strategy *strategy;
	int budget[CHOOSE_KINDS]; /* -1: as the world has it */
	bool all_points;
	unsigned int passed;
	unsigned int failed;
	u64 schedules;
} asked = {
	.strategy = &strategy_dfs,
	.budget = {-1, -1, -1, -1, -1, -1},
};

static const struct option options[] = {
	{"world", required_argument, NULL, 'w'},
	{"ops", required_argument, NULL, 'o'},
	{"strategy", required_argument, NULL, 't'},
	{"bound", required_argument, NULL, 'b'},
	{"switches", required_argument, NULL, 'x'},
	{"all-points", no_argument, NULL, 'p'},
	{"faults", required_argument, NULL, 'f'},
	{"alloc-faults", no_argument, NULL, 'a'},
	{"cuts", required_argument, NULL, 'c'},
	{"early", required_argument, NULL, 'e'},
	{"depth", required_argument, NULL, 'd'},
	{"seed", required_argument, NULL, 's'},
	{"schedules", required_argument, NULL, 'n'},
	{"steps", required_argument, NULL, 'm'},
	{"jobs", required_argument, NULL, 'j'},
	{"replay", required_argument, NULL, 'r'},
	{"dump", required_argument, NULL, 'D'},
	{"trace", no_argument, NULL, 'v'},
	{"list", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{},
};

static void usage(FILE *out)
{
	fputs("explore [option...]\n"
	      "  --world PATTERN    worlds, as the shell has it: 'rcu/*'; repeatable; else all\n"
	      "  --ops TEXT         what its tasks do, if it has a choice of that\n"
	      "  --strategy S       dfs: each schedule within the budgets; pct, random: by chance\n"
	      "  --bound N          preemptions in a schedule (dfs)\n"
	      "  --switches N       times another one than the next goes on where a task waits (dfs)\n"
	      "  --all-points       preempt also where that leads to nothing new (dfs)\n"
	      "  --faults N         faults in a schedule\n"
	      "  --alloc-faults     allocations are among them\n"
	      "  --cuts N           0: the power is not cut; 1: it may be\n"
	      "  --early N          times that time passes though tasks could go on\n"
	      "  --depth N          change points + 1 (pct)\n"
	      "  --seed N           for pct and random\n"
	      "  --schedules N      no more than these; pct and random need it\n"
	      "  --steps N          a schedule with more is one without an end\n"
	      "  -j, --jobs N       processes\n"
	      "  --replay SCHEDULE  this one alone, as printed with a failure\n"
	      "  --dump DIR         put each image that is checked there, for qemu-img\n"
	      "  --trace            print each step\n"
	      "  --list             the worlds\n",
	      out);
}

static const struct strategy *strategy_of(const char *name)
{
	static const struct strategy *const all[] = {&strategy_dfs, &strategy_pct,
						     &strategy_random};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		if (!strcmp(all[i]->name, name))
			return all[i];
	}
	fprintf(stderr, "--strategy %s: there are dfs, pct and random\n", name);
	exit(2);
}

static unsigned long number_of(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "%s: not a number\n", text);
		exit(2);
	}
	return n;
}

static void list(void)
{
	const struct explore_world *const *w;

	for (w = __start_explore_worlds; w < __stop_explore_worlds; w++)
		printf("%-20s %s%s\n", (*w)->name, (*w)->finds ? "(fails) " : "", (*w)->shows);
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "j:", options, NULL)) >= 0) {
		switch (c) {
		case 'w':
			if (asked.nr_worlds == ARRAY_SIZE(asked.worlds)) {
				fputs("too many --world\n", stderr);
				exit(2);
			}
			asked.worlds[asked.nr_worlds++] = optarg;
			break;
		case 'o':
			run_options.ops = optarg;
			break;
		case 't':
			asked.strategy = strategy_of(optarg);
			break;
		case 'b':
			asked.budget[CHOOSE_PREEMPT] = number_of(optarg);
			break;
		case 'x':
			asked.budget[CHOOSE_SWITCH] = number_of(optarg);
			break;
		case 'p':
			asked.all_points = true;
			break;
		case 'f':
			asked.budget[CHOOSE_FAULT] = number_of(optarg);
			break;
		case 'a':
			run_options.alloc_faults = true;
			break;
		case 'c':
			asked.budget[CHOOSE_CUT] = number_of(optarg);
			break;
		case 'e':
			asked.budget[CHOOSE_EARLY] = number_of(optarg);
			break;
		case 'd':
			chooser.depth = number_of(optarg);
			break;
		case 's':
			chooser.seed = number_of(optarg);
			break;
		case 'n':
			run_options.schedules = number_of(optarg);
			break;
		case 'm':
			engine.most_steps = number_of(optarg);
			break;
		case 'j':
			run_options.parts =
				clamp(number_of(optarg), 1UL, (unsigned long)MOST_PARTS);
			break;
		case 'r':
			if (!choose_parse(optarg)) {
				fprintf(stderr, "--replay %s: not a schedule\n", optarg);
				exit(2);
			}
			asked.strategy = &strategy_replay;
			break;
		case 'D':
			run_options.dump = optarg;
			break;
		case 'v':
			engine.tracing = true;
			break;
		case 'l':
			list();
			exit(0);
		default:
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (asked.strategy == &strategy_replay)
		run_options.parts = 1;
	if ((asked.strategy == &strategy_pct || asked.strategy == &strategy_random) &&
	    !run_options.schedules)
		run_options.schedules = 10000;
}

static bool wanted(const char *name)
{
	unsigned int i;

	for (i = 0; i < asked.nr_worlds; i++) {
		if (!fnmatch(asked.worlds[i], name, 0))
			return true;
	}
	return !asked.nr_worlds;
}

static void set_budgets(const struct explore_world *world, const struct strategy *strategy)
{
	const unsigned int own[CHOOSE_KINDS] = {
		[CHOOSE_PREEMPT] = world->bound,
		[CHOOSE_SWITCH] = world->switches ? world->switches : CHOOSE_UNLIMITED,
		[CHOOSE_FAULT] = world->faults,
		[CHOOSE_CUT] = world->cuts,
		[CHOOSE_EARLY] = world->early,
		[CHOOSE_FREE] = CHOOSE_UNLIMITED,
	};
	unsigned int i;

	for (i = 0; i < CHOOSE_KINDS; i++)
		chooser.budget[i] = asked.budget[i] == -1 ? own[i] : asked.budget[i];
	chooser.strategy = strategy;
	if (strategy == &strategy_pct || strategy == &strategy_random)
		chooser.budget[CHOOSE_PREEMPT] = chooser.budget[CHOOSE_SWITCH] = CHOOSE_UNLIMITED;
}

static void run_one_part(const struct explore_world *world, unsigned int part)
{
	run_part(world, part, &shared->lowest, &shared->res[part]);
	reduce_export(shared->touched[part]);
}

static void run_parts(const struct explore_world *world)
{
	pid_t pids[MOST_PARTS];
	unsigned int i;

	fflush(stdout);
	if (run_options.parts == 1) {
		run_one_part(world, 0);
		return;
	}
	for (i = 0; i < run_options.parts; i++) {
		pids[i] = fork();
		if (pids[i] < 0) {
			perror("fork");
			exit(1);
		}
		if (!pids[i]) {
			run_one_part(world, i);
			_exit(0);
		}
	}
	for (i = 0; i < run_options.parts; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) != pids[i] || status) {
			shared->res[i].failed = true;
			snprintf(shared->res[i].failure, sizeof(shared->res[i].failure),
				 "its process died (status %d)", status);
		}
	}
}

/* Of the schedules that have failed, the first one: the same each time. */
static const struct run_result *first_failure(void)
{
	const struct run_result *first = NULL;
	unsigned int i;

	for (i = 0; i < run_options.parts; i++) {
		if (shared->res[i].failed && (!first || shared->res[i].number < first->number))
			first = &shared->res[i];
	}
	return first;
}

static void say_again(const struct explore_world *world, const struct run_result *failure)
{
	printf("     again: --world %s%s%s%s --replay %s --trace\n", world->name,
	       *run_options.ops ? " --ops " : "", run_options.ops,
	       run_options.alloc_faults ? " --alloc-faults" : "", failure->schedule);
}

/* A few schedules by chance, by which reduce.h learns. */
#define LEARN_SCHEDULES 1000

static void learn(const struct explore_world *world)
{
	struct run_options saved = run_options;

	run_options.parts = 1;
	run_options.schedules = LEARN_SCHEDULES;
	set_budgets(world, &strategy_pct);
	reduce_mode = REDUCE_LEARN;
	run_parts(world);
	run_options = saved;
}

/* The schedule of ways 0 tells how many choices there are, about. */
static void measure(const struct explore_world *world)
{
	struct run_options saved = run_options;

	run_options.parts = 1;
	choose_parse("0");
	set_budgets(world, &strategy_replay);
	run_parts(world);
	run_options = saved;
	chooser.expected = chooser.index;
	memcpy(chooser.expected_kind, chooser.seen, sizeof(chooser.seen));
}

/* All schedules, again until nothing was left out that should not have been. */
static unsigned int search(const struct explore_world *world)
{
	unsigned int rounds = 0, i;
	bool more = true;

	reduce_mode = REDUCE_OFF;
	if (asked.strategy != &strategy_replay) {
		measure(world);
		if (first_failure())
			return 0;
	}
	if (asked.strategy == &strategy_dfs && !asked.all_points) {
		learn(world);
		if (first_failure())
			return 0;
		reduce_mode = REDUCE_ON;
	}
	while (more && !first_failure()) {
		reduce_freeze();
		shared->lowest = U64_MAX;
		set_budgets(world, asked.strategy);
		run_parts(world);
		rounds++;
		more = false;
		for (i = 0; reduce_mode == REDUCE_ON && i < run_options.parts; i++)
			more |= reduce_import(shared->touched[i]);
		/* A search that was cut short is not worth a second one. */
		more &= !run_options.schedules;
	}
	return rounds;
}

/* Seconds of CPU time that this process and its parts have had. */
static double cpu_seconds(void)
{
	double seconds = 0;
	struct rusage usage;
	int of[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(of); i++) {
		getrusage(of[i], &usage);
		seconds += usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
			   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	}
	return seconds;
}

static void sum_up(struct run_result *sum)
{
	unsigned int i;

	for (i = 0; i < run_options.parts; i++) {
		sum->schedules += shared->res[i].schedules;
		sum->steps += shared->res[i].steps;
		sum->switches += shared->res[i].switches;
		sum->cuts += shared->res[i].cuts;
		sum->longest = max(sum->longest, shared->res[i].longest);
	}
	sum->saved = shared->res[0].saved;
}

static void run_world(const struct explore_world *world)
{
	const struct run_result *failure;
	struct run_result sum = {};
	unsigned int rounds;
	double seconds;
	bool good;

	memset(shared, 0, sizeof(*shared));
	shared->lowest = U64_MAX;
	lock_forget_order();
	seconds = cpu_seconds();
	rounds = search(world);
	seconds = max(cpu_seconds() - seconds, 1e-6);
	sum_up(&sum);
	asked.schedules += sum.schedules;
	failure = first_failure();
	good = world->finds ? failure && strstr(failure->failure, world->finds) : !failure;
	printf("%-4s %s: %llu schedules (%llu with a power cut), longest %llu steps; %.1f s of CPU time, %.0f schedules, %.0f steps, %.0f switches a second; %llu bytes, %u rounds\n",
	       good ? "ok" : "FAIL", world->name, sum.schedules, sum.cuts, sum.longest, seconds,
	       sum.schedules / seconds, sum.steps / seconds, sum.switches / seconds, sum.saved,
	       rounds);
	if (good && failure)
		printf("     as it must: %s\n", failure->failure);
	if (good && failure)
		say_again(world, failure);
	if (!good && failure) {
		printf("     %s\n", failure->failure);
		say_again(world, failure);
	}
	if (!good && !failure)
		printf("     should have failed with: %s\n", world->finds);
	if (good)
		asked.passed++;
	else
		asked.failed++;
}

int main(int argc, char **argv)
{
	const struct explore_world *const *w;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED) {
		perror("memory");
		return 1;
	}
	for (w = __start_explore_worlds; w < __stop_explore_worlds; w++) {
		if (wanted((*w)->name))
			run_world(*w);
	}
	printf("%llu schedules\n%u passed, %u failed\n", asked.schedules, asked.passed,
	       asked.failed);
	return !asked.passed || asked.failed;
}
