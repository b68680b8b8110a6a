// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries of the snapshot table.
 *
 * As QEMU 7.2 reads them when it opens an image (block/qcow2-snapshot.c,
 * qcow2_do_read_snapshots): an entry too old to hold a disk size, even in
 * version 3, or with an impossible L1 table does not keep the image from being
 * read. q2_snapshot_verify_l1() comes before the snapshot itself is used.
 */
#include "format/snapshot.h"
#include "format/verify.h"

#define Q2_EXTRA_VM_STATE_END offsetof(struct q2_disk_snapshot_extra, disk_size)
#define Q2_EXTRA_DISK_SIZE_END offsetof(struct q2_disk_snapshot_extra, icount)
#define Q2_EXTRA_ICOUNT_END sizeof(struct q2_disk_snapshot_extra)

/* QEMU: extra data are bounded, and so is the table as it grows entry by entry. */
static int q2_verify_snapshot_entry(const struct q2_header *hdr, size_t offset, u32 extra, u64 end,
				    struct q2_err *err)
{
	if (extra > Q2_MAX_SNAPSHOT_EXTRA)
		return q2_err_set(
			err, EFBIG,
			"the snapshot table entry at byte %zu has %u bytes of extra data, the limit is %u",
			offset, extra, Q2_MAX_SNAPSHOT_EXTRA);
	if (end > Q2_MAX_SNAPSHOT_TABLE_BYTES)
		return q2_err_set(err, EFBIG, "the snapshot table has more than %u bytes",
				  Q2_MAX_SNAPSHOT_TABLE_BYTES);
	if (hdr->snapshots_offset > Q2_MAX_OFFSET - end)
		return q2_err_set(
			err, EINVAL,
			"the snapshot table is at offset 0x%llx, beyond any possible file",
			hdr->snapshots_offset);
	return 0;
}

/* Extra data: each field is there if the extra data reach its end. */
static void q2_snapshot_decode_extra(const void *data, struct q2_snapshot *snap)
{
	struct q2_disk_snapshot_extra d;
	u32 len = snap->extra.length;

	memset(&d, 0, sizeof(d));
	memcpy(&d, data, min_t(size_t, len, sizeof(d)));
	if (len >= Q2_EXTRA_VM_STATE_END)
		snap->vm_state_size = be64_to_cpu(d.vm_state_size);
	if (len >= Q2_EXTRA_DISK_SIZE_END)
		snap->disk_size = be64_to_cpu(d.disk_size);
	if (len >= Q2_EXTRA_ICOUNT_END)
		snap->icount = be64_to_cpu(d.icount);
}

int q2_snapshot_decode(const struct q2_header *hdr, const void *table, size_t len, size_t offset,
		       struct q2_snapshot *snap, size_t *next, struct q2_err *err)
{
	const u8 *bytes = table;
	struct q2_disk_snapshot d;
	u64 end = (u64)offset + sizeof(d);
	u32 extra;
	int ret;

	ret = q2_verify_snapshot_entry(hdr, offset, 0, end, err);
	if (ret)
		return ret;
	if (end > len) {
		*next = end;
		return -EAGAIN;
	}
	memcpy(&d, bytes + offset, sizeof(d));

	extra = be32_to_cpu(d.extra_data_size);
	memset(snap, 0, sizeof(*snap));
	snap->extra.offset = end;
	snap->extra.length = extra;
	end += extra;
	snap->id.offset = end;
	snap->id.length = be16_to_cpu(d.id_str_size);
	end += snap->id.length;
	snap->name.offset = end;
	snap->name.length = be16_to_cpu(d.name_size);
	end += snap->name.length;
	ret = q2_verify_snapshot_entry(hdr, offset, extra, end, err);
	if (ret)
		return ret;
	if (end > len) {
		*next = end;
		return -EAGAIN;
	}

	snap->l1_offset = be64_to_cpu(d.l1_table_offset);
	snap->l1_size = be32_to_cpu(d.l1_size);
	snap->date_sec = be32_to_cpu(d.date_sec);
	snap->date_nsec = be32_to_cpu(d.date_nsec);
	snap->vm_clock_nsec = be64_to_cpu(d.vm_clock_nsec);
	snap->vm_state_size = be32_to_cpu(d.vm_state_size);
	snap->disk_size = hdr->size;
	snap->icount = U64_MAX;
	q2_snapshot_decode_extra(bytes + snap->extra.offset, snap);
	/* The last entry of a table is not padded: this may lie past its end. */
	*next = round_up(end, 8);
	return 0;
}

int q2_snapshot_verify_l1(const struct q2_header *hdr, const struct q2_snapshot *snap,
			  struct q2_err *err)
{
	return q2_verify_table("the snapshot's L1 table", hdr->cluster_bits, snap->l1_offset,
			       snap->l1_size, sizeof(__be64), Q2_MAX_L1_BYTES, err);
}

/* QEMU writes the known extra data in full, whatever was there. */
static u32 q2_snapshot_extra_bytes(const struct q2_snapshot *snap)
{
	return max_t(u32, snap->extra.length, sizeof(struct q2_disk_snapshot_extra));
}

void q2_snapshot_encode(const struct q2_snapshot *snap, const void *src, void *dst)
{
	u32 extra = q2_snapshot_extra_bytes(snap);
	struct q2_disk_snapshot_extra x;
	struct q2_disk_snapshot d;
	const u8 *from = src;
	u8 *to = dst;

	memset(&d, 0, sizeof(d));
	d.l1_table_offset = cpu_to_be64(snap->l1_offset);
	d.l1_size = cpu_to_be32(snap->l1_size);
	d.id_str_size = cpu_to_be16(snap->id.length);
	d.name_size = cpu_to_be16(snap->name.length);
	d.date_sec = cpu_to_be32(snap->date_sec);
	d.date_nsec = cpu_to_be32(snap->date_nsec);
	d.vm_clock_nsec = cpu_to_be64(snap->vm_clock_nsec);
	/* Too much for the old field: its readers see a snapshot of the disk alone. */
	d.vm_state_size = cpu_to_be32(snap->vm_state_size > U32_MAX ? 0 : snap->vm_state_size);
	d.extra_data_size = cpu_to_be32(extra);
	x.vm_state_size = cpu_to_be64(snap->vm_state_size);
	x.disk_size = cpu_to_be64(snap->disk_size);
	x.icount = cpu_to_be64(snap->icount);

	memset(to, 0, q2_snapshot_encoded_size(snap));
	memcpy(to, &d, sizeof(d));
	to += sizeof(d);
	memcpy(to, from + snap->extra.offset, snap->extra.length);
	memcpy(to, &x, sizeof(x));
	to += extra;
	memcpy(to, from + snap->id.offset, snap->id.length);
	to += snap->id.length;
	memcpy(to, from + snap->name.offset, snap->name.length);
}

size_t q2_snapshot_encoded_size(const struct q2_snapshot *snap)
{
	size_t size = sizeof(struct q2_disk_snapshot) + q2_snapshot_extra_bytes(snap) +
		      snap->id.length + snap->name.length;

	return round_up(size, 8);
}
