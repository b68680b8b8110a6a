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
#include <sys/stat.h>
#include <unistd.h>

#include "lock.h"
#include "progress.h"
#include "say.h"
#include "store.h"

/* Blocks of devices are not larger than this. */
#define BLOCK 4096
/* What is written at once: whole clusters of any size. */
#define PIECE (1U << Q2_MAX_CLUSTER_BITS)
/* How much of the storage is dealt with before anyone looks up. */
#define STRETCH (64U << 20)

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

/* Signals wait until nothing is left behind; what takes long asks for them. */
static bool interrupted(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) ||
				     sigismember(&set, SIGHUP));
}

/* Write the metadata from byte @from on, up to a multiple of @align. */
static int write_metadata(int fd, const struct image_plan *plan, uint64_t from, size_t align)
{
	uint64_t offset;
	size_t part, skip;
	char *buf;
	int ret = 0;

	if (posix_memalign((void **)&buf, BLOCK, PIECE))
		return -ENOMEM;
	for (offset = 0; !ret && offset < plan->meta_bytes; offset += PIECE) {
		progress_update(offset, plan->bytes);
		image_plan_bytes(plan, offset, buf, PIECE);
		part = min((uint64_t)PIECE, round_up(plan->meta_bytes - offset, align));
		skip = offset ? 0 : min(from, (uint64_t)part);
		ret = interrupted() ? -EINTR
				    : write_all(fd, buf + skip, part - skip, offset + skip);
	}
	free(buf);
	return ret;
}

static int write_zeroes(int fd, uint64_t offset, uint64_t len)
{
	char *zeroes = xalloc(PIECE);
	int ret = 0;

	for (; !ret && len >= PIECE; offset += PIECE, len -= PIECE)
		ret = write_all(fd, zeroes, PIECE, offset);
	if (!ret)
		ret = write_all(fd, zeroes, len, offset);
	free(zeroes);
	return ret;
}

static int zero_device(int fd, uint64_t offset, uint64_t len)
{
	uint64_t range[] = {offset, len};

	return ioctl(fd, BLKZEROOUT, range) ? -errno : 0;
}

static int allocate(int fd, uint64_t offset, uint64_t len)
{
	return -posix_fallocate(fd, offset, len);
}

/* Do it to all storage of the guest, a part at a time. */
static int for_storage(int fd, const struct image_plan *plan,
		       int (*act)(int fd, uint64_t offset, uint64_t len))
{
	uint64_t offset = plan->meta_bytes, part;
	int ret = 0;

	for (; !ret && offset < plan->bytes; offset += part) {
		progress_update(offset, plan->bytes);
		part = min((uint64_t)STRETCH, plan->bytes - offset);
		ret = interrupted() ? -EINTR : act(fd, offset, part);
	}
	return ret;
}

/* Without its header the device holds no image while the rest is written. */
static int write_device(int fd, const struct image_plan *plan)
{
	char *block;
	int ret;

	if (posix_memalign((void **)&block, BLOCK, PIECE))
		return -ENOMEM;
	memset(block, 0, BLOCK);
	ret = write_all(fd, block, BLOCK, 0);
	if (!ret)
		ret = flush(fd);
	if (!ret && plan->image->preallocation == PREALLOC_FULL)
		ret = for_storage(fd, plan, zero_device);
	if (!ret)
		ret = write_metadata(fd, plan, BLOCK, BLOCK);
	if (!ret)
		ret = flush(fd);
	image_plan_bytes(plan, 0, block, PIECE);
	if (!ret)
		ret = write_all(fd, block, BLOCK, 0);
	free(block);
	return ret ? ret : flush(fd);
}

static int store_on_device(const char *path, const struct image_plan *plan)
{
	uint64_t size, need = round_up(plan->bytes, (uint64_t)BLOCK);
	int fd, ret;

	if (plan->image->preallocation == PREALLOC_FALLOC)
		return say("%s: preallocation=falloc is for files; a block device has its storage "
			   "(metadata), or is filled with zeroes (full)",
			   path);
	/* O_EXCL: not while it is mounted, or below another device. */
	fd = open(path, O_RDWR | O_EXCL | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY ? say("%s is in use: mounted, or below another device", path)
				      : say("%s: %s", path, strerror(errno));
	if (lock_for_replacing(fd, path)) {
		ret = -1;
	} else if (ioctl(fd, BLKGETSIZE64, &size) || size < need) {
		ret = say("%s is too small: the image needs %llu bytes from the start", path,
			  (unsigned long long)need);
	} else {
		ret = write_device(fd, plan);
		if (ret)
			ret = say("%s: the image could not be written: %s", path, strerror(-ret));
	}
	close(fd);
	return ret;
}

static int write_file(int fd, const struct image_plan *plan)
{
	int ret = write_metadata(fd, plan, 0, 1);

	if (ret)
		return ret;
	switch (plan->image->preallocation) {
	case PREALLOC_OFF:
		return 0;
	case PREALLOC_METADATA:
		return ftruncate(fd, plan->bytes) ? -errno : 0;
	case PREALLOC_FALLOC:
		return for_storage(fd, plan, allocate);
	case PREALLOC_FULL:
		return for_storage(fd, plan, write_zeroes);
	}
	return -EINVAL;
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

static int write_and_rename(const char *path, const char *dir, const struct image_plan *plan,
			    const struct stat *old)
{
	char *temp = xasprintf("%s/.qcowctl-XXXXXX", dir);
	int fd = mkostemp(temp, O_CLOEXEC), ret;

	if (fd < 0) {
		ret = say("%s: no file can be made in %s: %s", path, dir, strerror(errno));
		free(temp);
		return ret;
	}
	progress_start("writing");
	ret = write_file(fd, plan);
	progress_hide();
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

static int store_as_file(const char *path, const struct image_plan *plan, const struct stat *old)
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
	ret = write_and_rename(real, dir, plan, old);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(dir);
	free(real);
	return ret;
}

int store_image(const char *path, const struct image_plan *plan)
{
	struct stat old;
	bool there;

	if (look_at_old(path, &old, &there))
		return -1;
	if (there && S_ISBLK(old.st_mode))
		return store_on_device(path, plan);
	return store_as_file(path, plan, there ? &old : NULL);
}
