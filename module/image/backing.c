// SPDX-License-Identifier: GPL-2.0-only
/* Which backing file an image names. */
#include "env.h"
#include "image/backing.h"
#include "image/internal.h"

/* Longest name of a format that QEMU reads. */
#define MAX_FORMAT 15U

/**
 * struct cluster0 - the first cluster, old and new
 * @old: as it is on the disk
 * @beside: the same, with what is new where the old header refers to nothing
 * @new: as it shall be
 * @size: bytes of it
 * @end: of the extensions in @new: where their end mark is
 */
struct cluster0 {
	u8 *old;
	u8 *beside;
	u8 *new;
	u32 size;
	u32 end;
};

static struct q2_disk_ext ext_head(const u8 *at)
{
	struct q2_disk_ext head;

	memcpy(&head, at, sizeof(head));
	return head;
}

static void put_ext(u8 *at, u32 type, const char *data, u32 len)
{
	struct q2_disk_ext head = {.type = cpu_to_be32(type), .length = cpu_to_be32(len)};

	memcpy(at, &head, sizeof(head));
	memset(at + sizeof(head), 0, round_up(len, 8U));
	memcpy(at + sizeof(head), data, len);
}

/* Where the format extension is, and its bytes without the head; 0: there is none. */
static u32 find_format(const struct q2_image *img, const u8 *buf, u32 *len)
{
	u32 at = img->hdr.extensions.offset, end = at + img->hdr.extensions.length;

	while (at + sizeof(struct q2_disk_ext) <= end) {
		struct q2_disk_ext head = ext_head(buf + at);

		*len = be32_to_cpu(head.length);
		if (be32_to_cpu(head.type) == Q2_EXT_BACKING_FORMAT)
			return at;
		at += sizeof(head) + round_up(*len, 8U);
	}
	return 0;
}

/* The format, in place of the old one or behind all others. Return: 0 or -ENOSPC. */
static int set_format(struct q2_image *img, struct cluster0 *c, const char *format)
{
	u32 len = strlen(format), old_len = 0,
	    room = sizeof(struct q2_disk_ext) + round_up(len, 8U);
	u32 at = find_format(img, c->old, &old_len);

	if (at && round_up(old_len, 8U) == round_up(len, 8U)) {
		put_ext(c->new + at, Q2_EXT_BACKING_FORMAT, format, len);
		return 0;
	}
	if (at) {
		/* It does not fit where it was: those behind it move up. */
		u32 next = at + sizeof(struct q2_disk_ext) + round_up(old_len, 8U);

		memmove(c->new + at, c->new + next, c->end - next);
		c->end -= next - at;
	}
	if (c->end + room + sizeof(struct q2_disk_ext) > c->size)
		return -ENOSPC;
	put_ext(c->new + c->end, Q2_EXT_BACKING_FORMAT, format, len);
	if (!at)
		memcpy(c->beside + c->end + sizeof(struct q2_disk_ext),
		       c->new + c->end + sizeof(struct q2_disk_ext),
		       room - sizeof(struct q2_disk_ext));
	c->end += room;
	put_ext(c->new + c->end, Q2_EXT_END, "", 0);
	if (!at)
		put_ext(c->beside + c->end, Q2_EXT_END, "", 0);
	return 0;
}

/* The name, where the old one is not, if there is room. */
static int set_name(struct q2_image *img, struct cluster0 *c, const char *name,
		    struct q2_header *hdr)
{
	u32 len = strlen(name), at = c->end + sizeof(struct q2_disk_ext);
	u32 old = img->hdr.backing.offset, past = round_up(old + img->hdr.backing.length, 8U);
	bool meets = img->hdr.backing.length && at < past && old < at + len;

	if (meets && past >= at && past + len <= c->size) {
		at = past;
		meets = false;
	}
	if (at + len > c->size)
		return -ENOSPC;
	memcpy(c->new + at, name, len);
	if (!meets)
		memcpy(c->beside + at, name, len);
	hdr->backing.offset = at;
	hdr->backing.length = len;
	return 0;
}

