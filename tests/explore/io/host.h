/* SPDX-License-Identifier: GPL-2.0-only */
/* Host files that a device opens by name: the explorer's twin of module/io/host.c. */
#ifndef Q2_EXPLORE_IO_HOST_H
#define Q2_EXPLORE_IO_HOST_H

#include "serve/host.h"
#include "store.h"

/* q2_host_open() finds @store by the name of its file from now on. During the set-up. */
void host_add(struct store *store);

/* Fail unless all that were opened have been closed. */
void host_check_closed(void);

#endif
