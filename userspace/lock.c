// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <unistd.h>

#include "lock.h"
#include "say.h"

/* A permission held is a shared lock of byte 100 + bit, one not shared of 200 + bit. */
#define HELD 100
#define UNSHARED 200

enum permission {
	CONSISTENT_READ,
	WRITE,
	WRITE_UNCHANGED,
	RESIZE
};

static struct flock one_byte(int type, int start)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
}

static int hold(int fd, int byte)
{
	struct flock fl = one_byte(F_RDLCK, byte);

	return fcntl(fd, F_OFD_SETLK, &fl) ? -errno : 0;
}

/* Has another open file a lock there? */
static int held_elsewhere(int fd, int byte)
{
	struct flock fl = one_byte(F_WRLCK, byte);

	if (fcntl(fd, F_OFD_GETLK, &fl))
		return -errno;
	return fl.l_type != F_UNLCK;
}

/*
 * Take bytes, then look whether another holds one that contradicts. Return: 0,
 * also where there are no such locks; -EAGAIN: another does; -errno.
 */
static int acquire(int fd, const int *mine, size_t nr_mine, const int *others, size_t nr_others)
{
	size_t i;
	int ret;

	for (i = 0; i < nr_mine; i++) {
		ret = hold(fd, mine[i]);
		if (ret == -EINVAL || ret == -ENOLCK || ret == -EOPNOTSUPP || ret == -ENOSYS)
			return 0;
		if (ret)
			return ret == -EACCES ? -EAGAIN : ret;
	}
	for (i = 0; i < nr_others; i++)
		if (held_elsewhere(fd, others[i]) > 0)
			return -EAGAIN;
	return 0;
}

int lock_for_reading(struct host_file *host)
{
	static const int mine[] = {HELD + CONSISTENT_READ, UNSHARED + WRITE, UNSHARED + RESIZE};
	static const int others[] = {UNSHARED + CONSISTENT_READ, HELD + WRITE, HELD + RESIZE};
	int ret = acquire(host->fd, mine, ARRAY_SIZE(mine), others, ARRAY_SIZE(others));

	if (ret == -EAGAIN)
		return say("%s is in use by a program that writes it (QEMU, qemu-img, qemu-nbd or "
			   "an attached device); end that, or read it all the same with -U "
			   "(--force-share)",
			   host->path);
	return ret ? say("%s: cannot be locked: %s", host->path, strerror(-ret)) : 0;
}

int lock_for_writing(struct host_file *host)
{
	static const int mine[] = {HELD + CONSISTENT_READ, HELD + WRITE, HELD + RESIZE,
				   UNSHARED + WRITE, UNSHARED + RESIZE};
	static const int others[] = {UNSHARED + CONSISTENT_READ, UNSHARED + WRITE,
				     UNSHARED + RESIZE, HELD + WRITE, HELD + RESIZE};
	int ret = acquire(host->fd, mine, ARRAY_SIZE(mine), others, ARRAY_SIZE(others));

	if (ret == -EAGAIN)
		return say("%s is in use as an image (by QEMU, qemu-img, qemu-nbd or an attached "
			   "device); end that before it is written",
			   host->path);
	return ret ? say("%s: cannot be locked: %s", host->path, strerror(-ret)) : 0;
}

int lock_try_replacing(int fd)
{
	static const int mine[] = {HELD + WRITE, HELD + RESIZE, UNSHARED + WRITE,
				   UNSHARED + RESIZE};
	static const int others[] = {UNSHARED + WRITE, UNSHARED + RESIZE, HELD + WRITE,
				     HELD + RESIZE};

	return acquire(fd, mine, ARRAY_SIZE(mine), others, ARRAY_SIZE(others));
}

int lock_for_replacing(int fd, const char *path)
{
	int ret = lock_try_replacing(fd);

	if (ret == -EAGAIN)
		return say("%s is in use as an image (by QEMU, qemu-img, qemu-nbd or an attached "
			   "device)",
			   path);
	return ret ? say("%s: cannot be locked: %s", path, strerror(-ret)) : 0;
}
