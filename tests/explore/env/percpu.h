/* SPDX-License-Identifier: GPL-2.0-only */
/* Two virtual CPUs: tasks with an even number are on the first. A task never moves. */
#ifndef Q2_EXPLORE_PERCPU_H
#define Q2_EXPLORE_PERCPU_H

#include "point.h"

#define EXPLORE_CPUS 2
/* Bytes from one CPU's copy to the next one's. */
#define EXPLORE_PERCPU_BYTES 1024

#define __percpu

/* The CPU of the running task. */
unsigned int explore_cpu(void);
/* Zeroed memory for each CPU; NULL: there is none. */
void *explore_alloc_percpu(size_t bytes);

#define alloc_percpu(type) ((type *)explore_alloc_percpu(sizeof(type)))
#define free_percpu(p) explore_free((void *)(p))
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < EXPLORE_CPUS; (cpu)++)
#define per_cpu_ptr(p, cpu) ((__typeof__(p))((char *)(p) + (cpu)*EXPLORE_PERCPU_BYTES))
#define this_cpu_ptr(p) per_cpu_ptr(p, explore_cpu())
#define this_cpu_inc(x) ((void)((*this_cpu_ptr(&(x)))++))
#define this_cpu_add(x, n) ((void)((*this_cpu_ptr(&(x))) += (n)))
#define raw_smp_processor_id() explore_cpu()

#endif
