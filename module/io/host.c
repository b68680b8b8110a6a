// SPDX-License-Identifier: GPL-2.0-only
/* A host file or block device, open in the kernel. */
#include <linux/bio.h>
#include <linux/bvec.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fileattr.h>
#include <linux/io.h>
#include <linux/magic.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/stat.h>
#include <linux/statfs.h>

#include "env.h"
#include "format/ondisk.h"
#include "io/host.h"
#include "io/task.h"

/* Memory in so many parts is described on the stack: metadata, and buffers in one part. */
#define FEW_VECS 17U
/* What does not fit goes through memory for this much at a time. */
#define BOUNCE_BYTES (64U << 10)

static struct q2_host *host_of(struct q2_file *file)
{
	return container_of(file, struct q2_host, file);
}

/**
 * struct vecs - memory of kmalloc() or vmalloc(), described for an I/O
 * @v: the parts
 * @max: as many fit there
 * @nr: as many are used
 * @few: parts of a small I/O
 */
struct vecs {
	struct bio_vec *v;
	unsigned int max;
	unsigned int nr;
	struct bio_vec few[FEW_VECS];
};

/* For I/O on @len bytes at @buf; without memory it is done in smaller steps. */
static void get_vecs(struct vecs *vecs, const void *buf, size_t len)
{
	size_t pages = DIV_ROUND_UP(offset_in_page(buf) + len, PAGE_SIZE);
	size_t most = min_t(size_t, pages, BIO_MAX_VECS);

	vecs->v = NULL;
	vecs->max = most;
	if (most > FEW_VECS)
		vecs->v = kmalloc_array(most, sizeof(*vecs->v),
					GFP_NOIO | __GFP_NOWARN | __GFP_NORETRY);
	if (!vecs->v) {
		vecs->v = vecs->few;
		vecs->max = FEW_VECS;
	}
}

static void put_vecs(const struct vecs *vecs)
{
	if (vecs->v != vecs->few)
		kfree(vecs->v);
}

/*
 * Describe the first bytes. Return: how many, a multiple of @align (BOUNCE_BYTES at most, so
 * that a few vectors are enough for that) if not all.
 */
static size_t map_pages(struct vecs *vecs, void *buf, size_t len, u32 align)
{
	struct bio_vec *last = NULL;
	size_t done = 0;

	for (vecs->nr = 0; done < len;) {
		struct page *page = is_vmalloc_addr(buf) ? vmalloc_to_page(buf) : virt_to_page(buf);
		size_t part = min(len - done, PAGE_SIZE - offset_in_page(buf));

		if (last && page_to_phys(page) + offset_in_page(buf) ==
				    page_to_phys(last->bv_page) + last->bv_offset + last->bv_len) {
			last->bv_len += part;
		} else if (vecs->nr < vecs->max) {
			last = &vecs->v[vecs->nr++];
			last->bv_page = page;
			last->bv_len = part;
			last->bv_offset = offset_in_page(buf);
		} else {
			break;
		}
		buf += part;
		done += part;
	}
	/* The last vector may go on behind what is told to those who use them. */
	return done < len ? round_down(done, (size_t)align) : done;
}

ssize_t q2_host_read_iter(struct q2_host *host, struct kiocb *kiocb, struct iov_iter *iter)
{
	struct q2_task task;
	ssize_t ret;

	q2_task_hide(&task);
	/*
	 * Not vfs_iocb_iter_read(): permission was checked at the open, and the
	 * task here is whoever happens to read the device.
	 */
	ret = host->filp->f_op->read_iter(kiocb, iter);
	q2_task_show(&task);
	return ret;
}

/* One waiting read. Return: bytes or -errno. */
static ssize_t read_file_piece(struct q2_host *host, u64 offset, struct vecs *vecs, void *buf,
			       size_t len, bool direct)
{
	struct iov_iter iter;
	struct kiocb kiocb;

	init_sync_kiocb(&kiocb, host->filp);
	kiocb.ki_pos = offset;
	/* The open file's own flags are not ours: O_DIRECT is said per call. */
	kiocb.ki_flags = direct ? IOCB_DIRECT : 0;
	len = map_pages(vecs, buf, len, host->align);
	iov_iter_bvec(&iter, ITER_DEST, vecs->v, vecs->nr, len);
	return q2_host_read_iter(host, &kiocb, &iter);
}

