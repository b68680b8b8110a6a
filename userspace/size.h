/* SPDX-License-Identifier: GPL-2.0-only */
/* Sizes as people write and read them. */
#ifndef QCOWCTL_SIZE_H
#define QCOWCTL_SIZE_H

#include <stdint.h>

/**
 * size_parse() - bytes of "10G", "512", "1.5T"
 * @text: digits, perhaps a fraction, perhaps one of b k K M G T P E (powers of 1024)
 * @bytes: result
 *
 * Says nothing. Return: 0 or -1, also for more than INT64_MAX.
 */
int size_parse(const char *text, uint64_t *bytes);

/* "10 GiB", "1.5 KiB", "512 B": three significant digits, as qemu-img has it. To be freed. */
char *size_text(uint64_t bytes);

/* "10G", "1.5K", "512B", as lsblk has it. To be freed. */
char *size_short(uint64_t bytes);

#endif
