// SPDX-License-Identifier: GPL-2.0-only
/* Internal snapshots of a writable image: create, apply, delete. */
#include "env.h"
#include "image/snapshotting.h"
#include "image/turn.h"

/* A number, and how many of its digits fit into an id. */
#define ID_ROOM 21

/* QEMU: one more than the largest number that an id begins with. */
static u64 next_id(const struct q2_snapshots *snaps)
{
	unsigned int i, j;
	u64 most = 0;

	for (i = 0; i < snaps->nr; i++) {
		const u8 *id = snaps->table + snaps->snap[i].id.offset;
		u64 n = 0;

		for (j = 0;
		     j < snaps->snap[i].id.length && id[j] >= '0' && id[j] <= '9' && n < U32_MAX;
		     j++)
			n = n * 10 + id[j] - '0';
		most = max(most, n);
	}
	return most + 1;
}

/**
 * struct table - a snapshot table to come
 * @data: its bytes
 * @bytes: of them in use
 * @room: of them, whole pieces
 */
struct table {
	u8 *data;
	size_t bytes;
	size_t room;
};

/* Room for all of @snaps and @more bytes. */
static int table_alloc(struct q2_turn *turn, const struct q2_snapshots *snaps, size_t more,
		       struct table *table)
{
	unsigned int i;

	memset(table, 0, sizeof(*table));
	for (i = 0; i < snaps->nr; i++)
		more += q2_snapshot_encoded_size(&snaps->snap[i]);
	if (more > Q2_MAX_SNAPSHOT_TABLE_BYTES)
		return q2_err_set(turn->err, EFBIG,
				  "the snapshot table would have more than %u MiB",
				  Q2_MAX_SNAPSHOT_TABLE_BYTES >> 20);
	table->room = round_up(max_t(size_t, more, 1), (size_t)q2_piece(turn->img));
	table->data = kvzalloc(table->room, GFP_NOIO);
	return table->data ? 0 : q2_err_set(turn->err, ENOMEM, "there is not enough memory");
}

static void table_add(struct table *table, const struct q2_snapshot *snap, const void *src)
{
	q2_snapshot_encode(snap, src, table->data + table->bytes);
	table->bytes += q2_snapshot_encoded_size(snap);
}

/* Write the new table; the old one is gone with this turn. */
static int table_write(struct q2_turn *turn, const struct table *table, unsigned int nr)
{
	struct q2_image *img = turn->img;
	int ret = 0;

	turn->hdr.snapshots_offset = 0;
	if (nr)
		ret = q2_turn_write(turn, table->data, table->room, &turn->hdr.snapshots_offset);
	if (!ret && img->hdr.nb_snapshots)
		ret = q2_turn_unref(turn, img->hdr.snapshots_offset, img->snapshots_bytes);
	turn->hdr.nb_snapshots = nr;
	turn->snapshots_bytes = table->bytes;
	return ret;
}

/* What there is, and one that begins with the active L1. */
static int write_with_new(struct q2_turn *turn, const struct q2_snapshots *snaps,
			  struct q2_snapshot *snap, const char *name)
{
	char src[ID_ROOM + Q2_MAX_SNAPSHOT_NAME + 1];
	struct table table;
	unsigned int i;
	int ret;

	snap->id.length = scnprintf(src, sizeof(src), "%llu", next_id(snaps));
	snap->name.offset = snap->id.length;
	snap->name.length = strlen(name);
	memcpy(src + snap->name.offset, name, snap->name.length);
	ret = table_alloc(turn, snaps, q2_snapshot_encoded_size(snap), &table);
	if (ret)
		return ret;
	for (i = 0; i < snaps->nr; i++)
		table_add(&table, &snaps->snap[i], snaps->table);
	table_add(&table, snap, src);
	ret = table_write(turn, &table, snaps->nr + 1);
	kvfree(table.data);
	return ret;
}