static ssize_t read_bdev_piece(struct q2_host *host, u64 offset, struct vecs *vecs, void *buf,
			       size_t len)
{
	struct bio bio;
	int ret;

	len = map_pages(vecs, buf, len, host->align);
	if (is_vmalloc_addr(buf))
		flush_kernel_vmap_range(buf, len);
	bio_init(&bio, host->bdev, vecs->v, vecs->nr, REQ_OP_READ | REQ_META | REQ_PRIO);
	bio.bi_vcnt = vecs->nr;
	bio.bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	bio.bi_iter.bi_size = len;
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	if (is_vmalloc_addr(buf))
		invalidate_kernel_vmap_range(buf, len);
	return ret ? ret : len;
}

/* Aligned for direct I/O; what the file does not have reads zeroes. */
static int read_aligned(struct q2_host *host, u64 offset, void *buf, size_t len)
{
	struct vecs vecs;
	size_t done = 0;
	ssize_t ret = 0;

	if (host->bdev) {
		u64 have = offset < host->file.size ? host->file.size - offset : 0;

		if (len > have) {
			memset(buf + have, 0, len - have);
			len = have;
		}
	}
	get_vecs(&vecs, buf, len);
	while (done < len) {
		if (host->bdev)
			ret = read_bdev_piece(host, offset + done, &vecs, buf + done, len - done);
		else
			ret = read_file_piece(host, offset + done, &vecs, buf + done, len - done,
					      host->direct && IS_ALIGNED(done, host->align));
		/* Some file systems find reasons of their own against direct I/O. */
		if (ret == -EINVAL && host->direct && !host->bdev)
			ret = read_file_piece(host, offset + done, &vecs, buf + done, len - done,
					      false);
		if (ret <= 0)
			break;
		done += ret;
	}
	put_vecs(&vecs);
	if (ret < 0)
		return ret;
	memset(buf + done, 0, len - done);
	return 0;
}

/* Any alignment: whole blocks into a bounce buffer, the wanted bytes out of it. */
static int read_bounced(struct q2_host *host, u64 offset, void *buf, size_t len)
{
	size_t room =
		min_t(size_t, BOUNCE_BYTES, round_up(len + 2 * (size_t)host->align, PAGE_SIZE));
	void *bounce;
	int ret = 0;

	room = max_t(size_t, room, host->align);
	bounce = kvmalloc(room, GFP_NOIO);
	if (!bounce)
		return -ENOMEM;
	while (len) {
		u64 first = round_down(offset, (u64)host->align);
		size_t skip = offset - first;
		size_t part = min(len, room - skip);

		ret = read_aligned(host, first, bounce, round_up(skip + part, (size_t)host->align));
		if (ret)
			break;
		memcpy(buf, bounce + skip, part);
		offset += part;
		buf += part;
		len -= part;
	}
	kvfree(bounce);
	return ret;
}

/*
 * Writing
 */

ssize_t q2_host_write_iter(struct q2_host *host, struct kiocb *kiocb, struct iov_iter *iter)
{
	struct super_block *sb = file_inode(host->filp)->i_sb;
	struct q2_task task;
	ssize_t ret;

	/*
	 * Taken by hand, not by vfs_iocb_iter_write(): in the context of an upper
	 * file system that would wait for a frozen lower one, and lockdep would
	 * see one class of lock twice.
	 */
	if (kiocb->ki_flags & IOCB_NOWAIT) {
		if (!sb_start_write_trylock(sb))
			return -EAGAIN;
	} else {
		sb_start_write(sb);
	}
	/* From here to q2_host_write_end() it belongs to the I/O, not to this task. */
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	q2_task_hide(&task);
	ret = host->filp->f_op->write_iter(kiocb, iter);
	q2_task_show(&task);
	if (ret < 0 && ret != -EIOCBQUEUED)
		q2_host_write_end(host);
	return ret;
}

void q2_host_write_end(struct q2_host *host)
{
	struct super_block *sb = file_inode(host->filp)->i_sb;

	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}

static int write_bdev(struct q2_host *host, u64 offset, struct iov_iter *iter)
{
	struct bio bio;
	int ret;

	if (offset + iov_iter_count(iter) > host->file.size)
		return -ENOSPC;
	/* The vectors of the iterator serve as they are. */
	bio_init(&bio, host->bdev, (struct bio_vec *)iter->bvec, iter->nr_segs, REQ_OP_WRITE);
	bio.bi_vcnt = iter->nr_segs;
	bio.bi_iter.bi_bvec_done = iter->iov_offset;
	bio.bi_iter.bi_size = iov_iter_count(iter);
	bio.bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	/* Borrowed vectors: the same promise a clone gives, nobody walks beyond bi_iter. */
	bio_set_flag(&bio, BIO_CLONED);
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return ret;
}

