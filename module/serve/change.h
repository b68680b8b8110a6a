/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that change what the image maps, in a worker: writes that allocate or
 * copy, discard, write zeroes; and flush, which makes the changes durable.
 */
#ifndef Q2_SERVE_CHANGE_H
#define Q2_SERVE_CHANGE_H

#include "serve/op.h"

enum q2_change {
	Q2_CHANGE_WRITE,   /* data, wherever they have to go; with @fua durable when it ends */
	Q2_CHANGE_DISCARD, /* see q2_image_discard() */
	Q2_CHANGE_ZERO,	   /* write zeroes; with @keep clusters stay */
	Q2_CHANGE_FLUSH,   /* all that has ended */
};

/**
 * q2_change_begin() - hand a request that may change mappings to a worker
 * @op: disk, guest, len, token and what @what asks for are set; the token is given back
 * @what: what to do
 * @wq: the disk's change_wq, or another queue of the same kind
 *
 * Never blocks. Any context. The op ends with q2_io_end(), which may be before this returns.
 */
void q2_change_begin(struct q2_op *op, enum q2_change what, struct workqueue_struct *wq);

#endif
