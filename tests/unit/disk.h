/* SPDX-License-Identifier: GPL-2.0-only */
/* A chain of files in memory, opened, and its bytes as a guest would read them. */
#ifndef Q2_TEST_DISK_H
#define Q2_TEST_DISK_H

#include "chain/chain.h"
#include "chain/map.h"
#include "fault.h"

/**
 * struct disk - an open chain
 * @chain: NULL if it did not open
 * @ret: 0, or why not
 * @err: the sentence
 */
struct disk {
	struct q2_chain *chain;
	int ret;
	struct q2_err err;
};

/* Layers base first; @raw tells which are raw. The files stay the caller's. */
struct disk disk_open(struct mem_file **files, const bool *raw, unsigned int nr);
void disk_close(struct disk *disk);

/* Read guest bytes layer by layer. Return: 0 or -errno of a lookup or of the data. */
int disk_read(struct q2_chain *chain, u64 guest, void *buf, size_t len);
/* The same through the map, which is filled where it misses. */
int disk_read_map(struct q2_chain *chain, struct q2_map *map, u64 guest, void *buf, size_t len);

#endif
