/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest on an image: does reads, writes, discards, zeroes and flushes the way
 * module/io does, keeps the model, and compares.
 */
#ifndef Q2_SIM_GUEST_H
#define Q2_SIM_GUEST_H

#include "chain/map.h"
#include "image/write.h"
#include "images.h"

#define MAX_LATE 4

/* A write between begin and end, or a transfer after its lookup, that takes its time. */
struct late {
	bool used;
	bool step; /* between q2_write_begin() and _end(); else only looked up */
	bool write;
	u64 guest, len, host;
	u32 version;
	struct q2_write w;
	u64 since; /* reads: the clock at the lookup */
};

/**
 * struct guest - an open chain, and who uses it
 * @set: what it was made from
 * @disk: of the top layer; the caller's
 * @model: the caller's
 * @careful: count the flushes of each guest flush
 * @flaky: transfers of guest data fail now and then, with -EIO
 */
struct guest {
	const struct image_set *set;
	struct disk *disk;
	struct disk *below[MAX_LAYERS];
	struct q2_image *images[MAX_LAYERS];
	struct q2_image *img;
	struct q2_chain *chain;
	struct q2_map *map; /* NULL in a guest that only reads */
	bool direct;	    /* ask the chain, not the map: the image's lock may be held */
	bool nested;	    /* others come in between steps now */
	u64 busy, busy_end; /* the request that is being served: others shun its clusters */
	struct model *model;
	struct q2_image_hooks hooks;
	struct rng rng;
	struct late late[MAX_LATE];
	unsigned int failed; /* calls of that hook */
	u64 size;
	u64 cluster, subcluster;
	bool careful;
	bool flaky;
	pthread_rwlock_t transfers; /* held shared from a lookup to the end of its transfer */
	pthread_mutex_t *locks;	    /* threads: one a cluster, over slow operations */
};

/* Open for writing. Return: 0 or -errno; nothing is left open then. */
int guest_open(struct guest *g, const struct image_set *set, struct disk *disk, struct model *model,
	       u64 seed, bool writable);
/* Close; late transfers end first. The disk stays. */
void guest_close(struct guest *g);

/* The image has another size: use all of it. Return: 0 or -ENOMEM. */
int guest_resized(struct guest *g);

/* Sectors as versions. Return: 0 or -errno. */
int guest_read(struct guest *g, u64 guest, u64 len, u32 *versions);
/* The sectors must be what the model says. */
void guest_compare(struct guest *g, u64 guest, u64 len);
void guest_compare_all(struct guest *g);

/* Operations. Return: 0 or -errno; the model knows what happened. */
int guest_write(struct guest *g, u64 guest, u64 len);
int guest_discard(struct guest *g, u64 guest, u64 len);
int guest_zero(struct guest *g, u64 guest, u64 len, bool unmap);
int guest_flush(struct guest *g);

/* The same with a version that the caller chose, without the model: for threads. */
int guest_write_raw(struct guest *g, u64 guest, u64 len, u32 version);
int guest_zero_raw(struct guest *g, u64 guest, u64 len, bool unmap);
int guest_discard_raw(struct guest *g, u64 guest, u64 len);

/* Begin a write, or look something up, and leave it so until guest_late() or a flush's quiesce. */
void guest_begin_late(struct guest *g, u64 guest, u64 len);
/* End what is late: all, or one. */
void guest_end_late(struct guest *g, bool all);
/* Does a late step use these clusters? */
bool guest_is_late(const struct guest *g, u64 guest, u64 len);

/* One operation of any kind. Return: 0 or -errno. */
int guest_random(struct guest *g);

#endif
