// SPDX-License-Identifier: GPL-2.0-only
/* Reference counting over an image in memory. */
#include "format/header.h"
#include "format/l2.h"
#include "format/refcount.h"
#include "format/snapshot.h"
#include "fsck.h"

struct check {
	const u8 *data;
	u64 size;
	struct q2_header hdr;
	struct q2_geometry geo;
	u32 *refs;
	u64 clusters;
	struct fsck *out;
	bool hash_active;
	u64 hash; /* over the L1 that is being walked */
};

__attribute__((format(printf, 2, 3))) static void corrupt(struct check *c, const char *fmt, ...)
{
	va_list args;

	if (!c->out->corruptions++) {
		va_start(args, fmt);
		vsnprintf(c->out->first, sizeof(c->out->first), fmt, args);
		va_end(args);
	}
}

static u64 word_at(const struct check *c, u64 offset)
{
	__be64 word;

	if (offset + sizeof(word) > c->size)
		return 0;
	memcpy(&word, c->data + offset, sizeof(word));
	return be64_to_cpu(word);
}

static void refer(struct check *c, u64 offset, u64 len, const char *what)
{
	u64 i, first = offset >> c->geo.cluster_bits;
	u64 last = (offset + len - 1) >> c->geo.cluster_bits;

	/* QEMU lets the last cluster of a file be short. */
	if (offset + len > c->size && offset + len - c->size >= c->geo.cluster_size) {
		corrupt(c, "%s at 0x%llx is beyond the end of the file", what, offset);
		return;
	}
	for (i = first; i <= last && i < c->clusters; i++)
		c->refs[i]++;
}

static u64 refcount(const struct check *c, u64 cluster)
{
	u64 block = cluster >> c->geo.refblock_bits, offset, entries;

	entries = ((u64)c->hdr.refcount_table_clusters << c->geo.cluster_bits) / 8;
	if (block >= entries)
		return 0;
	offset = word_at(c, c->hdr.refcount_table_offset + block * 8) & Q2_REFTABLE_OFFSET_MASK;
	if (!offset || offset + c->geo.cluster_size > c->size)
		return 0;
	return q2_refcount_get(&c->geo, c->data + offset,
			       cluster & ((1ULL << c->geo.refblock_bits) - 1));
}

static const u8 zeroes[512];

