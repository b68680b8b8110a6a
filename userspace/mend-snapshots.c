// SPDX-License-Identifier: GPL-2.0-only
#include "format/snapshot.h"
#include "mend-snapshots.h"

/* As QEMU: how far into the file a table may reach. */
#define SPAN_MOST ((u64)INT_MAX)

/* The table that is being put together. */
struct building {
	u8 *bytes;
	size_t room;
	size_t len;
};

static int make_room(struct building *table, size_t want)
{
	size_t room = max(2 * table->room, want);
	u8 *bytes;

	if (want <= table->room)
		return 0;
	bytes = kvzalloc(room, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	if (table->len)
		memcpy(bytes, table->bytes, table->len);
	kvfree(table->bytes);
	table->bytes = bytes;
	table->room = room;
	return 0;
}

/* Append the entry at @from of the file, with no more extra data than may be; @from: its end. */
static int append(struct q2_file *file, struct building *table, u64 *from, bool *cut)
{
	struct q2_disk_snapshot disk;
	u32 extra, kept, names;
	int ret = q2_file_read(file, *from, &disk, sizeof(disk));
	u8 *to;

	if (ret)
		return ret;
	extra = be32_to_cpu(disk.extra_data_size);
	kept = min(extra, Q2_MAX_SNAPSHOT_EXTRA);
	*cut = kept < extra;
	disk.extra_data_size = cpu_to_be32(kept);
	names = be16_to_cpu(disk.id_str_size) + be16_to_cpu(disk.name_size);
	ret = make_room(table, round_up(table->len + sizeof(disk) + kept + names, 8UL));
	if (ret)
		return ret;
	to = table->bytes + table->len;
	memcpy(to, &disk, sizeof(disk));
	*from += sizeof(disk);
	ret = q2_file_read(file, *from, to + sizeof(disk), kept);
	*from += extra;
	if (!ret)
		ret = q2_file_read(file, *from, to + sizeof(disk) + kept, names);
	*from += names;
	table->len = round_up(table->len + sizeof(disk) + kept + names, 8UL);
	return ret;
}

struct q2_snapshots *mend_snapshots(struct q2_file *file, const struct q2_header *hdr,
				    struct mended *mended, struct q2_err *err)
{
	struct q2_snapshots *snaps;
	struct building table = {0};
	u64 from = hdr->snapshots_offset, end = from;
	size_t next = 0;
	bool cut;
	int ret = 0;

	*mended = (struct mended){0};
	snaps = kvzalloc(sizeof(*snaps) + hdr->nb_snapshots * sizeof(snaps->snap[0]), GFP_KERNEL);
	if (!snaps)
		return ERR_PTR(-ENOMEM);
	for (; snaps->nr < hdr->nb_snapshots; snaps->nr++) {
		size_t at = table.len;

		from = round_up(from, 8ULL);
		ret = append(file, &table, &from, &cut);
		if (ret)
			break;
		if (table.len > Q2_MAX_SNAPSHOT_TABLE_BYTES ||
		    from - hdr->snapshots_offset > SPAN_MOST) {
			table.len = at;
			break;
		}
		end = from;
		mended->entries += cut;
		ret = q2_snapshot_decode(hdr, table.bytes, table.len, at, &snaps->snap[snaps->nr],
					 &next, err);
		if (ret)
			break;
	}
	if (ret) {
		kvfree(table.bytes);
		kvfree(snaps);
		return ERR_PTR(ret);
	}
	mended->lost = hdr->nb_snapshots - snaps->nr;
	mended->bytes = end - hdr->snapshots_offset;
	snaps->table = table.bytes;
	snaps->len = table.len;
	return snaps;
}