int q2_host_write_bytes(struct q2_host *host, u64 offset, struct iov_iter *iter)
{
	bool direct = host->direct_write;
	struct kiocb kiocb;
	ssize_t ret;

	if (host->bdev)
		return write_bdev(host, offset, iter);
	while (iov_iter_count(iter)) {
		init_sync_kiocb(&kiocb, host->filp);
		kiocb.ki_pos = offset;
		kiocb.ki_flags = IOCB_WRITE | (direct ? IOCB_DIRECT : 0);
		ret = q2_host_write_iter(host, &kiocb, iter);
		if (ret == -EINVAL && direct) {
			direct = false; /* through the page cache, then */
			continue;
		}
		if (ret < 0)
			return ret;
		q2_host_write_end(host);
		if (!ret)
			return -EIO;
		offset += ret;
	}
	return 0;
}

static int write_aligned(struct q2_host *host, u64 offset, void *buf, size_t len)
{
	struct iov_iter iter;
	struct vecs vecs;
	size_t part;
	int ret = 0;

	get_vecs(&vecs, buf, len);
	for (; len && !ret; len -= part) {
		part = map_pages(&vecs, buf, len, host->align);
		if (is_vmalloc_addr(buf))
			flush_kernel_vmap_range(buf, part);
		iov_iter_bvec(&iter, ITER_SOURCE, vecs.v, vecs.nr, part);
		ret = q2_host_write_bytes(host, offset, &iter);
		offset += part;
		buf += part;
	}
	put_vecs(&vecs);
	return ret;
}

/*
 * The calls of struct q2_file_ops. On a file each is made by a kernel thread: who suspends,
 * messages or removes a device is a user's task (task.h).
 */

/**
 * struct io - the arguments of a call
 * @host: host
 * @offset: first byte
 * @len: bytes
 * @buf: what is written, or where to read to
 */
struct io {
	struct q2_host *host;
	u64 offset;
	u64 len;
	void *buf;
};

static int call(struct q2_host *host, int (*fn)(void *arg), u64 offset, u64 len, void *buf)
{
	struct io io = {.host = host, .offset = offset, .len = len, .buf = buf};

	/* A bio knows nothing of who submits it. */
	return host->bdev ? fn(&io) : q2_task_call(fn, &io);
}

static int do_write(void *arg)
{
	const struct io *io = arg;
	unsigned int noio = memalloc_noio_save();
	void *copy = NULL;
	int ret = 0;

	if (!IS_ALIGNED((unsigned long)io->buf, io->host->mem_align)) {
		copy = kvmalloc(round_up(io->len, PAGE_SIZE), GFP_NOIO);
		if (copy)
			memcpy(copy, io->buf, io->len);
		else
			ret = -ENOMEM;
	}
	if (!ret)
		ret = write_aligned(io->host, io->offset, copy ? copy : io->buf, io->len);
	kvfree(copy);
	memalloc_noio_restore(noio);
	return ret;
}

static int host_write(struct q2_file *file, u64 offset, const void *buf, size_t len)
{
	struct q2_host *host = host_of(file);

	if (offset > Q2_MAX_OFFSET - len || !IS_ALIGNED(offset | len, host->align))
		return -EINVAL;
	return call(host, do_write, offset, len, (void *)buf);
}

/*
 * Writes leave the time alone (q2_host_open()): now it is told. A file system that is frozen
 * must not change, and a flush shall not wait until it is thawed, for it has nothing to write
 * there: the next one tells.
 */
static void tell_time(struct file *filp)
{
	struct super_block *sb = file_inode(filp)->i_sb;

	if (!sb_start_write_trylock(sb))
		return;
	file_update_time(filp);
	sb_end_write(sb);
}

static int do_flush(void *arg)
{
	const struct io *io = arg;
	unsigned int noio = memalloc_noio_save();
	struct q2_host *host = io->host;
	int ret;

	if (host->bdev) {
		ret = blkdev_issue_flush(host->bdev);
		/* A device without a volatile cache has nothing to flush. */
		if (ret == -EOPNOTSUPP)
			ret = 0;
	} else {
		tell_time(host->filp);
		ret = vfs_fsync(host->filp, 1);
	}
	memalloc_noio_restore(noio);
	return ret;
}

static int host_flush(struct q2_file *file)
{
	return call(host_of(file), do_flush, 0, 0, NULL);
}

