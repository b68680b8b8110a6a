/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that change what the image maps, in a worker: writes that allocate or
 * copy, discard, write zeroes; and flush, which makes the changes durable.
 *
 * Each takes the bio of its request to the end. All may wait.
 */
#ifndef Q2_IO_CHANGE_H
#define Q2_IO_CHANGE_H

#include "io/request.h"

/* REQ_OP_WRITE with data; with REQ_FUA durable when it ends. */
void q2_change_write(struct work_struct *work);

/* REQ_OP_DISCARD: see q2_image_discard(). */
void q2_change_discard(struct work_struct *work);

/* REQ_OP_WRITE_ZEROES, with REQ_NOUNMAP clusters stay. */
void q2_change_zero(struct work_struct *work);

/* An empty REQ_PREFLUSH. */
void q2_change_flush(struct work_struct *work);

#endif
