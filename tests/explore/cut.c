// SPDX-License-Identifier: GPL-2.0-only
/* Power cuts. */
#include "cut.h"
#include "task.h"

#define MOST_HOOKS 8

static struct {
	void (*cut)(void *arg);
	void *arg;
} hooks[MOST_HOOKS];
static unsigned int nr_hooks;

void cut_reset(void)
{
	nr_hooks = 0;
}

void cut_hook(void (*cut)(void *arg), void *arg)
{
	if (nr_hooks == MOST_HOOKS)
		explore_fail("more than %u stores", MOST_HOOKS);
	hooks[nr_hooks].cut = cut;
	hooks[nr_hooks++].arg = arg;
}

void explore_maybe_cut(const char *what)
{
	unsigned int i;

	if (now.quiet || !engine.world->cut)
		return;
	if (!explore_choose_kind(CHOOSE_CUT, 2))
		return;
	explore_say("power cut", "%s", what);
	for (i = 0; i < nr_hooks; i++)
		hooks[i].cut(hooks[i].arg);
	now.cut = true;
	schedule_leave();
}