static int do_discard(void *arg)
{
	const struct io *io = arg;
	unsigned int noio = memalloc_noio_save();
	struct q2_host *host = io->host;

	if (!host->bdev)
		vfs_fallocate(host->filp, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->offset,
			      io->len);
	else if (bdev_max_discard_sectors(host->bdev))
		blkdev_issue_discard(host->bdev, io->offset >> SECTOR_SHIFT,
				     io->len >> SECTOR_SHIFT, GFP_NOIO);
	memalloc_noio_restore(noio);
	return 0;
}

static void host_discard(struct q2_file *file, u64 offset, u64 len)
{
	call(host_of(file), do_discard, offset, len, NULL);
}

static int do_zero(void *arg)
{
	const struct io *io = arg;
	unsigned int noio = memalloc_noio_save();
	struct q2_host *host = io->host;
	int ret;

	if (host->bdev)
		ret = blkdev_issue_zeroout(host->bdev, io->offset >> SECTOR_SHIFT,
					   io->len >> SECTOR_SHIFT, GFP_NOIO, 0);
	else
		ret = vfs_fallocate(host->filp, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				    io->offset, io->len);
	memalloc_noio_restore(noio);
	return ret;
}

static int host_zero(struct q2_file *file, u64 offset, u64 len)
{
	struct q2_host *host = host_of(file);

	if (!IS_ALIGNED(offset | len, host->align))
		return -EOPNOTSUPP;
	return call(host, do_zero, offset, len, NULL);
}

static int do_reserve(void *arg)
{
	const struct io *io = arg;
	unsigned int noio = memalloc_noio_save();

	vfs_fallocate(io->host->filp, 0, io->offset, io->len);
	memalloc_noio_restore(noio);
	return 0;
}

/*
 * A write that makes the file longer holds the inode's lock, in ext4 alone, until its bytes
 * are on the disk, and whoever reads or writes in the same file waits for it. This holds it
 * for as long as it takes to note the blocks, and what is written there later does not.
 */
static void host_reserve(struct q2_file *file, u64 offset, u64 len)
{
	struct q2_host *host = host_of(file);

	if (!host->bdev && offset + len > i_size_read(file_inode(host->filp)))
		call(host, do_reserve, offset, len, NULL);
}

static int do_read(void *arg)
{
	const struct io *io = arg;
	unsigned int noio = memalloc_noio_save();
	struct q2_host *host = io->host;
	int ret;

	if (!IS_ALIGNED(io->offset | io->len, host->align) ||
	    !IS_ALIGNED((unsigned long)io->buf, host->mem_align))
		ret = read_bounced(host, io->offset, io->buf, io->len);
	else
		ret = read_aligned(host, io->offset, io->buf, io->len);
	memalloc_noio_restore(noio);
	return ret;
}

static int host_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	if (offset > Q2_MAX_OFFSET - len)
		return -EINVAL;
	return call(host_of(file), do_read, offset, len, buf);
}

static const struct q2_file_ops read_ops = {
	.read = host_read,
};

static const struct q2_file_ops write_ops = {
	.read = host_read,
	.write = host_write,
	.flush = host_flush,
	.discard = host_discard,
	.zero = host_zero,
	.reserve = host_reserve,
};

/* Only what can be an image is opened: opening a FIFO, say, would wait for a writer. */
static int check_type(const char *path, struct q2_err *err)
{
	struct path p;
	umode_t mode;
	int ret;

	if (path[0] != '/')
		return q2_err_set(err, EINVAL, "%s: the name of a layer must be absolute", path);
	ret = kern_path(path, LOOKUP_FOLLOW, &p);
	if (ret)
		return q2_err_set(err, -ret, "%s: cannot be found (error %d)", path, -ret);
	mode = d_backing_inode(p.dentry)->i_mode;
	path_put(&p);
	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return q2_err_set(err, EINVAL, "%s: is neither a regular file nor a block device",
				  path);
	return 0;
}

/*
 * Does the file system keep checksums of what is in the file? btrfs does, unless the file is
 * marked to be no subject to copy-on-write. It computes them of a direct write's memory
 * before that is written, and who owns the memory may change it meanwhile: a virtual machine
 * does that all the time. What was written could never be read again. Through the page cache a
 * copy is written. (Seen on 6.1; 6.12 copies by itself. tests/functional/btrfs-sums)
 */
