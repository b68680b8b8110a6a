// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "holders.h"
#include "mounts.h"
#include "say.h"

#define NAMED_MOST 5

struct list {
	char *text;
	unsigned int nr;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *list, const char *fmt, ...)
{
	char *item, *text;
	va_list ap;
	int len;

	if (list->nr++ >= NAMED_MOST)
		return;
	va_start(ap, fmt);
	len = vasprintf(&item, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	text = xasprintf("%s%s%s", list->text, *list->text ? ", " : "", item);
	free(item);
	free(list->text);
	list->text = text;
}

/* The first line of a small file; "" if there is none. */
static char *first_line(const char *path)
{
	char *line = NULL;
	size_t size = 0;
	FILE *in = fopen(path, "re");
	ssize_t n = in ? getline(&line, &size, in) : -1;

	if (in)
		fclose(in);
	if (n <= 0) {
		free(line);
		return xstrdup("");
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void find_devices(struct list *list, dev_t dev)
{
	char *dir = xasprintf("/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char *path, *name;

		if (entry->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s/dm/name", dir, entry->d_name);
		name = first_line(path);
		add(list, "used by device %s", *name ? name : entry->d_name);
		free(name);
		free(path);
	}
	if (d)
		closedir(d);
	free(dir);
}

/**
 * struct mount_search - what find_mounts() looks for
 * @list: where it is to be told
 * @dev: device
 * @root: namespace in which it was found first, NULL: in none so far
 */
struct mount_search {
	struct list *list;
	dev_t dev;
	char *root;
};

/* One namespace is told of, our own if it is mounted there: others mostly have the same. */
static bool look_at_mount(const struct mount_line *line, void *arg)
{
	struct mount_search *search = arg;

	if (search->root && strcmp(search->root, line->root))
		return true;
	if (line->dev != search->dev)
		return false;
	if (!search->root)
		search->root = xstrdup(line->root);
	add(search->list, "mounted on %s%s", line->root, line->point);
	return false;
}

static void find_mounts(struct list *list, dev_t dev)
{
	struct mount_search search = {.list = list, .dev = dev};

	mounts_each(look_at_mount, &search);
	free(search.root);
}

static void find_swap(struct list *list, dev_t dev)
{
	FILE *in = fopen("/proc/swaps", "re");
	char *line = NULL, *path;
	struct stat st;
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0) {
		if (sscanf(line, "%ms", &path) != 1)
			continue;
		if (!stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == dev)
			add(list, "used for swap");
		free(path);
	}
	free(line);
	if (in)
		fclose(in);
}

static bool process_has_it(const char *pid, dev_t dev)
{
	char *dir = xasprintf("/proc/%s/fd", pid);
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool found = false;
	struct stat st;

	while (!found && d && (entry = readdir(d)))
		found = isdigit((unsigned char)entry->d_name[0]) &&
			!fstatat(dirfd(d), entry->d_name, &st, 0) && S_ISBLK(st.st_mode) &&
			st.st_rdev == dev;
	if (d)
		closedir(d);
	free(dir);
	return found;
}

static void find_processes(struct list *list, dev_t dev)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char *path, *name;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_has_it(entry->d_name, dev))
			continue;
		path = xasprintf("/proc/%s/comm", entry->d_name);
		name = first_line(path);
		add(list, "open in %s (process %s)", name, entry->d_name);
		free(name);
		free(path);
	}
	if (d)
		closedir(d);
}

char *holders_text(dev_t dev)
{
	struct list list = {.text = xstrdup("")};

	find_mounts(&list, dev);
	find_swap(&list, dev);
	find_devices(&list, dev);
	find_processes(&list, dev);
	if (list.nr > NAMED_MOST) {
		char *text = xasprintf("%s and %u more", list.text, list.nr - NAMED_MOST);

		free(list.text);
		return text;
	}
	return list.text;
}