/* All but number @gone. */
static int write_without(struct q2_turn *turn, const struct q2_snapshots *snaps, unsigned int gone)
{
	struct table table;
	unsigned int i;
	int ret;

	ret = table_alloc(turn, snaps, 0, &table);
	if (ret)
		return ret;
	for (i = 0; i < snaps->nr; i++) {
		if (i != gone)
			table_add(&table, &snaps->snap[i], snaps->table);
	}
	ret = table_write(turn, &table, snaps->nr - 1);
	kvfree(table.data);
	return ret;
}

static int check_name(const struct q2_snapshots *snaps, const char *name, struct q2_err *err)
{
	unsigned int i;

	if (!*name)
		return q2_err_set(err, EINVAL, "a snapshot needs a name");
	if (strlen(name) > Q2_MAX_SNAPSHOT_NAME)
		return q2_err_set(err, EINVAL, "a snapshot's name has %u bytes at most",
				  Q2_MAX_SNAPSHOT_NAME);
	if (snaps->nr >= Q2_MAX_SNAPSHOTS)
		return q2_err_set(err, EFBIG, "the image has %u snapshots, no more are possible",
				  snaps->nr);
	for (i = 0; i < snaps->nr; i++) {
		const struct q2_snapshot *s = &snaps->snap[i];

		if (s->name.length == strlen(name) &&
		    !memcmp(snaps->table + s->name.offset, name, s->name.length))
			return q2_err_set(err, EEXIST, "there is a snapshot of that name (id %.*s)",
					  (int)min(s->id.length, 64U),
					  (char *)snaps->table + s->id.offset);
	}
	return 0;
}

int q2_image_snapshot_create(struct q2_image *img, const char *name, u32 sec, u32 nsec,
			     struct q2_err *err)
{
	struct q2_snapshot snap = {
		.icount = U64_MAX,
		.date_sec = sec,
		.date_nsec = nsec,
	};
	struct q2_snapshots *snaps;
	struct q2_turn turn;
	int ret;

	ret = q2_turn_begin(&turn, img, err);
	if (ret)
		return ret;
	snaps = q2_snapshots_load(img->file, &img->hdr, err);
	if (IS_ERR(snaps))
		return q2_turn_end(&turn, PTR_ERR(snaps));
	snap.disk_size = img->hdr.size;
	snap.l1_offset = img->hdr.l1_offset;
	snap.l1_size = img->hdr.l1_size;
	/* The snapshot's L1 is the active one as it lies there: all of it, VM state too. */
	turn.keep_l1 = true;
	ret = check_name(snaps, name, err);
	if (!ret)
		ret = q2_turn_set_l1(&turn, img->l1, img->hdr.l1_size);
	if (!ret)
		ret = q2_turn_count_l1(&turn, turn.l1, 0, turn.hdr.l1_size, Q2_TURN_REF);
	if (!ret)
		ret = q2_turn_settle_tables(&turn, false);
	if (!ret)
		ret = write_with_new(&turn, snaps, &snap, name);
	q2_snapshots_free(snaps);
	return q2_turn_end(&turn, ret);
}

/* The snapshots, and the number of the one that is meant; its L1 can be read. */
static struct q2_snapshots *load_and_find(struct q2_image *img, const char *tag, unsigned int *nr,
					  struct q2_err *err)
{
	struct q2_snapshots *snaps = q2_snapshots_load(img->file, &img->hdr, err);
	int ret;

	if (IS_ERR(snaps))
		return snaps;
	ret = q2_snapshots_find(snaps, tag);
	if (ret >= 0) {
		*nr = ret;
		ret = q2_snapshot_verify_l1(&img->hdr, &snaps->snap[ret], err);
	} else {
		ret = q2_err_set(err, ENOENT, "there is no snapshot with the id or name '%s'", tag);
	}
	if (!ret)
		return snaps;
	q2_snapshots_free(snaps);
	return ERR_PTR(ret);
}

