/* SPDX-License-Identifier: GPL-2.0-only */
/* The reserve of bios that file systems write with. */
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

#endif
