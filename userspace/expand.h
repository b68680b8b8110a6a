/* SPDX-License-Identifier: GPL-2.0-only */
/* Compressed clusters. */
#ifndef QCOWCTL_EXPAND_H
#define QCOWCTL_EXPAND_H

#include "env.h"

/**
 * expand() - what a compressed cluster holds
 * @type: Q2_COMPRESSION_*
 * @from: stored bytes; what follows the compressed data does not matter
 * @len: of them
 * @to: the cluster
 * @size: its bytes
 *
 * Return: 0 or -EIO.
 */
int expand(u8 type, const void *from, size_t len, void *to, size_t size);

#endif
