// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "beneath.h"
#include "dm.h"
#include "mounts.h"
#include "say.h"
#include "table.h"

/* Stacks are not deeper; one that leads back into itself is left. */
#define DEPTH_MOST 32

static bool file_on(const char *path, dev_t dev, unsigned int depth);
static bool device_on(dev_t which, dev_t dev, unsigned int depth);

static bool read_line(const char *path, char *line, int size)
{
	FILE *in = fopen(path, "re");
	bool got = in && fgets(line, size, in);

	if (in)
		fclose(in);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

static bool read_number(const char *path, dev_t *dev)
{
	unsigned int major_nr, minor_nr;
	char line[64];

	if (!read_line(path, line, sizeof(line)) ||
	    sscanf(line, "%u:%u", &major_nr, &minor_nr) != 2)
		return false;
	*dev = makedev(major_nr, minor_nr);
	return true;
}

/* The devices that another is made of. */
static bool slaves_on(const char *dir, dev_t dev, unsigned int depth)
{
	char *slaves = xasprintf("%s/slaves", dir), *path;
	DIR *d = opendir(slaves);
	struct dirent *entry;
	bool found = false;
	dev_t slave;

	while (!found && d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s/dev", slaves, entry->d_name);
		found = read_number(path, &slave) && device_on(slave, dev, depth);
		free(path);
	}
	if (d)
		closedir(d);
	free(slaves);
	return found;
}

/* The layers of a device of ours that are files are none of its slaves. */
static bool layers_on(dev_t which, dev_t dev, unsigned int depth)
{
	struct dm_device device;
	struct table table;
	bool found = false;
	size_t i;

	if (dm_device_by_number(which, &device))
		return false;
	if (device.table && !table_parse(device.table, &table)) {
		for (i = 0; i < table.nr_layers && !found; i++)
			found = file_on(table.path[i], dev, depth);
		table_clear(&table);
	}
	dm_device_clear(&device);
	return found;
}

static bool device_on(dev_t which, dev_t dev, unsigned int depth)
{
	char *dir = xasprintf("/sys/dev/block/%u:%u", major(which), minor(which));
	char *path = xasprintf("%s/loop/backing_file", dir), file[4096];
	bool found = which == dev;
	dev_t whole;

	if (!found && depth < DEPTH_MOST) {
		found = slaves_on(dir, dev, depth + 1) || layers_on(which, dev, depth + 1);
		if (!found && read_line(path, file, sizeof(file)))
			found = file_on(file, dev, depth + 1);
		free(path);
		path = xasprintf("%s/partition", dir);
		if (!found && !access(path, F_OK)) {
			free(path);
			path = xasprintf("%s/../dev", dir);
			found = read_number(path, &whole) && device_on(whole, dev, depth + 1);
		}
	}
	free(path);
	free(dir);
	return found;
}

/* What a file system without a device number of its own was mounted from; "" if unknown. */
static char *mount_source(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), id = -1, here;
	char *info = xasprintf("/proc/self/fdinfo/%d", fd), *line = NULL, *source = NULL, *dash;
	FILE *in = fd >= 0 ? fopen(info, "re") : NULL;
	size_t size = 0;

	while (in && getline(&line, &size, in) >= 0)
		sscanf(line, "mnt_id: %d", &id);
	if (in)
		fclose(in);
	in = fopen("/proc/self/mountinfo", "re");
	while (in && !source && getline(&line, &size, in) >= 0) {
		dash = strstr(line, " - ");
		if (sscanf(line, "%d", &here) == 1 && here == id && dash)
			sscanf(dash, " - %*s %ms", &source);
	}
	if (in)
		fclose(in);
	if (fd >= 0)
		close(fd);
	free(line);
	free(info);
	return source ? source : xstrdup("");
}

static bool file_on(const char *path, dev_t dev, unsigned int depth)
{
	struct stat st, from;
	bool found = false;
	char *source;

	if (stat(path, &st))
		return false;
	if (S_ISBLK(st.st_mode))
		return device_on(st.st_rdev, dev, depth);
	if (major(st.st_dev))
		return device_on(st.st_dev, dev, depth);
	source = mount_source(path);
	if (!stat(source, &from) && S_ISBLK(from.st_mode))
		found = device_on(from.st_rdev, dev, depth) || mounts_same_btrfs(from.st_rdev, dev);
	free(source);
	return found;
}

bool beneath(const char *path, dev_t dev)
{
	return file_on(path, dev, 0);
}
