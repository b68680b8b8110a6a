/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks after power cuts, from the log of what a real device wrote. */
#ifndef Q2_REPLAY_REPLAY_H
#define Q2_REPLAY_REPLAY_H

#include "history.h"
#include "judge.h"
#include "log.h"

struct replay;

/**
 * struct place - where images lie while the device uses them
 * @name: of it
 * @configs: of the images, @nr of them
 * @prepare: put the image in its place, set @disk and where its log will be; write what guest-run
 *           wants to know, a line without its end
 * @extract: the image out of a disk after a power cut
 */
struct place {
	const char *name;
	const struct image_config *configs;
	unsigned int nr;
	void (*prepare)(struct replay *r, FILE *plan);
	void (*extract)(struct replay *r, const struct disk_state *cut, struct disk_state *image);
};
extern const struct place place_block, place_file;

/* A write that the log shows before its time: see overtaken(). */
struct fua {
	u64 offset, len;
	u32 version;
};

/**
 * struct replay - one image
 * @disk: what is logged: the image itself, or the file system it lies on
 * @log_path: the log begins there at @log_start and has room for @log_size bytes
 */
struct replay {
	const struct place *place;
	const struct image_config *config;
	const struct image_set *set;
	unsigned int number;
	struct disk *disk;
	char log_path[256];
	u64 log_start, log_size;
	struct log log;
	struct history history;
	struct fua fua[16];
	unsigned int nr_fua;
	struct rng rng;
};

/* Bytes of a block that workload takes as one. */
u64 replay_unit(const struct image_config *config);

#endif
