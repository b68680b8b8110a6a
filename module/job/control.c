// SPDX-License-Identifier: GPL-2.0-only
/* Suspend, resume, and what changes all tables of a device. */
#include "env.h"
#include "image/resize.h"
#include "image/snapshotting.h"
#include "job/control.h"
#include "serve/find.h"

void q2_control_init(struct q2_control *control, struct q2_disk *disk)
{
	control->disk = disk;
	control->suspended = true;
	mutex_init(&control->changing);
	q2_job_init(&control->job, disk);
}

void q2_control_exit(struct q2_control *control)
{
	q2_job_exit(&control->job);
	mutex_destroy(&control->changing);
}

void q2_control_presuspend(struct q2_control *control, bool noflush)
{
	/* SUSPEND-LOSES-NOTHING: otherwise what is parked is waited for. */
	if (noflush)
		q2_room_leave(control->disk);
	q2_job_hold(&control->job);
}

void q2_control_presuspend_undo(struct q2_control *control)
{
	q2_room_return(control->disk);
	q2_job_release(&control->job);
}

void q2_control_postsuspend(struct q2_control *control)
{
	/* ONE-MESSAGE: none begins with the disk in use and ends without. */
	mutex_lock(&control->changing);
	q2_disk_postsuspend(control->disk);
	control->suspended = true;
	mutex_unlock(&control->changing);
}

void q2_control_preresume(struct q2_control *control)
{
	/* ONE-MESSAGE: one that wants the image alone has it until it has ended. */
	mutex_lock(&control->changing);
	q2_disk_resume(control->disk);
	control->suspended = false;
	mutex_unlock(&control->changing);
	q2_job_release(&control->job);
}

void q2_control_begin(struct q2_control *control)
{
	mutex_lock(&control->changing);
}

void q2_control_end(struct q2_control *control)
{
	mutex_unlock(&control->changing);
}

/* What changes all tables at once wants the image alone. ONE-MESSAGE: then looks at the top. */
static int check_alone(struct q2_control *control, struct q2_err *err)
{
	int ret;

	lockdep_assert_held(&control->changing);
	if (!control->suspended)
		return q2_err_set(err, EAGAIN, "the device must be suspended for this");
	ret = q2_job_ready(&control->job, err);
	if (ret)
		return ret;
	if (!control->disk->top->img)
		return q2_err_set(err, EOPNOTSUPP, "a raw image cannot do this");
	return 0;
}

/* MAP-FOLLOWS: all tables have changed: nothing that the map says holds any more. */
static void look_again(struct q2_disk *disk)
{
	struct q2_chain *chain = disk->chain;

	q2_map_forget_all(disk->map);
	WRITE_ONCE(chain->layers[chain->top].size, q2_image_size(disk->top->img));
}

static int change_snapshots(struct q2_image *img, enum q2_snapshot_verb verb, const char *tag,
			    u32 sec, u32 nsec, struct q2_err *err)
{
	switch (verb) {
	case Q2_SNAPSHOT_CREATE:
		return q2_image_snapshot_create(img, tag, sec, nsec, err);
	case Q2_SNAPSHOT_APPLY:
		return q2_image_snapshot_apply(img, tag, err);
	default:
		return q2_image_snapshot_delete(img, tag, err);
	}
}

int q2_control_snapshot(struct q2_control *control, enum q2_snapshot_verb verb, const char *tag,
			u32 sec, u32 nsec, struct q2_err *err)
{
	int ret = check_alone(control, err);

	if (ret)
		return ret;
	ret = change_snapshots(control->disk->top->img, verb, tag, sec, nsec, err);
	/* What was the disk's alone is shared now, or another one's. */
	look_again(control->disk);
	return ret;
}

/* The last cluster has to be written again before the disk can grow: its last sector will do. */
static int write_last_sector(struct q2_disk *disk, struct q2_image *img)
{
	u64 guest = q2_image_size(img) - Q2_SECTOR_SIZE;
	u32 size = q2_image_geometry(img)->cluster_size;
	struct q2_write w;
	void *buf;
	int ret;

	buf = kvmalloc(size, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = q2_write_begin(img, guest, Q2_SECTOR_SIZE, &w);
	if (!ret) {
		/* DATA-BEFORE-LINK: what is written and what surrounds it are what is there. */
		ret = q2_disk_read(disk, w.fill_start, buf, w.fill_end - w.fill_start);
		if (!ret)
			ret = q2_file_write(disk->top->file, w.host - (guest - w.fill_start), buf,
					    w.fill_end - w.fill_start);
		q2_write_end(img, &w, !ret);
	}
	kvfree(buf);
	return ret;
}

int q2_control_resize(struct q2_control *control, u64 size, struct q2_err *err)
{
	struct q2_disk *disk = control->disk;
	struct q2_chain *chain = disk->chain;
	unsigned int below;
	u64 backing;
	int ret = check_alone(control, err);

	if (ret)
		return ret;
	if (size < q2_image_size(disk->top->img))
		return q2_err_set(err, EINVAL, "a device in use can only grow");
	below = q2_chain_below(chain, chain->top);
	backing = below == Q2_NO_LAYER ? 0 : chain->layers[below].size;
	ret = q2_image_resize(disk->top->img, size, backing, err);
	if (ret == -EAGAIN) {
		err->text[0] = '\0';
		ret = write_last_sector(disk, disk->top->img);
		if (!ret)
			ret = q2_image_resize(disk->top->img, size, backing, err);
	}
	look_again(disk);
	return ret;
}
