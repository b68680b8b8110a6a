/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The environment for fuzzing: the process' twin with an RCU for one thread.
 * A grace period is over at once, so that ASan sees any use after call_rcu().
 */
#ifndef Q2_FUZZ_ENV_H
#define Q2_FUZZ_ENV_H

#include "../../../userspace/env/env.h"

#undef rcu_read_lock
#undef rcu_read_unlock
#undef call_rcu
#undef rcu_barrier
#define rcu_read_lock() ((void)0)
#define rcu_read_unlock() ((void)0)
#define call_rcu(head, func) (func)(head)
#define rcu_barrier() ((void)0)

#endif
