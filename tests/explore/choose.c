// SPDX-License-Identifier: GPL-2.0-only
/* Choices, and what is common to all strategies. */
#include "choose.h"
#include "task.h"

struct chooser chooser = {.strategy = &strategy_dfs, .seed = 1, .depth = 3};

unsigned int explore_choose_kind(enum choose_kind kind, unsigned int n)
{
	unsigned int way = 0;

	if (chooser.left[kind])
		way = chooser.strategy->choose(kind, n);
	if (unlikely(way)) {
		if (chooser.left[kind] != CHOOSE_UNLIMITED)
			chooser.left[kind]--;
		if (chooser.nr_taken < ARRAY_SIZE(chooser.taken))
			chooser.taken[chooser.nr_taken++] = (struct taken){chooser.index, way};
	}
	chooser.index++;
	chooser.seen[kind]++;
	return way;
}

bool choose_start(void)
{
	memcpy(chooser.left, chooser.budget, sizeof(chooser.left));
	if (!chooser.strategy->start())
		return false;
	chooser.index = 0;
	chooser.nr_taken = 0;
	memset(chooser.seen, 0, sizeof(chooser.seen));
	return true;
}

void choose_print(char *buf, size_t bytes)
{
	size_t at = 0;
	unsigned int i;

	snprintf(buf, bytes, "0");
	for (i = 0; i < chooser.nr_taken && at < bytes; i++)
		at += snprintf(buf + at, bytes - at, "%s%u.%u", i ? "-" : "",
			       chooser.taken[i].index, chooser.taken[i].way);
}

unsigned int explore_choose(unsigned int n, const char *what)
{
	unsigned int way;

	if (n < 2 || now.quiet)
		return 0;
	way = explore_choose_kind(CHOOSE_FREE, n);
	if (engine.tracing && way)
		explore_say("choice", "%s: %u of %u", what, way, n);
	return way;
}

unsigned int explore_choose_fault(unsigned int n, const char *what)
{
	unsigned int way;

	if (n < 2 || now.quiet)
		return 0;
	way = explore_choose_kind(CHOOSE_FAULT, n);
	now.faults += !!way;
	if (engine.tracing && way)
		explore_say("fault", "%s: %u of %u", what, way, n);
	return way;
}

unsigned int explore_faults(void)
{
	return now.faults;
}

/*
 * Replay
 */

static struct taken script[ARRAY_SIZE(chooser.taken)];
static unsigned int nr_script, at_script;
static bool replayed;

bool choose_parse(const char *text)
{
	nr_script = 0;
	if (!strcmp(text, "0"))
		return true;
	while (*text && nr_script < ARRAY_SIZE(script)) {
		int n = 0;

		if (sscanf(text, "%u.%u%n", &script[nr_script].index, &script[nr_script].way, &n) !=
		    2)
			return false;
		nr_script++;
		text += n;
		if (*text == '-')
			text++;
		else if (*text)
			return false;
	}
	return !*text;
}

static void replay_begin(unsigned int part, unsigned int parts)
{
	replayed = false;
}

static bool replay_start(void)
{
	bool first = !replayed;
	unsigned int i;

	/* The script has been within some budget. */
	for (i = 0; i < CHOOSE_KINDS; i++)
		chooser.left[i] = CHOOSE_UNLIMITED;
	at_script = 0;
	replayed = true;
	return first;
}

static unsigned int replay_choose(enum choose_kind kind, unsigned int n)
{
	if (at_script < nr_script && script[at_script].index == chooser.index) {
		unsigned int way = script[at_script++].way;

		if (way >= n)
			explore_fail("this schedule is of another world: way %u of %u at choice %u",
				     way, n, chooser.index);
		return way;
	}
	return 0;
}

const struct strategy strategy_replay = {
	.name = "replay",
	.begin = replay_begin,
	.start = replay_start,
	.choose = replay_choose,
};