static bool has_checksums(struct file *filp)
{
	struct q2_fileattr attr = {};

	if (file_inode(filp)->i_sb->s_magic != BTRFS_SUPER_MAGIC)
		return false;
	return vfs_fileattr_get(filp->f_path.dentry, &attr) || !(attr.flags & FS_NOCOW_FL);
}

/* What direct I/O on a regular file wants. */
static void learn_file(struct q2_host *host)
{
	struct inode *inode = file_inode(host->filp);
	struct kstat stat = {};

	host->file.size = i_size_read(inode);
	host->file.limit = Q2_MAX_OFFSET;
	host->file.grows = true;
	host->cheap_holes = inode->i_sb->s_magic == EXT4_SUPER_MAGIC;
	host->direct = host->filp->f_mode & FMODE_CAN_ODIRECT;
	host->align = SECTOR_SIZE;
	host->mem_align = SECTOR_SIZE;
	if (!vfs_getattr(&host->filp->f_path, &stat, STATX_DIOALIGN, AT_STATX_SYNC_AS_STAT) &&
	    (stat.result_mask & STATX_DIOALIGN)) {
		if (!stat.dio_offset_align) {
			host->direct = false;
			return;
		}
		host->align = max_t(u32, stat.dio_offset_align, SECTOR_SIZE);
		host->mem_align = max_t(u32, stat.dio_mem_align, SECTOR_SIZE);
	} else if (inode->i_sb->s_bdev) {
		host->align = bdev_logical_block_size(inode->i_sb->s_bdev);
	}
	/* Odd answers would break the arithmetic; the page cache takes anything. */
	if (!is_power_of_2(host->align) || host->align > BOUNCE_BYTES ||
	    !is_power_of_2(host->mem_align) || host->mem_align > PAGE_SIZE) {
		host->align = SECTOR_SIZE;
		host->mem_align = SECTOR_SIZE;
		host->direct = false;
	}
	host->nowait = host->direct && (host->filp->f_mode & FMODE_NOWAIT);
	host->direct_write = host->direct && !has_checksums(host->filp);
	host->nowait_write = host->nowait && host->direct_write;
}

static void learn_bdev(struct q2_host *host)
{
	host->bdev = I_BDEV(host->filp->f_mapping->host);
	host->file.size = bdev_nr_bytes(host->bdev);
	host->file.limit = host->file.size;
	host->direct = true;
	host->align = bdev_logical_block_size(host->bdev);
	host->mem_align = SECTOR_SIZE;
}

/* All that will be called is looked for once, here. Block devices are not entered by these. */
static int check_operations(const struct file *filp, const char *path, bool write,
			    struct q2_err *err)
{
	const struct file_operations *ops = filp->f_op;

	if (S_ISBLK(file_inode(filp)->i_mode))
		return 0;
	if (!S_ISREG(file_inode(filp)->i_mode) || !ops->read_iter)
		return q2_err_set(err, EINVAL, "%s: its file system cannot be read by the kernel",
				  path);
	if (write && (!ops->write_iter || !ops->fsync))
		return q2_err_set(
			err, EINVAL,
			"%s: its file system cannot be written by the kernel; attach it read-only",
			path);
	return 0;
}

static struct file *open_file(const char *path, bool write, struct q2_err *err)
{
	const int flags = (write ? O_RDWR : O_RDONLY) | O_LARGEFILE;
	struct file *filp;
	int ret;

	/* Reading a layer must not dirty its inode. Not everyone may ask for that. */
	filp = filp_open(path, flags | O_NOATIME, 0);
	if (filp == ERR_PTR(-EPERM))
		filp = filp_open(path, flags, 0);
	if (IS_ERR(filp))
		q2_err_set(err, -PTR_ERR(filp), "%s: cannot be opened%s (error %ld)", path,
			   write ? " for writing" : "", -PTR_ERR(filp));
	if (IS_ERR(filp))
		return filp;
	ret = check_operations(filp, path, write, err);
	if (!ret)
		return filp;
	filp_close(filp, NULL);
	return ERR_PTR(ret);
}

/* A regular file is going to be written. */
static int prepare_writing(struct file *filp)
{
	int ret;

	/*
	 * A write that changed the modification time would have to wait for a
	 * transaction; flushes set it.
	 */
	filp->f_mode |= FMODE_NOCMTIME;
	/* And one beside cached pages would have to wait for them to go. */
	ret = filemap_write_and_wait(filp->f_mapping);
	invalidate_mapping_pages(filp->f_mapping, 0, -1);
	return ret;
}