/* Write the first cluster, as far as it is new, and flush. */
static int write_cluster0(struct q2_image *img, const struct cluster0 *c, const u8 *buf)
{
	u32 piece = q2_piece(img), at;
	int ret = 0;

	for (at = 0; at < c->size && !ret; at += piece) {
		if (!at || memcmp(c->old + at, c->new + at, piece))
			ret = q2_file_write(img->file, at, buf + at, piece);
	}
	return ret ? ret : q2_file_flush(img->file);
}

/* What nobody refers to, then what is behind the header's sector, then that sector. */
static int write_stages(struct q2_image *img, struct cluster0 *c)
{
	int ret = write_cluster0(img, c, c->beside);

	if (!ret) {
		memcpy(c->beside, c->new, c->size);
		memcpy(c->beside, c->old, Q2_SECTOR_SIZE);
		ret = write_cluster0(img, c, c->beside);
	}
	return ret ? ret : write_cluster0(img, c, c->new);
}

/* The new first cluster, and the header that is read from it. */
static int build(struct q2_image *img, struct cluster0 *c, const char *name, const char *format,
		 struct q2_header *hdr, struct q2_err *err)
{
	int ret = 0;

	*hdr = img->hdr;
	if (name) {
		ret = set_format(img, c, format);
		if (!ret)
			ret = set_name(img, c, name, hdr);
		if (ret)
			return q2_err_set(
				err, -ret,
				"the name of the backing file does not fit into the first cluster, which has %u bytes",
				c->size);
	} else {
		hdr->backing.length = 0;
		/* Extensions that end where the name began go on ending there. */
		if (c->end + sizeof(struct q2_disk_ext) <= c->size &&
		    !ext_head(c->old + c->end).type)
			hdr->backing.offset = 0;
	}
	q2_header_encode(hdr, c->new);
	ret = q2_header_decode(c->new, c->size, hdr, err);
	return ret ? ret : q2_header_decode_extensions(c->new, c->size, hdr, err);
}

static int read_cluster0(struct q2_image *img, struct cluster0 *c)
{
	int ret;

	c->size = img->geo.cluster_size;
	c->end = img->hdr.extensions.offset + img->hdr.extensions.length;
	c->old = kvmalloc(c->size, GFP_NOIO);
	c->beside = kvmalloc(c->size, GFP_NOIO);
	c->new = kvmalloc(c->size, GFP_NOIO);
	if (!c->old || !c->beside || !c->new)
		return -ENOMEM;
	ret = q2_file_read(img->file, 0, c->old, c->size);
	if (ret)
		return ret;
	memcpy(c->beside, c->old, c->size);
	memcpy(c->new, c->old, c->size);
	return 0;
}

void q2_image_await_backing(struct q2_image *img)
{
	img->awaits_backing = true;
}

int q2_image_set_backing(struct q2_image *img, const char *name, const char *format,
			 struct q2_err *err)
{
	struct cluster0 c = {};
	struct q2_header hdr;
	int ret;

	if (name && (!*name || strlen(name) > Q2_MAX_BACKING_NAME))
		return q2_err_set(err, EINVAL, "the name of a backing file has 1 to %u bytes",
				  Q2_MAX_BACKING_NAME);
	if (name && (!*format || strlen(format) > MAX_FORMAT))
		return q2_err_set(err, EINVAL, "the name of a format has 1 to %u bytes",
				  MAX_FORMAT);
	ret = q2_image_hold(img);
	if (ret)
		return q2_err_set(err, -ret, "the image cannot be written");
	ret = read_cluster0(img, &c);
	if (ret)
		q2_err_set(err, -ret, "the first cluster cannot be read");
	else
		ret = build(img, &c, name, format, &hdr, err);
	if (!ret) {
		ret = write_stages(img, &c);
		if (ret) {
			q2_err_set(err, -ret, "the header cannot be written");
			q2_image_fail(img, ret, "the header cannot be written");
		}
	}
	if (!ret) {
		spin_lock(&img->words);
		img->hdr = hdr;
		img->awaits_backing = false;
		spin_unlock(&img->words);
	}
	q2_image_release(img);
	kvfree(c.old);
	kvfree(c.beside);
	kvfree(c.new);
	return ret;
}
