// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's byte locks on an open host file (reference: QEMU, block/file-posix.c).
 *
 * Byte 100 + n held shared: this user has permission n. Byte 200 + n: it does
 * not share permission n. Nobody ever locks exclusively: a conflict is found by
 * asking whether an exclusive lock could be had.
 */
#include "env.h"
#include "io/host.h"

enum permission {
	PERM_CONSISTENT_READ,
	PERM_WRITE,
	PERM_WRITE_UNCHANGED,
	PERM_RESIZE,
};

#define BYTE_HELD(perm) (100 + (perm))
#define BYTE_NOT_SHARED(perm) (200 + (perm))

static void init_lock(struct file_lock *fl, struct file *filp, int type, loff_t byte)
{
	locks_init_lock(fl);
	q2_fl_type(fl) = type;
	q2_fl_flags(fl) = FL_POSIX | FL_OFDLCK;
	q2_fl_owner(fl) = filp;
	q2_fl_file(fl) = filp;
	q2_fl_pid(fl) = -1; /* what fcntl(2) shows for an OFD lock */
	fl->fl_start = byte;
	fl->fl_end = byte;
}

static int take(struct file *filp, loff_t byte)
{
	struct file_lock fl;

	init_lock(&fl, filp, F_RDLCK, byte);
	return vfs_lock_file(filp, F_SETLK, &fl, NULL);
}

static void release(struct file *filp, loff_t byte)
{
	struct file_lock fl;

	init_lock(&fl, filp, F_UNLCK, byte);
	vfs_lock_file(filp, F_SETLK, &fl, NULL);
}

/* Return: 1 if another open file holds the byte, 0 if none does, -errno. */
static int held_by_other(struct file *filp, loff_t byte)
{
	struct file_lock fl;
	int ret;

	init_lock(&fl, filp, F_WRLCK, byte);
	ret = vfs_test_lock(filp, &fl);
	return ret ? ret : q2_fl_type(&fl) != F_UNLCK;
}

static const loff_t mine[] = {
	BYTE_HELD(PERM_CONSISTENT_READ),
	BYTE_NOT_SHARED(PERM_WRITE),
	BYTE_NOT_SHARED(PERM_RESIZE),
	/* a writer's */
	BYTE_HELD(PERM_WRITE),
	BYTE_HELD(PERM_RESIZE),
};

static const loff_t theirs[] = {
	BYTE_NOT_SHARED(PERM_CONSISTENT_READ),
	BYTE_HELD(PERM_WRITE),
	BYTE_HELD(PERM_RESIZE),
	/* in a writer's way */
	BYTE_NOT_SHARED(PERM_WRITE),
	BYTE_NOT_SHARED(PERM_RESIZE),
};

/* Bytes that a reader holds. */
#define READERS 3U

static_assert(ARRAY_SIZE(mine) == ARRAY_SIZE(theirs));

/* Give back all but the first @keep bytes. */
static void release_from(struct q2_host *host, unsigned int keep, unsigned int held)
{
	while (held > keep)
		release(host->lock_filp, mine[--held]);
}

int q2_host_lock(struct q2_host *host, bool write, struct q2_err *err)
{
	unsigned int i, n = write ? ARRAY_SIZE(mine) : READERS;
	int ret = 0;

	if (host->locked >= n)
		return 0;
	/* First take, then ask: of two that come at once at least one sees the other. */
	for (i = host->locked; i < n && !ret; i++)
		ret = take(host->lock_filp, mine[i]);
	for (i = 0; i < n && !ret; i++) {
		ret = held_by_other(host->lock_filp, theirs[i]);
		if (ret > 0)
			ret = -EAGAIN;
	}
	if (!ret) {
		host->locked = n;
		return 0;
	}
	release_from(host, host->locked, n);
	if (ret == -EAGAIN)
		return q2_err_set(err, EAGAIN,
				  "%s: another program has it open%s; close it there first",
				  host->file.name, write ? "" : " for writing");
	return q2_err_set(err, -ret,
			  "%s: cannot be locked (error %d); the option no_lock goes without",
			  host->file.name, -ret);
}

void q2_host_lock_less(struct q2_host *host)
{
	release_from(host, min(host->locked, READERS), host->locked);
	host->locked = min(host->locked, READERS);
}

void q2_host_unlock(struct q2_host *host)
{
	release_from(host, 0, host->locked);
	host->locked = 0;
}

bool q2_host_is_locked(const struct q2_host *host)
{
	return host->locked;
}
