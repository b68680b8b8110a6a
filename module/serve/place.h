/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing in place: where the map says that the bytes lie and may be overwritten, without a
 * guest range and without a worker. What keeps it right (TOKEN-FIRST, ONE-OWNER):
 *
 *	the writer's token	taken before the lookup and given back when the write has ended:
 *				whoever takes a cluster away, or freezes it, waits for it
 *	the in_place bit	set only for clusters of one owner (q2_chain_owner()), and cleared
 *				before anybody waits for tokens
 */
#ifndef Q2_SERVE_PLACE_H
#define Q2_SERVE_PLACE_H

#include "serve/op.h"

/* FLUSH-COVERS: may a write that must be durable when it ends be written in place and no more? */
static inline bool q2_durable_in_place(const struct q2_disk *disk, unsigned int layer)
{
	const struct q2_chain *chain = disk->chain;
	const struct q2_image *img = chain->layers[layer].img;
	const struct q2_image *top = chain->layers[READ_ONCE(chain->top)].img;

	/* The top may have forgotten what it had above another layer's bytes: durably? */
	return (!img || q2_image_stable(img)) && (!top || q2_image_stable(top));
}

/**
 * q2_may_write_in_place() - may a write go where the map says that its bytes lie?
 * @disk: writable disk; the caller holds a token that it took before the lookup
 * @run: from q2_disk_lookup()
 * @len: bytes of the write
 *
 * Any context. If not, or if the write turns out to have to wait, q2_change_begin() takes it.
 */
static inline bool q2_may_write_in_place(const struct q2_disk *disk, const struct q2_run *run,
					 u32 len)
{
	/*
	 * The layer of a run that is not in place may be one that has gone. ERROR-STAYS: nothing is
	 * written any more.
	 */
	return run->kind == Q2_MAP_DATA && run->in_place && run->len >= len &&
	       !q2_disk_failed(disk);
}

enum q2_placed {
	Q2_PLACED,	/* written */
	Q2_PLACE_AGAIN, /* a worker has to write it again, all of it */
	Q2_PLACE_FAILED,
};

/*
 * What becomes of a write in place that ended with @ret: bytes, or -errno? Whatever may go
 * better when it waits, finds room, or is aligned otherwise is done again.
 */
static inline enum q2_placed q2_placed(long ret, u32 len)
{
	if (ret == len)
		return Q2_PLACED;
	if (ret >= 0 || ret == -EAGAIN || ret == -EINVAL || ret == -EOPNOTSUPP || ret == -ENOSPC ||
	    ret == -ENOMEM)
		return Q2_PLACE_AGAIN;
	return Q2_PLACE_FAILED;
}

#endif
