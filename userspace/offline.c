// SPDX-License-Identifier: GPL-2.0-only
/* What can be done to a file, but not yet to a device. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "offline.h"
#include "say.h"

/* Is the block device one that qcowctl has made? */
static bool is_ours(dev_t dev)
{
	char path[64], uuid[8] = "";
	FILE *in;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm/uuid", major(dev), minor(dev));
	in = fopen(path, "re");
	if (!in)
		return false;
	if (!fgets(uuid, sizeof(uuid), in))
		uuid[0] = '\0';
	fclose(in);
	return !strncmp(uuid, "QCOW2-", 6);
}

int offline_only(const char *word)
{
	char *path = xstrdup(word);
	struct stat st;
	int ret = 0;

	if (stat(path, &st) && !strchr(word, '/')) {
		free(path);
		path = xasprintf("/dev/mapper/%s", word);
	}
	if (!stat(path, &st) && S_ISBLK(st.st_mode) && is_ours(st.st_rdev))
		ret = say("%s is an attached device, and this is not served on devices yet: detach "
			  "it, and give the image",
			  word);
	free(path);
	return ret;
}
