/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images that are open, each once, found by device and inode.
 *
 * Devices whose chains share a base share its host file, its image object and
 * its metadata cache. A table swap finds the images of the old table here.
 *
 * An image that is written belongs to one owner, a mapped device, and to nobody
 * else: not even for reading, since its content is changing.
 */
#ifndef Q2_SERVE_SHARED_H
#define Q2_SERVE_SHARED_H

#include "image/write.h"
#include "serve/host.h"

struct q2_disk;

/* How the bytes of a layer are to be read: given by the table, never probed. */
enum q2_format {
	Q2_FORMAT_RAW,
	Q2_FORMAT_QCOW2,
};

/**
 * struct q2_shared - an open image; constant for those who hold it
 * @host: where it lies
 * @file: the same, to be read and written
 * @img: the image, NULL if the format is raw
 * @id: never given to another one while the module is loaded
 * @owner: who may write it, NULL if it is only read
 * @disk: of a written image: the disk that uses it now; serve/disk.c
 * @layer: its number in that disk's chain
 * @busy: a job of that disk writes it, or may take layers out of its chain: no new table
 *        takes this one (BUSY-FIRST)
 * @lost: a raw file: a flush of it has failed, so that what was written before may be lost.
 *        (Of a qcow2 image its mode says so.)
 */
struct q2_shared {
	struct q2_host *host;
	struct q2_file *file;
	struct q2_image *img;
	u64 id;
	void *owner;
	struct q2_disk *disk;
	unsigned int layer;
	bool busy;
	bool lost;
	/* shared.c alone */
	struct list_head list;
	unsigned int users;
	enum q2_format format;
	struct mutex opening;
	int error;
	struct mutex flushing;
	atomic64_t flush_asked;
	u64 flush_done; /* protected by flushing */
};

/**
 * struct q2_share_params - how to open an image
 * @path: absolute path of a regular file or block device
 * @format: how to read it
 * @cache_bytes: bound of its metadata cache, if this is the first to open it
 * @lock: hold QEMU's lock bytes from now on
 * @write: for writing
 * @owner: the mapped device that asks; never NULL
 * @hooks: for a written image, see q2_image_make_writable(); its argument is the
 *         &struct q2_shared
 */
struct q2_share_params {
	const char *path;
	enum q2_format format;
	size_t cache_bytes;
	bool lock;
	bool write;
	void *owner;
	const struct q2_image_hooks *hooks;
};

/**
 * q2_shared_get() - the open image behind a name
 * @params: how to open it
 * @err: reason, names the path
 *
 * Refused with -EBUSY: writing what others use, or using what others write.
 * Blocks. Return: the image, to be given back with q2_shared_put(), or ERR_PTR.
 */
struct q2_shared *q2_shared_get(const struct q2_share_params *params, struct q2_err *err);

/**
 * q2_shared_make_writable() - allow an owner to write an image it has open for reading
 * @shared: image
 * @owner: the mapped device
 * @hooks: as in &struct q2_share_params
 * @err: reason, names the path
 *
 * Nobody else may have it open. Does nothing if it is the owner's already. Blocks.
 * Return: 0; -EBUSY others use it; -EAGAIN another program; -EUCLEAN; -EROFS; -errno.
 */
int q2_shared_make_writable(struct q2_shared *shared, void *owner,
			    const struct q2_image_hooks *hooks, struct q2_err *err);

/*
 * The owner is done with writing: what was written is made durable and complete, and others
 * may read it. Blocks. Return: 0; -errno: what was written may be lost; it is the owner's no
 * more all the same.
 */
int q2_shared_make_readonly(struct q2_shared *shared);

/*
 * Make what has been written durable, data and mapping. Calls that come while one runs
 * share the next. Blocks.
 *
 * ERROR-STAYS: the host tells of an error once and then forgets which pages it lost, so that
 * its next flush succeeds without them: after one that failed, all fail.
 *
 * Return: 0 or -errno.
 */
int q2_shared_flush(struct q2_shared *shared);

/* May something that was written be lost, or can nothing be written any more? Any context. */
bool q2_shared_failed(const struct q2_shared *shared);

/*
 * Has nobody else it open, not even a table that is loaded and not live yet? BUSY-FIRST: @busy is
 * set before it is asked.
 */
bool q2_shared_is_sole(struct q2_shared *shared);

/* Give it back; the last one closes. Blocks. */
void q2_shared_put(struct q2_shared *shared);

/* For the shrinker: as q2_image_shrink() and q2_image_shrinkable(), over all images. */
unsigned long q2_shared_shrink(unsigned long nr);
unsigned long q2_shared_shrinkable(void);

#endif