static u64 hash(u64 h, const void *data, u64 len)
{
	const u8 *bytes = data;
	u64 word;

	for (; len >= 8; len -= 8, bytes += 8) {
		memcpy(&word, bytes, 8);
		h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	for (; len; len--)
		h = (h ^ *bytes++) * 0x100000001b3ULL;
	return h;
}

/* An L2 table; @active: of the image itself, else of a snapshot, whose content is hashed. */
static void walk_l2(struct check *c, u64 l2, bool active)
{
	unsigned int i, n = 1U << c->geo.l2_bits, bytes = 1U << c->geo.l2_entry_bits;

	for (i = 0; i < n; i++) {
		u64 at = l2 + (u64)i * bytes;
		u64 word = word_at(c, at), bitmap = bytes == 16 ? word_at(c, at + 8) : 0;
		struct q2_mapping map;
		struct q2_err err;
		u64 start, len, part;

		if (q2_l2_entry_check(&c->geo, word, bitmap, &err)) {
			corrupt(c, "%s", err.text);
			continue;
		}
		q2_l2_entry_decode(&c->geo, word, bitmap, 0, &map);
		start = map.host;
		len = c->geo.cluster_size;
		if (map.kind == Q2_COMPRESSED)
			len = map.compressed_size;
		else if (!map.host)
			start = len = 0;
		if (map.kind == Q2_COMPRESSED)
			refer(c, start & ~511ULL, len + (start & 511), "a compressed cluster");
		else if (len)
			refer(c, start, len, "a data cluster");
		if (active && len && map.kind != Q2_COMPRESSED &&
		    map.copied != (refcount(c, start >> c->geo.cluster_bits) == 1))
			corrupt(c, "L2 entry %016llx at 0x%llx and refcount %llu", word, at,
				refcount(c, start >> c->geo.cluster_bits));
		if (!active || c->hash_active) {
			word &= ~Q2_COPIED;
			c->hash = hash(c->hash, &word, 8);
			c->hash = hash(c->hash, &bitmap, 8);
			/* The last cluster of a file may be short, and be filled up later. */
			for (; len; start += part, len -= part) {
				part = min(len, sizeof(zeroes) * 1ULL);
				c->hash = hash(c->hash,
					       start + part <= c->size ? c->data + start : zeroes,
					       part);
			}
		}
	}
}

static void walk_l1(struct check *c, u64 l1, u32 size, bool active)
{
	u64 offset;
	u32 i;

	if (size)
		refer(c, l1, (u64)size * 8, "an L1 table");
	for (i = 0; i < size; i++) {
		u64 word = word_at(c, l1 + (u64)i * 8);
		struct q2_err err;

		if (q2_l1_entry_check(&c->geo, word, &err)) {
			corrupt(c, "%s", err.text);
			continue;
		}
		offset = word & Q2_OFFSET_MASK;
		if (!offset)
			continue;
		refer(c, offset, c->geo.cluster_size, "an L2 table");
		if (active &&
		    !!(word & Q2_COPIED) != (refcount(c, offset >> c->geo.cluster_bits) == 1))
			corrupt(c, "L1 entry %016llx and refcount %llu", word,
				refcount(c, offset >> c->geo.cluster_bits));
		walk_l2(c, offset, active);
	}
}

static void note(const struct check *c, const struct q2_snapshot *snap, struct fsck_snapshot *to)
{
	const u8 *table = c->data + c->hdr.snapshots_offset;

	snprintf(to->id, sizeof(to->id), "%.*s", (int)snap->id.length, table + snap->id.offset);
	snprintf(to->name, sizeof(to->name), "%.*s", (int)snap->name.length,
		 table + snap->name.offset);
	to->hash = c->hash;
	to->size = snap->disk_size;
}

static void walk_snapshots(struct check *c)
{
	size_t pos = 0, next = 0;
	u32 i;

	for (i = 0; i < c->hdr.nb_snapshots; i++) {
		struct q2_snapshot snap;
		struct q2_err err;

		if (q2_snapshot_decode(&c->hdr, c->data + c->hdr.snapshots_offset,
				       c->size - c->hdr.snapshots_offset, pos, &snap, &next,
				       &err)) {
			corrupt(c, "snapshot table: %s", err.text);
			return;
		}
		c->hash = 0;
		walk_l1(c, snap.l1_offset, snap.l1_size, false);
		c->out->snapshots = hash(c->out->snapshots, &c->hash, 8);
		if (i < FSCK_SNAPSHOTS)
			note(c, &snap, &c->out->snap[i]);
		c->out->nr++;
		pos = next;
	}
	if (pos)
		refer(c, c->hdr.snapshots_offset, pos, "the snapshot table");
}

static void walk_refcounts(struct check *c)
{
	u64 i, entries = ((u64)c->hdr.refcount_table_clusters << c->geo.cluster_bits) / 8;
	struct q2_err err;
	u64 offset;

	refer(c, c->hdr.refcount_table_offset, entries * 8, "the refcount table");
	for (i = 0; i < entries; i++) {
		u64 word = word_at(c, c->hdr.refcount_table_offset + i * 8);

		if (q2_reftable_entry_decode(&c->geo, word, &offset, &err)) {
			corrupt(c, "%s", err.text);
			continue;
		}
		if (!offset)
			continue;
		if (offset >> c->geo.cluster_bits >= c->clusters) {
			corrupt(c, "refcount block %llu is outside of the file", i);
			continue;
		}
		refer(c, offset, c->geo.cluster_size, "a refcount block");
		if (offset >> c->geo.cluster_bits < c->clusters &&
		    c->refs[offset >> c->geo.cluster_bits] != 1)
			corrupt(c, "refcount block %llu is referred to twice", i);
	}
}

u64 fsck_active(const u8 *data, u64 size)
{
	struct fsck out = {};
	struct check c = {.data = data, .size = size, .out = &out, .hash_active = true};
	struct q2_err err = {};

	if (q2_header_decode(data, min(size, (u64)Q2_V3_HEADER_FULL), &c.hdr, &err))
		return 0;
	q2_header_geometry(&c.hdr, &c.geo);
	c.refs = xalloc(1);
	walk_l1(&c, c.hdr.l1_offset, c.hdr.l1_size, true);
	free(c.refs);
	return c.hash;
}

void fsck_run(const u8 *data, u64 size, struct fsck *fsck)
{
	struct check c = {.data = data, .size = size, .out = fsck};
	struct q2_err err = {};
	u64 i;

	memset(fsck, 0, sizeof(*fsck));
	if (q2_header_decode(data, min(size, (u64)Q2_V3_HEADER_FULL), &c.hdr, &err) ||
	    q2_header_decode_extensions(data, min(size, 1ULL << c.hdr.cluster_bits), &c.hdr,
					&err)) {
		corrupt(&c, "header: %s", err.text);
		return;
	}
	if (c.hdr.incompatible & (Q2_INCOMPAT_CORRUPT | Q2_INCOMPAT_DIRTY))
		corrupt(&c, "the header says dirty or corrupt: %llx", c.hdr.incompatible);
	q2_header_geometry(&c.hdr, &c.geo);
	fsck->size = c.hdr.size;
	snprintf(fsck->backing, sizeof(fsck->backing), "%.*s", (int)c.hdr.backing.length,
		 data + c.hdr.backing.offset);
	snprintf(fsck->format, sizeof(fsck->format), "%.*s", (int)c.hdr.backing_format.length,
		 data + c.hdr.backing_format.offset);
	c.clusters = (size + c.geo.cluster_size - 1) >> c.geo.cluster_bits;
	c.refs = xalloc(c.clusters * sizeof(*c.refs));
	refer(&c, 0, c.geo.cluster_size, "the header");
	walk_l1(&c, c.hdr.l1_offset, c.hdr.l1_size, true);
	walk_snapshots(&c);
	walk_refcounts(&c);
	for (i = 0; i < c.clusters; i++) {
		u64 count = refcount(&c, i);

		if (count < c.refs[i])
			corrupt(&c, "cluster 0x%llx has %u references and refcount %llu",
				i << c.geo.cluster_bits, c.refs[i], count);
		else if (count > c.refs[i])
			fsck->leaks++;
	}
	free(c.refs);
}
