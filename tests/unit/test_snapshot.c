// SPDX-License-Identifier: GPL-2.0-only
/* Entries of the snapshot table: read, refused, written back. */
#include "build.h"
#include "format/snapshot.h"
#include "test.h"

static const struct q2_header hdr = {
	.version = 3,
	.cluster_bits = 16,
	.size = 1 << 20,
	.snapshots_offset = 0x50000,
};

/* One entry as the spec has it; its bytes without padding. */
static size_t entry(u8 *buf, u32 extra, const char *id, const char *name)
{
	size_t id_len = strlen(id), name_len = strlen(name);

	put64(buf, 0, 0x70000);
	put32(buf, 8, 3);
	put16(buf, 12, id_len);
	put16(buf, 14, name_len);
	put32(buf, 16, 1700000000);
	put32(buf, 20, 999999999);
	put64(buf, 24, 0x123456789abcULL);
	put32(buf, 32, 0x11223344);
	put32(buf, 36, extra);
	memset(buf + 40, 0x55, extra);
	if (extra >= 8)
		put64(buf, 40, 0x1122334455667788ULL);
	if (extra >= 16)
		put64(buf, 48, 2 << 20);
	if (extra >= 24)
		put64(buf, 56, 42);
	memcpy(buf + 40 + extra, id, id_len);
	memcpy(buf + 40 + extra + id_len, name, name_len);
	return 40 + extra + id_len + name_len;
}

TEST(snapshot_fields)
{
	static const u32 extras[] = {0, 1, 7, 8, 15, 16, 23, 24, 25, 100, 1024};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(extras); i++) {
		u32 extra = extras[i];
		struct q2_snapshot snap;
		u8 buf[2048];
		size_t next, len = 16 + entry(buf + 16, extra, "12", "before upgrade");

		CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 16, &snap, &next, NULL), 0);
		CHECK_EQ(next, (len + 7) / 8 * 8);
		CHECK_EQ(snap.l1_offset, 0x70000);
		CHECK_EQ(snap.l1_size, 3);
		CHECK_EQ(snap.date_sec, 1700000000);
		CHECK_EQ(snap.date_nsec, 999999999);
		CHECK_EQ(snap.vm_clock_nsec, 0x123456789abcULL);
		CHECK_EQ(snap.vm_state_size, extra < 8 ? 0x11223344 : 0x1122334455667788ULL);
		/* Too short for a size, even in version 3: the image's own. QEMU. */
		CHECK_EQ(snap.disk_size, extra < 16 ? 1 << 20 : 2 << 20);
		CHECK_EQ(snap.icount, extra < 24 ? -1 : 42);
		CHECK_EQ(snap.extra.offset, 56);
		CHECK_EQ(snap.extra.length, extra);
		CHECK_EQ(snap.id.length, 2);
		CHECK(!memcmp(buf + snap.id.offset, "12", 2));
		CHECK_EQ(snap.name.length, 14);
		CHECK(!memcmp(buf + snap.name.offset, "before upgrade", 14));
	}
}

/* With any part of the table in hand, it asks for no more than the entry needs. */
TEST(snapshot_asks_for_what_it_needs)
{
	struct q2_snapshot snap;
	u8 buf[256], *cut;
	size_t next, have, len = entry(buf, 24, "1", "name");

	for (have = 0; have <= len; have++) {
		int ret;

		cut = malloc(have + 1);
		memcpy(cut, buf, have);
		next = 0;
		ret = q2_snapshot_decode(&hdr, cut, have, 0, &snap, &next, NULL);
		free(cut);
		if (have == len) {
			CHECK_EQ(ret, 0);
		} else {
			CHECK_EQ(ret, -EAGAIN);
			CHECK_EQ(next, have < 40 ? 40 : len);
		}
	}
}

