// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every schedule within the budgets, depth first; each is run from its beginning.
 *
 * The stack has the choices that had a budget, with the way taken. The last one with
 * another way left takes it next; what was below it is forgotten. The trunk is the
 * schedule of ways 0. Each way off it, at the choice where it leaves, is a bough, and each
 * bough belongs to one part.
 */
#include "choose.h"
#include "task.h"

struct node {
	u32 index;
	u32 n;
	u32 way;
};

static struct node stack[1 << 18];
static unsigned int depth; /* nodes on the stack */
static unsigned int at;	   /* of these, those the schedule has passed */
static unsigned int part, parts;
static unsigned int off; /* nodes with another way than 0 */
static bool started;

static void dfs_begin(unsigned int own_part, unsigned int all_parts)
{
	part = own_part;
	parts = all_parts;
	depth = at = off = 0;
	started = false;
}

/* By what it is, not by how many there were before: parts may leave out different ones. */
static bool is_ours(const struct node *bough)
{
	return (bough->index * 0x9e3779b1U + bough->way * 0x85ebca77U) % 65521 % parts == part;
}

static bool dfs_start(void)
{
	at = 0;
	if (!started) {
		/* The trunk itself: every part runs it, to know the boughs. */
		started = true;
		return true;
	}
	while (depth) {
		struct node *top = &stack[depth - 1];

		if (!top->way)
			off++;
		while (++top->way < top->n) {
			if (off > 1 || is_ours(top))
				return true;
		}
		off--;
		depth--;
	}
	return false;
}

static unsigned int dfs_choose(enum choose_kind kind, unsigned int n)
{
	if (at < depth) {
		if (stack[at].index != chooser.index)
			return 0;
		if (stack[at].n != n)
			explore_fail(
				"the world is not the same each time: choice %u had %u ways and has %u",
				chooser.index, stack[at].n, n);
		return stack[at++].way;
	}
	if (depth == ARRAY_SIZE(stack))
		explore_fail("more than %zu choices", ARRAY_SIZE(stack));
	stack[depth++] = (struct node){.index = chooser.index, .n = n};
	at++;
	return 0;
}

const struct strategy strategy_dfs = {
	.name = "dfs",
	.begin = dfs_begin,
	.start = dfs_start,
	.choose = dfs_choose,
};
