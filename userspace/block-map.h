/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the bytes of a chain lie, as `qemu-img map` has it: one run at a time,
 * neighbours that say the same made one.
 */
#ifndef QCOWCTL_BLOCK_MAP_H
#define QCOWCTL_BLOCK_MAP_H

#include "walk.h"

/**
 * struct block_run - a run of guest bytes
 * @start: first byte
 * @length: bytes
 * @depth: images above the one that answers
 * @present: that image has it; else nobody has
 * @zero: reads as zeroes
 * @data: there are data to be read
 * @compressed: they are compressed
 * @has_offset: they lie at @offset of @file
 * @offset: bytes
 * @file: path of the image that has it; valid if @has_offset
 */
struct block_run {
	u64 start;
	u64 length;
	unsigned int depth;
	bool present;
	bool zero;
	bool data;
	bool compressed;
	bool has_offset;
	u64 offset;
	const char *file;
};

/**
 * block_map() - tell all runs of a chain
 * @walk: chain, kept open
 * @tell: is called for each run in order
 * @context: for @tell
 *
 * Return: 0, or -1 after having said why not; runs before that were told.
 */
int block_map(const struct walk *walk, void (*tell)(const struct block_run *run, void *context),
	      void *context);

#endif
