// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "layers.h"
#include "lock.h"
#include "say.h"
#include "walk.h"

#define UNUSED_TRIES 50

static bool same_file(const struct stat *a, const char *path)
{
	struct stat b;

	if (stat(path, &b) || (a->st_mode & S_IFMT) != (b.st_mode & S_IFMT))
		return false;
	return S_ISBLK(b.st_mode) ? a->st_rdev == b.st_rdev
				  : a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

int layers_find_in(const struct layer_list *list, const char *word, size_t *index)
{
	unsigned long number;
	struct stat st;
	char *end;
	size_t i;

	errno = 0;
	number = strtoul(word, &end, 10);
	if (*word >= '0' && *word <= '9' && !*end) {
		*index = number;
		if (!errno && number < list->nr)
			return 0;
		return say("%s has no layer %s: they are numbered from 0, the base, to %zu",
			   list->name, word, list->nr - 1);
	}
	for (i = 0; i < list->nr; i++) {
		*index = i;
		if (!strcmp(list->path[i], word))
			return 0;
	}
	if (!stat(word, &st)) {
		for (i = 0; i < list->nr; i++) {
			*index = i;
			if (same_file(&st, list->path[i]))
				return 0;
		}
	}
	return say("%s is not in the chain of %s; \"qcowctl %s %s\" shows that", word, list->name,
		   list->shown_by, list->name);
}

int layers_find(const struct live *live, const char *word, size_t *index)
{
	struct layer_list list = {
		.name = live->device.name,
		.shown_by = "status",
		.nr = live->table.nr_layers,
		.path = (char *const *)live->table.path,
	};

	return layers_find_in(&list, word, index);
}

char *layers_name(const char *image, const char *backing)
{
	size_t dir = strrchr(image, '/') + 1 - image;
	char *name;

	if (strncmp(image, backing, dir) || strchr(backing + dir, '/'))
		name = xstrdup(backing);
	else if (walk_name_is_protocol(backing + dir))
		name = xasprintf("./%s", backing + dir);
	else
		name = xstrdup(backing + dir);
	if (strlen(name) <= Q2_MAX_BACKING_NAME)
		return name;
	say("%s: an image can store no name of more than %u bytes", backing, Q2_MAX_BACKING_NAME);
	free(name);
	return NULL;
}

/* The kernel closes files a moment after a job has ended. */
static void wait_until_unused(int fd)
{
	static const struct timespec moment = {.tv_nsec = 20000000};
	unsigned int i;

	for (i = 0; i < UNUSED_TRIES && lock_try_replacing(fd) == -EAGAIN; i++)
		nanosleep(&moment, NULL);
}

/* Remove a file that nobody uses. */
static int remove_file(const char *path)
{
	struct stat st;
	int fd, ret;

	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return say("%s is a block device and stays", path);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return say("%s could not be removed: %s", path, strerror(errno));
	wait_until_unused(fd);
	ret = lock_for_replacing(fd, path);
	if (!ret && unlink(path))
		ret = say("%s could not be removed: %s", path, strerror(errno));
	close(fd);
	return ret;
}

static bool in_chain(const struct dm_device *device, const char *path)
{
	struct table table;
	bool found = false;
	size_t i;

	if (!device->table || table_parse(device->table, &table))
		return true;
	for (i = 0; i < table.nr_layers; i++)
		found |= !strcmp(table.path[i], path);
	table_clear(&table);
	return found;
}

int layers_unneeded_file(const char *path, bool remove)
{
	if (remove && remove_file(path))
		return -1;
	fputs(remove ? "removed: " : "no longer needed: ", stdout);
	escape_put(stdout, path);
	putchar('\n');
	return 0;
}

int layers_unneeded(const struct dm_device *device, char *const *path, size_t nr, bool remove)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < nr; i++) {
		if (in_chain(device, path[i]))
			ret = say("%s is still in the chain of %s", path[i], device->name);
		else if (layers_unneeded_file(path[i], remove))
			ret = -1;
	}
	return ret;
}
