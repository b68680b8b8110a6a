/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of guests, as device-mapper and module/io have them, without bios: what a request
 * does before it gets to serve/, and after. All of these block until the request has ended.
 */
#ifndef Q2_EXPLORE_IO_GUEST_H
#define Q2_EXPLORE_IO_GUEST_H

#include "dm.h"

/* How a write is made. */
enum guest_write {
	GUEST_PLAIN,
	GUEST_FUA,   /* durable when it ends */
	GUEST_AGAIN, /* what is tried without waiting comes back with -EAGAIN */
};

/* Read @len bytes. Return: 0 or -errno. */
int guest_read(struct dm *dm, u64 guest, u8 *buf, u32 len);

int guest_write(struct dm *dm, u64 guest, const u8 *buf, u32 len, enum guest_write how);

/* @keep: clusters stay allocated. */
int guest_zero(struct dm *dm, u64 guest, u32 len, bool keep);

int guest_discard(struct dm *dm, u64 guest, u32 len);

int guest_flush(struct dm *dm);

#endif