TEST(snapshot_refuses)
{
	struct q2_snapshot snap;
	struct q2_err err = {""};
	struct q2_header far = hdr;
	u8 buf[2048];
	size_t next;

	entry(buf, 1024, "1", "x");
	put32(buf, 36, 1025);
	CHECK_REFUSED(q2_snapshot_decode(&hdr, buf, 2048, 0, &snap, &next, &err), EFBIG, &err,
		      "1025 bytes of extra data");
	put32(buf, 36, 0xffffffff);
	CHECK_REFUSED(q2_snapshot_decode(&hdr, buf, 2048, 0, &snap, &next, &err), EFBIG, &err,
		      "4294967295 bytes of extra data");

	/* The table: 64 MiB, not a byte more. */
	CHECK_EQ(q2_snapshot_decode(&hdr, NULL, 0, (64 << 20) - 40, &snap, &next, &err), -EAGAIN);
	CHECK_REFUSED(q2_snapshot_decode(&hdr, NULL, 0, (64 << 20) - 39, &snap, &next, &err), EFBIG,
		      &err, "snapshot table");
	far.snapshots_offset = 0x7fffffffffff0000ULL;
	CHECK_EQ(q2_snapshot_decode(&far, NULL, 0, 65440, &snap, &next, &err), -EAGAIN);
	CHECK_REFUSED(q2_snapshot_decode(&far, NULL, 0, 65512, &snap, &next, &err), EINVAL, &err,
		      "0x7fffffffffff0000");
}

/* What is wrong with the snapshot alone does not keep the image from being read. */
TEST(snapshot_l1_is_judged_apart)
{
	struct q2_snapshot snap;
	struct q2_err err = {""};
	u8 buf[256];
	size_t next, len = entry(buf, 24, "1", "x");

	CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 0, &snap, &next, NULL), 0);
	CHECK_EQ(q2_snapshot_verify_l1(&hdr, &snap, NULL), 0);
	put64(buf, 0, 0x70200);
	CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 0, &snap, &next, NULL), 0);
	CHECK_REFUSED(q2_snapshot_verify_l1(&hdr, &snap, &err), EINVAL, &err, "0x70200");
	put64(buf, 0, 0xffffffffffff0000ULL);
	CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 0, &snap, &next, NULL), 0);
	CHECK_REFUSED(q2_snapshot_verify_l1(&hdr, &snap, &err), EINVAL, &err,
		      "snapshot's L1 table");
	put64(buf, 0, 0x70000);
	put32(buf, 8, (4 << 20) + 1);
	CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 0, &snap, &next, NULL), 0);
	CHECK_REFUSED(q2_snapshot_verify_l1(&hdr, &snap, &err), EFBIG, &err, "4194305 entries");
}

TEST(snapshot_encode_gives_the_bytes_back)
{
	static const u32 extras[] = {24, 25, 31, 32, 33, 1000, 1024};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(extras); i++) {
		u8 buf[2048] = {0}, back[2048];
		struct q2_snapshot snap;
		size_t next, len = entry(buf, extras[i], "7", "some name");

		put32(buf, 32, 0); /* the VM state has more than 32 bits */
		CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 0, &snap, &next, NULL), 0);
		CHECK_EQ(q2_snapshot_encoded_size(&snap), next);
		memset(back, 0xee, sizeof(back));
		q2_snapshot_encode(&snap, buf, back);
		CHECK(!memcmp(buf, back, next));
		CHECK_EQ(back[next], 0xee);
	}
}

/* An old entry gains the extra data that version 3 asks for. */
TEST(snapshot_encode_completes_old_entries)
{
	u8 buf[256] = {0}, back[256];
	struct q2_snapshot old, new;
	size_t next, len = entry(buf, 0, "7", "old");

	CHECK_EQ(q2_snapshot_decode(&hdr, buf, len, 0, &old, &next, NULL), 0);
	CHECK_EQ(q2_snapshot_encoded_size(&old), 72);
	q2_snapshot_encode(&old, buf, back);
	CHECK_EQ(q2_snapshot_decode(&hdr, back, 72, 0, &new, &next, NULL), 0);
	CHECK_EQ(new.extra.length, 24);
	CHECK_EQ(new.disk_size, 1 << 20);
	CHECK_EQ(new.vm_state_size, 0x11223344);
	CHECK_EQ(new.icount, -1);
	CHECK(!memcmp(back + new.name.offset, "old", 3));
}
