/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment for the explorer: the process' twin with locks, waits, RCU,
 * work and time of the explorer's own.
 *
 * Each of these is a point where the explorer's scheduler may let another task go
 * on; see sync.h. What has no scheduling in it is the process' as it is.
 */
#ifndef Q2_EXPLORE_ENV_H
#define Q2_EXPLORE_ENV_H

#include "../../../userspace/env/base.h"
#include "sync.h"
#include "../../../userspace/env/memory.h"

#endif
