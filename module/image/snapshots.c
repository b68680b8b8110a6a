// SPDX-License-Identifier: GPL-2.0-only
/* The snapshot table of an image, read whole. */
#include "env.h"
#include "image/snapshots.h"

/* Grow the bytes read from *@have to @want, in room that doubles. */
static int read_on(struct q2_file *file, u64 table_offset, u8 **table, size_t *room, size_t *have,
		   size_t want)
{
	u8 *bigger;
	int ret;

	if (want > *room) {
		size_t size = max_t(size_t, max(want, 2 * *room), 4096);

		size = min_t(size_t, size, Q2_MAX_SNAPSHOT_TABLE_BYTES);
		bigger = kvmalloc(size, GFP_KERNEL);
		if (!bigger)
			return -ENOMEM;
		if (*have)
			memcpy(bigger, *table, *have);
		kvfree(*table);
		*table = bigger;
		*room = size;
	}
	ret = q2_file_read(file, table_offset + *have, *table + *have, want - *have);
	if (!ret)
		*have = want;
	return ret;
}

struct q2_snapshots *q2_snapshots_load(struct q2_file *file, const struct q2_header *hdr,
				       struct q2_err *err)
{
	size_t room = 0, have = 0, pos = 0, next = 0;
	struct q2_snapshots *snaps;
	u8 *table = NULL;
	unsigned int i;
	int ret;

	snaps = kvzalloc(sizeof(*snaps) + hdr->nb_snapshots * sizeof(snaps->snap[0]), GFP_KERNEL);
	if (!snaps)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < hdr->nb_snapshots; i++) {
		for (;;) {
			ret = q2_snapshot_decode(hdr, table, have, pos, &snaps->snap[i], &next,
						 err);
			if (ret != -EAGAIN)
				break;
			if (next <= have || next > Q2_MAX_SNAPSHOT_TABLE_BYTES) {
				ret = q2_err_set(err, EFBIG,
						 "the snapshot table is larger than %u MiB",
						 Q2_MAX_SNAPSHOT_TABLE_BYTES >> 20);
				break;
			}
			ret = read_on(file, hdr->snapshots_offset, &table, &room, &have, next);
			if (ret) {
				q2_err_set(err, -ret, "the snapshot table at %llu cannot be read",
					   hdr->snapshots_offset);
				break;
			}
		}
		if (ret)
			goto free;
		pos = next;
		cond_resched();
	}
	snaps->table = table;
	snaps->len = min(pos, have); /* the last entry is not padded */
	snaps->nr = hdr->nb_snapshots;
	return snaps;
free:
	kvfree(table);
	kvfree(snaps);
	return ERR_PTR(ret);
}

static bool is_called(const struct q2_snapshots *snaps, const struct q2_span *span, const char *tag)
{
	return span->length == strlen(tag) &&
	       !memcmp(snaps->table + span->offset, tag, span->length);
}

int q2_snapshots_find(const struct q2_snapshots *snaps, const char *tag)
{
	unsigned int i;

	for (i = 0; i < snaps->nr; i++) {
		if (is_called(snaps, &snaps->snap[i].id, tag))
			return i;
	}
	for (i = 0; i < snaps->nr; i++) {
		if (is_called(snaps, &snaps->snap[i].name, tag))
			return i;
	}
	return -1;
}

void q2_snapshots_free(struct q2_snapshots *snaps)
{
	if (!snaps)
		return;
	kvfree(snaps->table);
	kvfree(snaps);
}
