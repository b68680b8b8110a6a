// SPDX-License-Identifier: GPL-2.0-only
/* Input: a byte for the header, then a table: as snapshots and as a bitmap directory. */
#include "format/bitmap.h"
#include "format/snapshot.h"
#include "fuzz.h"

static bool same_bytes(const struct q2_span *a, const u8 *from_a, const struct q2_span *b,
		       const u8 *from_b)
{
	return a->length == b->length && !memcmp(from_a + a->offset, from_b + b->offset, a->length);
}

/* Written again, an entry reads the same, unless it gained its missing extra data. */
static void survives_writing(const struct q2_header *hdr, const u8 *table,
			     const struct q2_snapshot *snap)
{
	size_t next, size = q2_snapshot_encoded_size(snap);
	struct q2_snapshot again;
	u8 *buf = malloc(size);

	q2_snapshot_encode(snap, table, buf);
	HOLDS(!q2_snapshot_decode(hdr, buf, size, 0, &again, &next, NULL));
	HOLDS(next == size);
	HOLDS(again.l1_offset == snap->l1_offset && again.l1_size == snap->l1_size);
	HOLDS(again.disk_size == snap->disk_size && again.vm_state_size == snap->vm_state_size);
	HOLDS(again.icount == snap->icount && again.vm_clock_nsec == snap->vm_clock_nsec);
	HOLDS(again.date_sec == snap->date_sec && again.date_nsec == snap->date_nsec);
	HOLDS(same_bytes(&again.id, buf, &snap->id, table));
	HOLDS(same_bytes(&again.name, buf, &snap->name, table));
	if (snap->extra.length >= 24)
		HOLDS(same_bytes(&again.extra, buf, &snap->extra, table));
	free(buf);
}

static void snapshots(const struct q2_header *hdr, const u8 *table, size_t len)
{
	size_t pos = 0, next = 0;
	struct q2_err err = {""};
	struct q2_snapshot snap;
	int ret;

	for (;;) {
		ret = q2_snapshot_decode(hdr, table, len, pos, &snap, &next, &err);
		if (ret == -EAGAIN) {
			HOLDS(next > len && next <= Q2_MAX_SNAPSHOT_TABLE_BYTES);
			return;
		}
		if (ret) {
			refused(ret, &err);
			return;
		}
		HOLDS(next > pos && next % 8 == 0 && next < len + 8);
		HOLDS((u64)snap.name.offset + snap.name.length <= len);
		survives_writing(hdr, table, &snap);
		ret = q2_snapshot_verify_l1(hdr, &snap, &err);
		if (ret)
			refused(ret, &err);
		pos = next;
	}
}

static void bitmaps(const struct q2_header *hdr, const u8 *dir, size_t len)
{
	size_t pos = 0, next = 0;
	struct q2_err err = {""};
	struct q2_bitmap bm;
	int ret;

	while (pos < len) {
		ret = q2_bitmap_decode(hdr, dir, len, pos, &bm, &next, &err);
		if (ret) {
			refused(ret, &err);
			return;
		}
		HOLDS(next > pos && next % 8 == 0 && next <= len);
		HOLDS((u64)bm.name.offset + bm.name.length <= len);
		HOLDS(bm.table_size && bm.table_offset);
		pos = next;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct q2_header hdr = {.version = 3, .snapshots_offset = 1 << 21};
	u32 choice = take(&data, &len, 1);

	hdr.cluster_bits = 9 + choice % 13;
	hdr.size = (u64)choice << 20;
	snapshots(&hdr, data, len);
	bitmaps(&hdr, data, len);
	return 0;
}
