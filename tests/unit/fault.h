/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults on purpose: the n-th allocation or the n-th read of a file in memory
 * fails. Counted over all threads since fault_alloc() or fault_read() was called.
 */
#ifndef Q2_TEST_FAULT_H
#define Q2_TEST_FAULT_H

#include "image/file.h"

/* Fail the @nth allocation from now on, 1 is the next; with @on all after it, too. */
void fault_alloc(unsigned long nth, bool on);
/* Fail the @nth read with -EIO, likewise. */
void fault_read(unsigned long nth, bool on);
/* Fail nothing any more. */
void fault_clear(void);
/* Has a fault that was asked for happened? */
bool fault_hit(void);

/**
 * struct mem_file - a host file in memory
 * @file: for whoever reads it
 * @data: bytes
 * @reads: how often it was read
 */
struct mem_file {
	struct q2_file file;
	u8 *data;
	unsigned long reads;
};

/* A file of @len zero bytes; exits when there is no memory. */
struct mem_file *mem_file_create(size_t len);
/* The bytes of a host file; exits when it cannot be read. */
struct mem_file *mem_file_load(const char *path);
void mem_file_free(struct mem_file *mem);

#endif
