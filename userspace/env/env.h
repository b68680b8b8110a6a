/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment of format/, image/ and chain/: the twin for a process.
 *
 * Gives the kernel's names, with the kernel's meaning, to the code that is
 * compiled into both (module/env.h is the other twin). Lists, RCU and grace
 * periods are liburcu's, locks are pthread's, the rest is the compiler's.
 * Allocations go through q2_env_alloc(), so that a test can make the n-th fail.
 *
 * In three parts, so that another twin can take two of them as they are and bring
 * its own of the one in which tasks meet.
 */
#ifndef Q2_ENV_H
#define Q2_ENV_H

#include "sync.h"
#include "base.h"
#include "memory.h"

#endif
