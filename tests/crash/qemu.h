/* SPDX-License-Identifier: GPL-2.0-only */
/* QEMU's tools, as maker and as judge. */
#ifndef Q2_SIM_QEMU_H
#define Q2_SIM_QEMU_H

#include "sim.h"

/* Run a program, NULL ends the arguments; its output is shown if @fatal and it fails. Exit status.
 */
int qemu_run(bool fatal, const char *program, ...);
int qemu_runv(bool fatal, const char *const *argv);
/* A printf into memory that lives for a thousand more calls. */
const char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Whole files. */
u8 *file_read(const char *path, u64 *size);
void file_write(const char *path, const void *data, u64 size);

#endif
