/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of the snapshot table. Spec, "Snapshots".
 */
#ifndef Q2_FORMAT_SNAPSHOT_H
#define Q2_FORMAT_SNAPSHOT_H

#include "format/err.h"
#include "format/header.h"

/**
 * struct q2_snapshot - one decoded entry of the snapshot table
 * @l1_offset: of its L1 table, bytes; see q2_snapshot_verify_l1()
 * @l1_size: entries of its L1 table
 * @disk_size: guest size at that time, bytes; the image's own size if the entry is too old to say
 * @vm_state_size: bytes of saved VM state behind the disk's end; 0 if none
 * @icount: instruction count, all ones if the entry does not say
 * @date_sec: seconds since 1970
 * @date_nsec: and nanoseconds
 * @vm_clock_nsec: guest run time
 * @extra: all extra data, unknown parts included, offset into the table; in version 3
 *         less than 16 bytes are an error for a check, not for a reader
 * @id: offset into the table and bytes, not NUL-terminated
 * @name: offset into the table and bytes, not NUL-terminated
 */
struct q2_snapshot {
	u64 l1_offset;
	u32 l1_size;
	u64 disk_size;
	u64 vm_state_size;
	u64 icount;
	u32 date_sec;
	u32 date_nsec;
	u64 vm_clock_nsec;
	struct q2_span extra;
	struct q2_span id;
	struct q2_span name;
};

/**
 * q2_snapshot_decode() - decode and verify the entry at @offset of the table
 * @hdr: header of the image
 * @table: bytes of the table read so far
 * @len: bytes in @table
 * @offset: where the entry starts, a multiple of 8
 * @snap: result
 * @next: result: where the next entry starts, relative to @table; also set when
 *        the answer is -EAGAIN: bytes of the table needed to go on
 * @err: reason
 *
 * Return: 0; -EAGAIN the entry does not end inside @len, read up to *@next;
 * -EFBIG extra data over its limit or table over 64 MiB; -EINVAL the table lies
 * beyond any possible file. As QEMU at open: what is wrong with the snapshot
 * alone (its L1 table, missing extra data) does not keep the image from being read.
 */
int q2_snapshot_decode(const struct q2_header *hdr, const void *table, size_t len, size_t offset,
		       struct q2_snapshot *snap, size_t *next, struct q2_err *err);

/**
 * q2_snapshot_verify_l1() - the snapshot's L1 table can be used
 * @hdr: header of the image
 * @snap: decoded entry
 * @err: reason
 *
 * Return: 0, -EFBIG over the limit, -EINVAL unaligned or beyond any possible file.
 */
int q2_snapshot_verify_l1(const struct q2_header *hdr, const struct q2_snapshot *snap,
			  struct q2_err *err);

/**
 * q2_snapshot_encode() - write one entry, its strings and extra data
 * @snap: entry; @extra, @id and @name are spans of @src
 * @src: where the spans point into
 * @dst: room for q2_snapshot_encoded_size() bytes, 8-byte aligned
 */
void q2_snapshot_encode(const struct q2_snapshot *snap, const void *src, void *dst);

/* Bytes of one entry on disk, padding included. */
size_t q2_snapshot_encoded_size(const struct q2_snapshot *snap);

#endif
