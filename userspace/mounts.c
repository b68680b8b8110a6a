// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mounts.h"
#include "say.h"

/* Stacks are not deeper; one that leads back into itself is left. */
#define DEPTH_MOST 32

/* -- lines ------------------------------------------------------------------------------------- */

/* Names come with blanks as \040 and the like. */
static void unescape_octal(char *s)
{
	char *out = s;

	while (*s) {
		if (*s == '\\' && s[1] >= '0' && s[1] < '4' && s[2] && s[3]) {
			*out++ = (s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0');
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static bool parse_line(const char *text, struct mount_line *line)
{
	const char *dash = strstr(text, " - ");
	unsigned int major_nr, minor_nr;

	line->point = NULL;
	line->type = NULL;
	line->source = NULL;
	if (!dash ||
	    sscanf(text, "%d %*d %u:%u %*s %ms", &line->id, &major_nr, &minor_nr, &line->point) !=
		    4 ||
	    sscanf(dash, " - %ms %ms", &line->type, &line->source) != 2)
		return false;
	line->dev = makedev(major_nr, minor_nr);
	unescape_octal(line->point);
	unescape_octal(line->source);
	return true;
}

/* @process: "self" or a number. Return: false if its mounts cannot be read. */
static bool each_of(const char *process, const char *root, bool *enough,
		    bool (*look)(const struct mount_line *line, void *arg), void *arg)
{
	char *path = xasprintf("/proc/%s/mountinfo", process), *text = NULL;
	struct mount_line line = {.root = root};
	FILE *in = fopen(path, "re");
	bool any = false;
	size_t size = 0;

	while (in && !*enough && getline(&text, &size, in) >= 0) {
		any = true;
		if (parse_line(text, &line))
			*enough = look(&line, arg);
		free(line.point);
		free(line.type);
		free(line.source);
	}
	if (in)
		fclose(in);
	free(text);
	free(path);
	return any;
}

/* Number of the mount namespace; 0: unknown. */
static ino_t namespace_of(const char *process)
{
	char *path = xasprintf("/proc/%s/ns/mnt", process);
	struct stat st;
	ino_t ino = stat(path, &st) ? 0 : st.st_ino;

	free(path);
	return ino;
}

void mounts_each(bool (*look)(const struct mount_line *line, void *arg), void *arg)
{
	ino_t *seen = xalloc(sizeof(*seen)), ino;
	struct dirent *entry;
	bool enough = false;
	size_t nr = 1, i;
	DIR *d;

	seen[0] = namespace_of("self");
	each_of("self", "", &enough, look, arg);
	d = enough ? NULL : opendir("/proc");
	while (d && !enough && (entry = readdir(d))) {
		char *root;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		ino = namespace_of(entry->d_name);
		for (i = 0; ino && i < nr && seen[i] != ino; i++)
			;
		if (!ino || i < nr)
			continue;
		root = xasprintf("/proc/%s/root", entry->d_name);
		/* One that just ends shows nothing; another one may be in there, too. */
		if (each_of(entry->d_name, root, &enough, look, arg)) {
			seen = xrealloc(seen, nr + 1, sizeof(*seen));
			seen[nr++] = ino;
		}
		free(root);
	}
	if (d)
		closedir(d);
	free(seen);
}

/* -- devices above others ---------------------------------------------------------------------- */

/**
 * struct above - a device on which a file system may be that has to be found
 * @dev: the device
 * @of: which of those that were asked about it lies on
 * @is: it is that one
 */
struct above {
	dev_t dev;
	size_t of;
	bool is;
};

struct search {
	struct above *above;
	size_t nr_above;
	size_t nr_devs;
	struct mounted *list;
	size_t nr;
};

static bool read_number(const char *path, dev_t *dev)
{
	unsigned int major_nr, minor_nr;
	FILE *in = fopen(path, "re");
	bool got = in && fscanf(in, "%u:%u", &major_nr, &minor_nr) == 2;

	if (in)
		fclose(in);
	if (got)
		*dev = makedev(major_nr, minor_nr);
	return got;
}

static void add_above(struct search *search, dev_t dev, size_t of, unsigned int depth);

/* What is in a directory of sysfs: devices that are made of one, or its partitions. */
static void add_entries(struct search *search, const char *dir, const char *mark, size_t of,
			unsigned int depth)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char *path;
	dev_t dev;

	while (d && (entry = readdir(d))) {
		bool is;

		if (entry->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s/%s", dir, entry->d_name, mark);
		is = !access(path, F_OK);
		free(path);
		path = xasprintf("%s/%s/dev", dir, entry->d_name);
		if (is && read_number(path, &dev))
			add_above(search, dev, of, depth);
		free(path);
	}
	if (d)
		closedir(d);
}

static void add_above(struct search *search, dev_t dev, size_t of, unsigned int depth)
{
	char *dir = xasprintf("/sys/dev/block/%u:%u", major(dev), minor(dev)), *holders;

	search->above = xrealloc(search->above, search->nr_above + 1, sizeof(*search->above));
	search->above[search->nr_above++] = (struct above){dev, of, !depth};
	if (depth < DEPTH_MOST) {
		holders = xasprintf("%s/holders", dir);
		add_entries(search, holders, "dev", of, depth + 1);
		add_entries(search, dir, "partition", of, depth + 1);
		free(holders);
	}
	free(dir);
}

/* -- the search -------------------------------------------------------------------------------- */

bool mounts_same_btrfs(dev_t a, dev_t b)
{
	DIR *all = opendir("/sys/fs/btrfs"), *d;
	struct dirent *fs, *entry;
	bool both = false;
	char *dir, *path;
	dev_t dev;

	while (all && !both && (fs = readdir(all))) {
		unsigned int seen = 0;

		dir = xasprintf("/sys/fs/btrfs/%s/devices", fs->d_name);
		d = fs->d_name[0] == '.' ? NULL : opendir(dir);
		while (d && (entry = readdir(d))) {
			path = xasprintf("%s/%s/dev", dir, entry->d_name);
			if (entry->d_name[0] != '.' && read_number(path, &dev))
				seen |= (dev == a) | (dev == b) << 1;
			free(path);
		}
		if (d)
			closedir(d);
		free(dir);
		both = seen == 3;
	}
	if (all)
		closedir(all);
	return both;
}

/* The device that it was mounted from. */
static bool device_of(const struct mount_line *line, dev_t *dev)
{
	char *path;
	struct stat st;
	bool found;

	if (major(line->dev)) {
		*dev = line->dev;
		return true;
	}
	/* A number of its own. */
	if (line->source[0] != '/')
		return false;
	path = xasprintf("%s%s", line->root, line->source);
	found = (!stat(path, &st) && S_ISBLK(st.st_mode)) ||
		(!stat(line->source, &st) && S_ISBLK(st.st_mode));
	free(path);
	if (found)
		*dev = st.st_rdev;
	return found;
}

/* Is what was opened there that mount, not one that hides it? */
static bool is_mount(int fd, int id)
{
	char *path = xasprintf("/proc/self/fdinfo/%d", fd), *text = NULL;
	FILE *in = fopen(path, "re");
	size_t size = 0;
	int there = -1;

	while (in && getline(&text, &size, in) >= 0)
		sscanf(text, "mnt_id: %d", &there);
	if (in)
		fclose(in);
	free(text);
	free(path);
	return there == id;
}

/* Open for freezing, which a path alone is not enough for; -1: it cannot be. */
static int open_mount(const struct mount_line *line)
{
	char *path = xasprintf("%s%s", line->root, line->point), *again;
	int look = open(path, O_PATH | O_CLOEXEC), fd = -1;
	struct stat st;

	free(path);
	if (look < 0)
		return -1;
	/* A file may be mounted on, too; a device or a pipe is better left closed. */
	if (!fstat(look, &st) && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) &&
	    is_mount(look, line->id)) {
		again = xasprintf("/proc/self/fd/%d", look);
		fd = open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		free(again);
	}
	close(look);
	return fd;
}

static struct mounted *find_or_add(struct search *search, const struct mount_line *line, size_t of)
{
	struct mounted *m;
	size_t i;

	for (i = 0; i < search->nr; i++)
		if (search->list[i].dev == line->dev)
			return &search->list[i];
	search->list = xrealloc(search->list, search->nr + 1, sizeof(*search->list));
	m = &search->list[search->nr++];
	*m = (struct mounted){.dev = line->dev, .fd = -1, .of = of};
	m->on = xalloc(search->nr_devs * sizeof(*m->on));
	return m;
}

static bool look_at(const struct mount_line *line, void *arg)
{
	struct search *search = arg;
	struct mounted *m;
	size_t i;
	dev_t dev;

	if (!device_of(line, &dev))
		return false;
	for (i = 0; i < search->nr_above; i++) {
		const struct above *above = &search->above[i];

		if (above->dev != dev &&
		    (strcmp(line->type, "btrfs") || !mounts_same_btrfs(above->dev, dev)))
			continue;
		m = find_or_add(search, line, above->of);
		m->on[above->of] |= above->is;
		if (m->fd >= 0)
			continue;
		m->fd = open_mount(line);
		if (m->fd >= 0)
			m->point = xstrdup(line->point);
	}
	return false;
}

static void clear(struct mounted *m)
{
	if (m->fd >= 0)
		close(m->fd);
	free(m->point);
	free(m->on);
}

size_t mounts_find(const dev_t *dev, size_t nr, struct mounted **list)
{
	struct search search = {.nr_devs = nr};
	size_t i, kept = 0;

	for (i = 0; i < nr; i++)
		add_above(&search, dev[i], i, 0);
	mounts_each(look_at, &search);
	for (i = 0; i < search.nr; i++) {
		if (search.list[i].fd >= 0)
			search.list[kept++] = search.list[i];
		else
			clear(&search.list[i]);
	}
	free(search.above);
	*list = search.list;
	return kept;
}

void mounts_free(struct mounted *list, size_t nr)
{
	while (nr)
		clear(&list[--nr]);
	free(list);
}
