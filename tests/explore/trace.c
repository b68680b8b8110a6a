// SPDX-License-Identifier: GPL-2.0-only
/* The trace of a schedule: a line a step. */
#include "task.h"

static void line(const char *op, const char *name)
{
	char state[256] = "";

	if (engine.world->print) {
		/* It may use primitives: they shall not be steps, nor change anything. */
		struct schedule saved = now;

		now.quiet = true;
		engine.tracing = false;
		engine.world->print(state, sizeof(state));
		engine.tracing = true;
		now = saved;
	}
	printf("%6llu %6u  %-12s %-12s %-44s %s\n", now.step - now.start, chooser.index,
	       explore_task_name(), op, name, state);
}

void trace_step(const char *op, const char *name)
{
	if (!now.quiet)
		line(op, name);
}

void explore_say(const char *kind, const char *fmt, ...)
{
	char text[512];
	va_list args;
	size_t len;

	if (!engine.tracing || now.quiet)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	line(kind, text);
}