/* The L1 table of a snapshot, host byte order, to be given to kvfree(). */
static u64 *read_l1(struct q2_image *img, const struct q2_snapshot *snap, struct q2_err *err)
{
	size_t bytes = (size_t)snap->l1_size * sizeof(u64);
	u64 *l1 = kvmalloc(max_t(size_t, bytes, 1), GFP_NOIO);
	__be64 *disk = (__force __be64 *)l1;
	int ret;
	u32 i;

	if (!l1)
		return ERR_PTR(q2_err_set(err, ENOMEM, "there is not enough memory"));
	ret = q2_file_read(img->file, snap->l1_offset, disk, bytes);
	if (ret) {
		kvfree(l1);
		return ERR_PTR(q2_err_set(err, -ret, "the snapshot's L1 table cannot be read"));
	}
	for (i = 0; i < snap->l1_size; i++)
		l1[i] = be64_to_cpu(disk[i]);
	return l1;
}

static int check_size(const struct q2_snapshot *snap, struct q2_err *err)
{
	if (snap->disk_size > Q2_MAX_OFFSET || snap->disk_size % Q2_SECTOR_SIZE)
		return q2_err_set(err, EUCLEAN,
				  "the snapshot says that the disk had %llu bytes, which cannot be",
				  snap->disk_size);
	return 0;
}

int q2_image_snapshot_apply(struct q2_image *img, const char *tag, struct q2_err *err)
{
	struct q2_snapshots *snaps;
	struct q2_snapshot *snap;
	struct q2_turn turn;
	unsigned int nr = 0;
	u64 *l1;
	int ret;

	ret = q2_turn_begin(&turn, img, err);
	if (ret)
		return ret;
	snaps = load_and_find(img, tag, &nr, err);
	if (IS_ERR(snaps))
		return q2_turn_end(&turn, PTR_ERR(snaps));
	snap = &snaps->snap[nr];
	l1 = read_l1(img, snap, err);
	ret = PTR_ERR_OR_ZERO(l1);
	if (!ret)
		ret = check_size(snap, err);
	if (!ret) {
		turn.hdr.size = snap->disk_size;
		ret = q2_turn_set_l1(&turn, l1, snap->l1_size);
	}
	/* Less first: a narrow refcount may have no room for both. */
	if (!ret)
		ret = q2_turn_count_l1(&turn, img->l1, 0, img->hdr.l1_size, Q2_TURN_UNREF);
	if (!ret)
		ret = q2_turn_count_l1(&turn, turn.l1, 0, turn.hdr.l1_size, Q2_TURN_REF);
	if (!ret)
		ret = q2_turn_settle_tables(&turn, false);
	if (!IS_ERR(l1))
		kvfree(l1);
	q2_snapshots_free(snaps);
	return q2_turn_end(&turn, ret);
}

int q2_image_snapshot_delete(struct q2_image *img, const char *tag, struct q2_err *err)
{
	struct q2_snapshots *snaps;
	struct q2_snapshot *snap;
	struct q2_turn turn;
	unsigned int nr = 0;
	u64 *l1;
	int ret;

	ret = q2_turn_begin(&turn, img, err);
	if (ret)
		return ret;
	snaps = load_and_find(img, tag, &nr, err);
	if (IS_ERR(snaps))
		return q2_turn_end(&turn, PTR_ERR(snaps));
	snap = &snaps->snap[nr];
	l1 = read_l1(img, snap, err);
	ret = PTR_ERR_OR_ZERO(l1);
	if (!ret)
		ret = q2_turn_count_l1(&turn, l1, 0, snap->l1_size, Q2_TURN_UNREF);
	if (!ret)
		ret = q2_turn_unref(&turn, snap->l1_offset, (u64)snap->l1_size * sizeof(u64));
	if (!ret)
		ret = q2_turn_set_l1(&turn, img->l1, img->hdr.l1_size);
	/* VM state that QEMU has left in the active L1. */
	if (!ret)
		ret = q2_turn_count_l1(&turn, img->l1, turn.hdr.l1_size, img->hdr.l1_size,
				       Q2_TURN_UNREF);
	if (!ret)
		ret = q2_turn_settle_tables(&turn, true);
	if (!ret)
		ret = write_without(&turn, snaps, nr);
	if (!IS_ERR(l1))
		kvfree(l1);
	q2_snapshots_free(snaps);
	return q2_turn_end(&turn, ret);
}
