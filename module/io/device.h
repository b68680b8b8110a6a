/* SPDX-License-Identifier: GPL-2.0-only */
/* What moving the bytes of a device needs: pools and queues. */
#ifndef Q2_IO_DEVICE_H
#define Q2_IO_DEVICE_H

#include <linux/bio.h>

#include "serve/disk.h"

/**
 * struct q2_disk_io - of one device
 * @bios: pieces of split requests
 * @near_wq: as change_wq, for a short change while there is no other, if who asks is going to
 *           sleep until it is done: on that CPU, which is free then. That saves switching
 *           tasks once more, and waking another CPU. NULL: nothing is written
 * @changing: requests in change_wq and @near_wq
 * @asker: the task that asked for a change last; a number, it may be gone
 * @asker_slept: how often it had gone to sleep by then; both are a guess, without a lock
 * @has_bios: q2_bios_put() is due
 */
struct q2_disk_io {
	struct bio_set bios;
	struct workqueue_struct *near_wq;
	atomic_t changing;
	const struct task_struct *asker;
	unsigned long asker_slept;
	bool has_bios;
};

/* Make and free what all devices share: the shrinker, pools. Return: 0 or -errno. */
int q2_io_init(void);
void q2_io_exit(void);

#endif
