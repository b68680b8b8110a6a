/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing the chain of a disk in use: layers that become writable, go, or take the
 * place of the top.
 *
 * Layers keep their numbers. A request that found one in the map holds a token
 * (q2_disk_enter()) as long as it uses it; TOKEN-FIRST: whoever takes a layer out marks it,
 * makes the map forget, and waits for the tokens of that time. Requests that change mappings
 * hold guest ranges instead, and whoever moves the top holds all of these (ONE-CHANGER).
 */
#ifndef Q2_SERVE_LAYERS_H
#define Q2_SERVE_LAYERS_H

#include "serve/disk.h"

/**
 * q2_layers_begin_dest() - write to another layer, too, where the top has nothing
 * @disk: device
 * @layer: number of the layer, below the top
 * @err: reason
 *
 * From now on the top gets nothing that it does not hold. Blocks.
 *
 * Return: 0 or as q2_shared_make_writable().
 */
int q2_layers_begin_dest(struct q2_disk *disk, unsigned int layer, struct q2_err *err);

/*
 * The top alone is written again. What was written is durable and complete. Blocks.
 * Return: 0; -errno: it may be lost, and the disk has failed.
 */
int q2_layers_end_dest(struct q2_disk *disk);

/*
 * The top holds nothing any more, durably: dest, set by q2_layers_begin_dest(), is the top
 * from now on, and all above it are gone. Blocks.
 */
void q2_layers_pivot(struct q2_disk *disk);

/* Layers @first to @last are merged into another one: they are gone, and closed. Blocks. */
void q2_layers_drop(struct q2_disk *disk, unsigned int first, unsigned int last);

/* Allow writing to a layer that is not the top. Blocks. As q2_shared_make_writable(). */
int q2_layers_make_writable(struct q2_disk *disk, unsigned int layer, struct q2_err *err);

/* And no more. Blocks. As q2_shared_make_readonly(). */
int q2_layers_make_readonly(struct q2_disk *disk, unsigned int layer);

/*
 * ONE-OWNER: nothing is written in place in [start, end) from now on, and what was being
 * written there has ended. Who calls holds the guest ranges that matter, and calls
 * q2_layers_thaw() before another time. Blocks.
 */
void q2_layers_freeze(struct q2_disk *disk, u64 start, u64 end);

/* It may be again. */
void q2_layers_thaw(struct q2_disk *disk);

#endif
