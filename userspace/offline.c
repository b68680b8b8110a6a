// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "dm.h"
#include "offline.h"
#include "say.h"

static bool is_our_node(const char *path)
{
	struct dm_device device;
	struct stat st;

	dm_setup();
	if (stat(path, &st) || !S_ISBLK(st.st_mode) || dm_device_by_number(st.st_rdev, &device))
		return false;
	dm_device_clear(&device);
	return true;
}

static bool is_our_name(const char *word)
{
	char *path;
	bool is;

	if (strchr(word, '/'))
		return false;
	path = dm_path(word);
	is = is_our_node(path);
	free(path);
	return is;
}

bool is_attached(const char *word)
{
	return access(word, F_OK) ? is_our_name(word) : is_our_node(word);
}

int offline_only(const char *word)
{
	if (is_attached(word))
		return say("%s is an attached device, and this is not served on devices: detach "
			   "it, and give the image",
			   word);
	return 0;
}

bool is_device_meant(const char *word)
{
	return access(word, F_OK) ? !strchr(word, '/') : is_our_node(word) || is_our_name(word);
}
