// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lock.h"
#include "say.h"
#include "store.h"

/* Blocks of devices are not larger than this. */
#define BLOCK 4096

static int write_all(int fd, const char *bytes, size_t len, off_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, bytes, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		bytes += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int flush(int fd)
{
	return fsync(fd) ? -errno : 0;
}

/* Without its header the device holds no image while the rest is written. */
static int write_device(int fd, const char *bytes, size_t len)
{
	char *zeroes;
	int ret;

	if (posix_memalign((void **)&zeroes, BLOCK, BLOCK))
		return -ENOMEM;
	memset(zeroes, 0, BLOCK);
	ret = write_all(fd, zeroes, BLOCK, 0);
	free(zeroes);
	if (!ret)
		ret = flush(fd);
	if (!ret && len > BLOCK)
		ret = write_all(fd, bytes + BLOCK, len - BLOCK, BLOCK);
	if (!ret)
		ret = flush(fd);
	if (!ret)
		ret = write_all(fd, bytes, BLOCK, 0);
	return ret ? ret : flush(fd);
}

static int store_on_device(const char *path, const char *bytes, size_t len)
{
	uint64_t size;
	int fd, ret;

	/* O_EXCL: not while it is mounted, or below another device. */
	fd = open(path, O_RDWR | O_EXCL | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY ? say("%s is in use: mounted, or below another device", path)
				      : say("%s: %s", path, strerror(errno));
	len = (len + BLOCK - 1) & ~(size_t)(BLOCK - 1);
	if (lock_for_replacing(fd, path)) {
		ret = -1;
	} else if (ioctl(fd, BLKGETSIZE64, &size) || size < len) {
		ret = say("%s is too small: an empty image already needs %zu bytes", path, len);
	} else {
		ret = write_device(fd, bytes, len);
		if (ret)
			ret = say("%s: the image could not be written: %s", path, strerror(-ret));
	}
	close(fd);
	return ret;
}

/* Mode and owner of what is replaced; of a new file the usual mode. */
static int dress(int fd, const struct stat *old)
{
	mode_t mask = umask(0);

	umask(mask);
	if (!old)
		return fchmod(fd, 0644 & ~mask) ? -errno : 0;
	if ((old->st_uid != geteuid() || old->st_gid != getegid()) &&
	    fchown(fd, old->st_uid, old->st_gid))
		return -errno;
	return fchmod(fd, old->st_mode & 07777) ? -errno : 0;
}

static int make_durable(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = flush(fd);
	close(fd);
	return ret == -EINVAL ? 0 : ret; /* no such thing there */
}

static int write_and_rename(const char *path, const char *dir, const char *bytes, size_t len,
			    const struct stat *old)
{
	char *temp = xasprintf("%s/.qcowctl-XXXXXX", dir);
	int fd = mkostemp(temp, O_CLOEXEC), ret;

	if (fd < 0) {
		ret = say("%s: no file can be made in %s: %s", path, dir, strerror(errno));
		free(temp);
		return ret;
	}
	ret = write_all(fd, bytes, len, 0);
	if (!ret)
		ret = dress(fd, old);
	if (!ret)
		ret = flush(fd);
	if (!ret && rename(temp, path))
		ret = -errno;
	if (ret)
		unlink(temp);
	else
		ret = make_durable(dir);
	close(fd);
	free(temp);
	return ret ? say("%s: the image could not be written: %s", path, strerror(-ret)) : 0;
}

/* Is it there, what is it, and may it be replaced? */
static int look_at_old(const char *path, struct stat *old, bool *there)
{
	int fd, ret;

	*there = !stat(path, old);
	if (!*there)
		return errno == ENOENT ? 0 : say("%s: %s", path, strerror(errno));
	if (S_ISBLK(old->st_mode))
		return 0;
	if (!S_ISREG(old->st_mode))
		return say("%s is there and no file or block device", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return say("%s is there and cannot be replaced: %s", path, strerror(errno));
	ret = lock_for_replacing(fd, path);
	close(fd);
	return ret;
}

static int store_as_file(const char *path, const void *bytes, size_t len, const struct stat *old)
{
	/* A link stays one: what it leads to is replaced. */
	char *real = old ? realpath(path, NULL) : xstrdup(path), *dir, *slash;
	struct stat link;
	sigset_t all, before;
	int ret;

	if (!real)
		return say("%s: %s", path, strerror(errno));
	if (!old && !lstat(path, &link)) {
		free(real);
		return say("%s is a link to nothing", path);
	}
	slash = strrchr(real, '/');
	dir = slash ? xstrndup(real, slash == real ? 1 : slash - real) : xstrdup(".");
	/* So that no file with an odd name is left behind. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	ret = write_and_rename(real, dir, bytes, len, old);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(dir);
	free(real);
	return ret;
}

int store_image(const char *path, const void *bytes, size_t len)
{
	struct stat old;
	bool there;

	if (look_at_old(path, &old, &there))
		return -1;
	if (there && S_ISBLK(old.st_mode))
		return store_on_device(path, bytes, len);
	return store_as_file(path, bytes, len, there ? &old : NULL);
}
