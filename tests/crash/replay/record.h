/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What workload (in the VM) tells the replayer (on the host).
 *
 * A file of struct record says what was done. A clock that ticks when an operation
 * begins and when it has ended says what came after what. When a flush, or a write
 * with FUA, has ended, a struct mark goes to the logged device, beside the image or
 * file system: so the log shows from where on its promise holds.
 */
#ifndef Q2_REPLAY_RECORD_H
#define Q2_REPLAY_RECORD_H

#include <stdint.h>

#define MARK_MAGIC 0x6b72616d32776f63ULL
/* Sectors behind what is logged: one a thread. */
#define MARK_SECTORS 8

struct mark {
	uint64_t magic;
	uint64_t record; /* its index */
	uint8_t zero[496];
};

enum what {
	DID_WRITE, /* the sectors have the version */
	DID_ZERO,
	DID_MAYBE_ZERO, /* sectors may read zeroes or as before */
	DID_FLUSH,
};

struct record {
	uint64_t begin, end; /* ticks */
	uint32_t what;
	uint32_t version;
	uint32_t sector, n;
	uint32_t fua; /* durable when it ended */
	uint32_t thread;
};

#endif
