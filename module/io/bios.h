/* SPDX-License-Identifier: GPL-2.0-only */
/* What writing to files needs when memory is being written to swap on top of them. */
#ifndef Q2_IO_BIOS_H
#define Q2_IO_BIOS_H

/**
 * q2_bios_get() - see to it that writing to files gets on when swap comes by here
 *
 * To be called once for each device that writes a file. Blocks.
 * Return: 0 or -ENOMEM.
 */
int q2_bios_get(void);

/* One such device less. Blocks. */
void q2_bios_put(void);

/*
 * A bio of swap begins, for a device that called q2_bios_get(). May block, for a long
 * time, but not where that could be deadly: see bios.c. Return: for q2_bios_swap_end();
 * 0: it cannot be had now, and shall be sent back.
 */
unsigned int q2_bios_swap_begin(unsigned int bytes);

/* It has ended. Any context. */
void q2_bios_swap_end(unsigned int pages);

#endif