struct q2_host *q2_host_open(const char *path, bool write, struct q2_err *err)
{
	struct q2_host *host;
	int ret;

	ret = check_type(path, err);
	if (ret)
		return ERR_PTR(ret);
	host = kzalloc(sizeof(*host), GFP_KERNEL);
	if (!host)
		return ERR_PTR(-ENOMEM);
	host->file.ops = write ? &write_ops : &read_ops;
	host->writable = write;
	host->file.name = kstrdup(path, GFP_KERNEL);
	if (!host->file.name) {
		ret = -ENOMEM;
		goto free_host;
	}
	host->filp = open_file(path, write, err);
	if (IS_ERR(host->filp)) {
		ret = PTR_ERR(host->filp);
		goto free_name;
	}
	host->lock_filp = host->filp;
	if (S_ISBLK(file_inode(host->filp)->i_mode)) {
		learn_bdev(host);
		/*
		 * Others may have written through the device's page cache, and
		 * bios go around it (reference: Documentation/filesystems/vfs).
		 */
		ret = sync_blockdev(host->bdev);
		invalidate_bdev(host->bdev);
	} else {
		learn_file(host);
		if (write)
			ret = prepare_writing(host->filp);
	}
	host->file.align = host->align;
	if (ret) {
		q2_err_set(err, -ret, "%s: cannot be read (error %d)", path, -ret);
		goto close_file;
	}
	return host;

close_file:
	filp_close(host->filp, NULL);
free_name:
	kfree(host->file.name);
free_host:
	kfree(host);
	return ERR_PTR(ret);
}

int q2_host_make_writable(struct q2_host *host, struct q2_err *err)
{
	struct file *filp;
	int ret = 0;

	if (host->writable)
		return 0;
	filp = open_file(host->file.name, true, err);
	if (IS_ERR(filp))
		return PTR_ERR(filp);
	if (filp->f_mapping != host->filp->f_mapping)
		ret = q2_err_set(err, ESTALE, "%s: is another file by now", host->file.name);
	if (!ret && !host->bdev) {
		ret = prepare_writing(filp);
		if (ret)
			q2_err_set(err, -ret, "%s: cannot be read (error %d)", host->file.name,
				   -ret);
	}
	if (ret) {
		filp_close(filp, NULL);
		return ret;
	}
	/* Who reads through the first one may go on: it is closed with the host. */
	smp_store_release(&host->filp, filp);
	WRITE_ONCE(host->file.ops, &write_ops);
	host->writable = true;
	return 0;
}

void q2_host_close(struct q2_host *host)
{
	/* Our bios went around the page cache: nobody may find old pages there. */
	if (host->bdev && host->writable)
		invalidate_bdev(host->bdev);
	/* A kernel thread's files are closed later: nobody shall find it locked until then. */
	q2_host_unlock(host);
	if (host->lock_filp != host->filp)
		filp_close(host->lock_filp, NULL);
	filp_close(host->filp, NULL);
	kfree(host->file.name);
	kfree(host);
}

void q2_host_refresh(struct q2_host *host)
{
	u64 size;

	if (!host->bdev)
		return;
	size = bdev_nr_bytes(host->bdev);
	WRITE_ONCE(host->file.size, size);
	WRITE_ONCE(host->file.limit, size);
}

u64 q2_host_room(const struct q2_host *host, u64 end)
{
	struct kstatfs stat;

	if (host->bdev)
		return host->file.limit - min(end, host->file.limit);
	if (vfs_statfs(&host->filp->f_path, &stat))
		return 0;
	return (u64)stat.f_bavail * (stat.f_frsize ? stat.f_frsize : stat.f_bsize);
}

int q2_host_compare(const struct q2_host *a, const struct q2_host *b)
{
	const void *x = a->bdev ? (const void *)a->bdev : file_inode(a->filp);
	const void *y = b->bdev ? (const void *)b->bdev : file_inode(b->filp);

	return x < y ? -1 : x > y;
}

struct q2_file *q2_host_file(struct q2_host *host)
{
	return &host->file;
}

bool q2_host_is_device(const struct q2_host *host)
{
	return host->bdev;
}

u32 q2_host_align(const struct q2_host *host)
{
	return host->align;
}

u32 q2_host_mem_align(const struct q2_host *host)
{
	return host->mem_align;
}

bool q2_host_is_direct(const struct q2_host *host)
{
	return host->direct;
}

bool q2_host_has_cheap_holes(const struct q2_host *host)
{
	return host->cheap_holes;
}
