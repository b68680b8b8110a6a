// SPDX-License-Identifier: GPL-2.0-only
/* A host file or block device, open in the kernel. */
#include <linux/bio.h>
#include <linux/bvec.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/magic.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/stat.h>
#include <linux/statfs.h>

#include "env.h"
#include "format/ondisk.h"
#include "io/host.h"

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

/**
 * struct scope - what this task was before it went into the file system below
 * @journal: its transaction
 * @bios: bios that its submit_bio() has yet to send on
 * @noio: for memalloc_noio_restore()
 */
struct scope {
	void *journal;
	struct bio_list *bios;
	unsigned int noio;
};

static void enter_fs(struct scope *scope)
{
	scope->noio = memalloc_noio_save();
	/*
	 * The caller may be inside a transaction of the file system on our
	 * device. The lower one must not take that handle for its own: ext4
	 * dies in jbd2 if it does (tests/functional/nested.sh).
	 */
	scope->journal = current->journal_info;
	current->journal_info = NULL;
	/*
	 * The caller may be device-mapper, in submit_bio(): bios that are submitted
	 * below it are sent on when it returns. ext4 waits for one all the same, with
	 * IOCB_NOWAIT, too: for a block of an extent tree that has left the page cache. It
	 * would never be read, and the inode never be unlocked (tests/stress/swap).
	 */
	scope->bios = current->bio_list;
	current->bio_list = NULL;
}

static void leave_fs(const struct scope *scope)
{
	current->bio_list = scope->bios;
	current->journal_info = scope->journal;
	memalloc_noio_restore(scope->noio);
}

bool q2_host_may_nest(void)
{
	unsigned long left =
		(unsigned long)__builtin_frame_address(0) - (unsigned long)task_stack_page(current);

	/* A file system and a driver take a quarter at most. */
	return left > THREAD_SIZE / 2;
}

ssize_t q2_host_read_iter(struct q2_host *host, struct kiocb *kiocb, struct iov_iter *iter)
{
	struct scope scope;
	ssize_t ret;

	enter_fs(&scope);
	/*
	 * Not vfs_iocb_iter_read(): permission was checked at the open, and the
	 * task here is whoever happens to read the device.
	 */
	ret = host->filp->f_op->read_iter(kiocb, iter);
	leave_fs(&scope);
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
	struct scope scope;
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
	enter_fs(&scope);
	ret = host->filp->f_op->write_iter(kiocb, iter);
	leave_fs(&scope);
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
	bool direct = host->direct;
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

static int host_write(struct q2_file *file, u64 offset, const void *buf, size_t len)
{
	struct q2_host *host = host_of(file);
	void *copy = NULL;
	unsigned int noio;
	int ret = 0;

	if (offset > Q2_MAX_OFFSET - len || !IS_ALIGNED(offset | len, host->align))
		return -EINVAL;
	noio = memalloc_noio_save();
	if (!IS_ALIGNED((unsigned long)buf, host->mem_align)) {
		copy = kvmalloc(round_up(len, PAGE_SIZE), GFP_NOIO);
		if (copy)
			memcpy(copy, buf, len);
		else
			ret = -ENOMEM;
	}
	if (!ret)
		ret = write_aligned(host, offset, copy ? copy : (void *)buf, len);
	kvfree(copy);
	memalloc_noio_restore(noio);
	return ret;
}

static int host_flush(struct q2_file *file)
{
	struct q2_host *host = host_of(file);
	unsigned int noio = memalloc_noio_save();
	int ret;

	if (host->bdev) {
		ret = blkdev_issue_flush(host->bdev);
		/* A device without a volatile cache has nothing to flush. */
		if (ret == -EOPNOTSUPP)
			ret = 0;
	} else {
		/* Writes leave the time alone (q2_host_open()): now it is told. */
		file_update_time(host->filp);
		ret = vfs_fsync(host->filp, 1);
	}
	memalloc_noio_restore(noio);
	return ret;
}

static void host_discard(struct q2_file *file, u64 offset, u64 len)
{
	struct q2_host *host = host_of(file);
	unsigned int noio = memalloc_noio_save();

	if (!host->bdev)
		vfs_fallocate(host->filp, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
	else if (bdev_max_discard_sectors(host->bdev))
		blkdev_issue_discard(host->bdev, offset >> SECTOR_SHIFT, len >> SECTOR_SHIFT,
				     GFP_NOIO);
	memalloc_noio_restore(noio);
}

static int host_zero(struct q2_file *file, u64 offset, u64 len)
{
	struct q2_host *host = host_of(file);
	unsigned int noio;
	int ret;

	if (!IS_ALIGNED(offset | len, host->align))
		return -EOPNOTSUPP;
	noio = memalloc_noio_save();
	if (host->bdev)
		ret = blkdev_issue_zeroout(host->bdev, offset >> SECTOR_SHIFT, len >> SECTOR_SHIFT,
					   GFP_NOIO, 0);
	else
		ret = vfs_fallocate(host->filp, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
				    len);
	memalloc_noio_restore(noio);
	return ret;
}

/*
 * A write that makes the file longer holds the inode's lock, in ext4 alone, until its bytes
 * are on the disk, and whoever reads or writes in the same file waits for it. This holds it
 * for as long as it takes to note the blocks, and what is written there later does not.
 */
static void host_reserve(struct q2_file *file, u64 offset, u64 len)
{
	struct q2_host *host = host_of(file);
	unsigned int noio;

	if (host->bdev || offset + len <= i_size_read(file_inode(host->filp)))
		return;
	noio = memalloc_noio_save();
	vfs_fallocate(host->filp, 0, offset, len);
	memalloc_noio_restore(noio);
}

static int host_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct q2_host *host = host_of(file);
	unsigned int noio;
	int ret;

	if (offset > Q2_MAX_OFFSET - len)
		return -EINVAL;
	noio = memalloc_noio_save();
	if (!IS_ALIGNED(offset | len, host->align) ||
	    !IS_ALIGNED((unsigned long)buf, host->mem_align))
		ret = read_bounced(host, offset, buf, len);
	else
		ret = read_aligned(host, offset, buf, len);
	memalloc_noio_restore(noio);
	return ret;
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

static struct file *open_file(const char *path, bool write, struct q2_err *err)
{
	const int flags = (write ? O_RDWR : O_RDONLY) | O_LARGEFILE;
	struct file *filp;

	/* Reading a layer must not dirty its inode. Not everyone may ask for that. */
	filp = filp_open(path, flags | O_NOATIME, 0);
	if (filp == ERR_PTR(-EPERM))
		filp = filp_open(path, flags, 0);
	if (IS_ERR(filp))
		q2_err_set(err, -PTR_ERR(filp), "%s: cannot be opened%s (error %ld)", path,
			   write ? " for writing" : "", -PTR_ERR(filp));
	return filp;
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
	} else if (S_ISREG(file_inode(host->filp)->i_mode) && host->filp->f_op->read_iter) {
		learn_file(host);
		if (write)
			ret = prepare_writing(host->filp);
	} else {
		ret = -EINVAL;
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
	return (u64)stat.f_bavail * stat.f_bsize;
}

bool q2_host_same(const struct q2_host *a, const struct q2_host *b)
{
	if (a->bdev || b->bdev)
		return a->bdev == b->bdev;
	return file_inode(a->filp) == file_inode(b->filp);
}
