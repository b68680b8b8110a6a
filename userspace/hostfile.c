// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfile.h"
#include "say.h"

#define OFFSET_MOST S64_MAX

/* Large enough that reading a table through it costs few calls. */
#define BOUNCE_BYTES (1U << 20)

/* pread() all of it; what lies past the end is zeroes. */
static int read_all(int fd, u64 offset, char *buf, size_t len)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n) {
			memset(buf, 0, len);
			return 0;
		}
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int read_direct(const struct host_file *host, u64 offset, char *buf, size_t len)
{
	size_t room = min_t(u64, BOUNCE_BYTES, round_up((u64)len, host->align) + host->align);
	void *bounce;
	int ret = 0;

	if (posix_memalign(&bounce, max(host->align, 4096U), room))
		return -ENOMEM;
	while (len && !ret) {
		u64 start = round_down(offset, (u64)host->align);
		size_t skip = offset - start;
		size_t part = min(len, room - skip);

		ret = read_all(host->fd, start, bounce, round_up(skip + part, (size_t)host->align));
		memcpy(buf, (char *)bounce + skip, part);
		buf += part;
		offset += part;
		len -= part;
	}
	free(bounce);
	return ret;
}

static int host_file_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct host_file *host = to_host_file(file);

	if (offset >= file->size) {
		memset(buf, 0, len);
		return 0;
	}
	if (len > file->size - offset) {
		memset((char *)buf + (file->size - offset), 0, len - (file->size - offset));
		len = file->size - offset;
	}
	return host->block ? read_direct(host, offset, buf, len)
			   : read_all(host->fd, offset, buf, len);
}

static int write_all(int fd, u64 offset, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* Blocks that are written in part are read before. */
static int write_direct(const struct host_file *host, u64 offset, const char *buf, size_t len)
{
	size_t room = min_t(u64, BOUNCE_BYTES, round_up((u64)len, host->align) + host->align);
	void *bounce;
	int ret = 0;

	if (posix_memalign(&bounce, max(host->align, 4096U), room))
		return -ENOMEM;
	while (len && !ret) {
		u64 start = round_down(offset, (u64)host->align);
		size_t skip = offset - start;
		size_t part = min(len, room - skip);
		size_t whole = round_up(skip + part, (size_t)host->align);

		if (whole != part)
			ret = read_all(host->fd, start, bounce, whole);
		memcpy((char *)bounce + skip, buf, part);
		if (!ret)
			ret = write_all(host->fd, start, bounce, whole);
		buf += part;
		offset += part;
		len -= part;
	}
	free(bounce);
	return ret;
}

static int host_file_write(struct q2_file *file, u64 offset, const void *buf, size_t len)
{
	struct host_file *host = to_host_file(file);
	int ret;

	if (len > file->limit || offset > file->limit - len)
		return -ENOSPC;
	ret = host->block ? write_direct(host, offset, buf, len)
			  : write_all(host->fd, offset, buf, len);
	if (!ret && offset + len > file->size)
		file->size = offset + len;
	return ret;
}

static int host_file_flush(struct q2_file *file)
{
	return fdatasync(to_host_file(file)->fd) ? -errno : 0;
}

/* A hole, so that what nobody refers to takes no room. */
static void host_file_discard(struct q2_file *file, u64 offset, u64 len)
{
	fallocate(to_host_file(file)->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

static int host_file_zero(struct q2_file *file, u64 offset, u64 len)
{
	struct host_file *host = to_host_file(file);

	/* Of a device nobody knows what is read from a hole. */
	if (host->block ||
	    fallocate(host->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len))
		return -EOPNOTSUPP;
	return 0;
}

static const struct q2_file_ops read_ops = {
	.read = host_file_read,
};

static const struct q2_file_ops write_ops = {
	.read = host_file_read,
	.write = host_file_write,
	.flush = host_file_flush,
	.discard = host_file_discard,
	.zero = host_file_zero,
};

static int learn_block_device(struct host_file *host, dev_t dev)
{
	int sector;
	uint64_t size;

	host->block = true;
	host->dev = dev;
	if (ioctl(host->fd, BLKGETSIZE64, &size) || ioctl(host->fd, BLKSSZGET, &sector))
		return say("%s: the size of the device is not to be had: %s", host->path,
			   strerror(errno));
	host->file.size = size;
	host->file.limit = size;
	host->align = sector;
	if (fcntl(host->fd, F_SETFL, O_DIRECT))
		return say("%s: the device takes no direct I/O: %s", host->path, strerror(errno));
	return 0;
}

static int learn(struct host_file *host)
{
	struct stat st;

	if (fstat(host->fd, &st))
		return say("%s: %s", host->path, strerror(errno));
	if (S_ISBLK(st.st_mode))
		return learn_block_device(host, st.st_rdev);
	if (!S_ISREG(st.st_mode))
		return say("%s is %s, not a file or a block device", host->path,
			   S_ISDIR(st.st_mode)	 ? "a directory"
			   : S_ISCHR(st.st_mode) ? "a character device"
						 : "a pipe or socket");
	/* Opened without waiting, in case it had been a pipe; a file needs no such thing. */
	fcntl(host->fd, F_SETFL, 0);
	host->file.size = st.st_size;
	host->file.limit = OFFSET_MOST;
	host->file.grows = true;
	host->dev = st.st_dev;
	host->ino = st.st_ino;
	return 0;
}

static struct host_file *open_with(const char *path, int flags, const struct q2_file_ops *ops)
{
	struct host_file *host = xalloc(sizeof(*host));

	host->path = xstrdup(path);
	host->file.ops = ops;
	host->file.name = host->path;
	host->fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (host->fd < 0 && errno == EBUSY)
		say("%s is in use: mounted, or below another device", path);
	else if (host->fd < 0)
		say("%s: %s", path, strerror(errno));
	else if (!learn(host))
		return host;
	host_file_close(host);
	return NULL;
}

struct host_file *host_file_open(const char *path)
{
	return open_with(path, O_RDONLY, &read_ops);
}

struct host_file *host_file_open_write(const char *path)
{
	struct stat st;

	/* Only for a block device is O_EXCL defined without O_CREAT: nobody else claims it. */
	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return open_with(path, O_RDWR | O_EXCL, &write_ops);
	return open_with(path, O_RDWR, &write_ops);
}

void host_file_close(struct host_file *host)
{
	if (!host)
		return;
	if (host->fd >= 0)
		close(host->fd);
	free(host->path);
	free(host);
}

bool host_file_same(const struct host_file *a, const struct host_file *b)
{
	return a->block == b->block && a->dev == b->dev && a->ino == b->ino;
}

u64 host_file_run(const struct host_file *host, u64 offset, u64 len, bool *data)
{
	off_t next;

	*data = true;
	if (host->block)
		return len;
	if (offset > OFFSET_MOST) {
		*data = false;
		return len;
	}
	next = lseek(host->fd, offset, SEEK_DATA);
	if (next < 0) {
		/* No more data; or no such question on this file system. */
		*data = errno != ENXIO;
		return len;
	}
	*data = next == (off_t)offset;
	if (*data)
		next = lseek(host->fd, offset, SEEK_HOLE);
	if (next <= (off_t)offset)
		return len;
	return min(len, (u64)next - offset);
}

u64 host_file_allocated(const struct host_file *host)
{
	struct stat st;

	return fstat(host->fd, &st) ? 0 : (u64)st.st_blocks * 512;
}
