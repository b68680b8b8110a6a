// SPDX-License-Identifier: GPL-2.0-only
/* A host file or block device, open in the kernel. */
#include <linux/bio.h>
#include <linux/bvec.h>
#include <linux/file.h>
#include <linux/namei.h>
#include <linux/sched/mm.h>
#include <linux/stat.h>

#include "env.h"
#include "format/ondisk.h"
#include "io/host.h"

/* Metadata goes in pieces of this many pages: bounds the vectors on the stack. */
#define PIECE_PAGES 16U
#define PIECE_BYTES (PIECE_PAGES << PAGE_SHIFT)

static struct q2_host *host_of(struct q2_file *file)
{
	return container_of(file, struct q2_host, file);
}

/* Describe memory of kmalloc() or vmalloc() page by page. */
static unsigned int map_pages(void *buf, size_t len, struct bio_vec *vecs)
{
	unsigned int n = 0;

	while (len) {
		struct page *page = is_vmalloc_addr(buf) ? vmalloc_to_page(buf) : virt_to_page(buf);
		size_t part = min(len, PAGE_SIZE - offset_in_page(buf));

		vecs[n].bv_page = page;
		vecs[n].bv_len = part;
		vecs[n].bv_offset = offset_in_page(buf);
		n++;
		buf += part;
		len -= part;
	}
	return n;
}

ssize_t q2_host_read_iter(struct q2_host *host, struct kiocb *kiocb, struct iov_iter *iter)
{
	void *journal = current->journal_info;
	unsigned int noio = memalloc_noio_save();
	ssize_t ret;

	/*
	 * The caller may be inside a transaction of the file system on our
	 * device. The lower one must not take that handle for its own: ext4
	 * dies in jbd2 if it does (tests/functional/nested.sh).
	 */
	current->journal_info = NULL;
	/*
	 * Not vfs_iocb_iter_read(): permission was checked at the open, and the
	 * task here is whoever happens to read the device.
	 */
	ret = host->filp->f_op->read_iter(kiocb, iter);
	current->journal_info = journal;
	memalloc_noio_restore(noio);
	return ret;
}

/* One waiting read of at most PIECE_BYTES. Return: bytes or -errno. */
static ssize_t read_file_piece(struct q2_host *host, u64 offset, void *buf, size_t len, bool direct)
{
	struct bio_vec vecs[PIECE_PAGES + 1];
	struct iov_iter iter;
	struct kiocb kiocb;

	init_sync_kiocb(&kiocb, host->filp);
	kiocb.ki_pos = offset;
	/* The open file's own flags are not ours: O_DIRECT is said per call. */
	kiocb.ki_flags = direct ? IOCB_DIRECT : 0;
	iov_iter_bvec(&iter, ITER_DEST, vecs, map_pages(buf, len, vecs), len);
	return q2_host_read_iter(host, &kiocb, &iter);
}

static ssize_t read_bdev_piece(struct q2_host *host, u64 offset, void *buf, size_t len)
{
	struct bio_vec vecs[PIECE_PAGES + 1];
	unsigned int n = map_pages(buf, len, vecs);
	struct bio bio;
	int ret;

	if (is_vmalloc_addr(buf))
		flush_kernel_vmap_range(buf, len);
	bio_init(&bio, host->bdev, vecs, n, REQ_OP_READ | REQ_META | REQ_PRIO);
	bio.bi_vcnt = n;
	bio.bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	bio.bi_iter.bi_size = len;
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	if (is_vmalloc_addr(buf))
		invalidate_kernel_vmap_range(buf, len);
	return ret ? ret : len;
}

/* Aligned for direct I/O, at most PIECE_BYTES; what the file does not have reads zeroes. */
static int read_piece(struct q2_host *host, u64 offset, void *buf, size_t len)
{
	size_t done = 0;
	ssize_t ret;

	if (host->bdev) {
		u64 have = offset < host->file.size ? host->file.size - offset : 0;

		done = min_t(u64, len, have);
		ret = done ? read_bdev_piece(host, offset, buf, done) : 0;
		if (ret < 0)
			return ret;
		memset(buf + done, 0, len - done);
		return 0;
	}
	while (done < len) {
		ret = read_file_piece(host, offset + done, buf + done, len - done,
				      host->direct && IS_ALIGNED(done, host->align));
		/* Some file systems find reasons of their own against direct I/O. */
		if (ret == -EINVAL && host->direct)
			ret = read_file_piece(host, offset + done, buf + done, len - done, false);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		done += ret;
	}
	memset(buf + done, 0, len - done);
	return 0;
}

/* Any alignment: whole blocks into a bounce buffer, the wanted bytes out of it. */
static int read_bounced(struct q2_host *host, u64 offset, void *buf, size_t len)
{
	size_t room =
		min_t(size_t, PIECE_BYTES, round_up(len + 2 * (size_t)host->align, PAGE_SIZE));
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

		ret = read_piece(host, first, bounce, round_up(skip + part, (size_t)host->align));
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

static int host_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct q2_host *host = host_of(file);
	unsigned int noio;
	int ret = 0;

	if (offset > Q2_MAX_OFFSET - len)
		return -EINVAL;
	noio = memalloc_noio_save();
	if (!IS_ALIGNED(offset | len, host->align) ||
	    !IS_ALIGNED((unsigned long)buf, host->mem_align)) {
		ret = read_bounced(host, offset, buf, len);
		goto out;
	}
	while (len && !ret) {
		size_t part = min_t(size_t, len, PIECE_BYTES);

		ret = read_piece(host, offset, buf, part);
		offset += part;
		buf += part;
		len -= part;
	}
out:
	memalloc_noio_restore(noio);
	return ret;
}

static const struct q2_file_ops host_ops = {
	.read = host_read,
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
	if (!is_power_of_2(host->align) || host->align > PIECE_BYTES ||
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
	host->direct = true;
	host->align = bdev_logical_block_size(host->bdev);
	host->mem_align = SECTOR_SIZE;
}

struct q2_host *q2_host_open(const char *path, struct q2_err *err)
{
	const int flags = O_RDONLY | O_LARGEFILE;
	struct q2_host *host;
	int ret;

	ret = check_type(path, err);
	if (ret)
		return ERR_PTR(ret);
	host = kzalloc(sizeof(*host), GFP_KERNEL);
	if (!host)
		return ERR_PTR(-ENOMEM);
	host->file.ops = &host_ops;
	host->file.name = kstrdup(path, GFP_KERNEL);
	if (!host->file.name) {
		ret = -ENOMEM;
		goto free_host;
	}
	/* Reading a layer must not dirty its inode. Not everyone may ask for that. */
	host->filp = filp_open(path, flags | O_NOATIME, 0);
	if (host->filp == ERR_PTR(-EPERM))
		host->filp = filp_open(path, flags, 0);
	if (IS_ERR(host->filp)) {
		ret = PTR_ERR(host->filp);
		q2_err_set(err, -ret, "%s: cannot be opened (error %d)", path, -ret);
		goto free_name;
	}
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
	} else {
		ret = -EINVAL;
	}
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

void q2_host_close(struct q2_host *host)
{
	filp_close(host->filp, NULL);
	kfree(host->file.name);
	kfree(host);
}

bool q2_host_same(const struct q2_host *a, const struct q2_host *b)
{
	if (a->bdev || b->bdev)
		return a->bdev == b->bdev;
	return file_inode(a->filp) == file_inode(b->filp);
}
