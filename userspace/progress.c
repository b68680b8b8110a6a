// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"

#define FIRST_AFTER_MS 1000
#define NEXT_AFTER_MS 200
/* Characters of the bar. */
#define BAR 40

static struct {
	const char *what;
	int64_t due;
	bool shown;
} progress;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void progress_start(const char *what)
{
	progress.what = isatty(STDERR_FILENO) ? what : NULL;
	progress.due = now_ms() + FIRST_AFTER_MS;
}

void progress_update(uint64_t done, uint64_t total)
{
	char bar[BAR + 1];
	unsigned int i;
	int64_t now;

	if (!progress.what || !total)
		return;
	now = now_ms();
	if (now < progress.due)
		return;
	progress.due = now + NEXT_AFTER_MS;
	progress.shown = true;
	for (i = 0; i < BAR; i++)
		bar[i] = i < done * 1.0 / total * BAR ? '#' : '.';
	bar[BAR] = '\0';
	fprintf(stderr, "\r%s [%s] %5.1f %%", progress.what, bar, done * 100.0 / total);
}

void progress_hide(void)
{
	if (progress.shown)
		fputs("\r\033[K", stderr);
	progress.shown = false;
}
