/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table line of the target: words to struct q2_table and back.
 *
 *	<ro|rw> <#layers> <format> <path> [<format> <path>]... [<#opts> <opt>...]
 *
 * Layers come top first. Options: map_limit:KIB, cache_limit:KIB, no_lock,
 * nospace_timeout:SECONDS, low_water_mark:KIB.
 */
#ifndef Q2_TARGET_TABLE_H
#define Q2_TARGET_TABLE_H

#include <linux/device-mapper.h>

#include "serve/disk.h"

/**
 * struct q2_table - a parsed table line
 * @nr_layers: 1..Q2_MAX_LAYERS
 * @layers: base first; paths are copies
 * @map_kib: map_limit as given, 0 if it was not
 * @cache_kib: cache_limit as given, 0 if it was not
 * @no_lock: no_lock was given
 * @write: rw
 * @nospace_given: nospace_timeout was given
 * @nospace: its seconds, or the default
 * @low_water_kib: low_water_mark as given, 0 if it was not
 */
struct q2_table {
	unsigned int nr_layers;
	struct q2_disk_layer *layers;
	unsigned int map_kib;
	unsigned int cache_kib;
	bool no_lock;
	bool write;
	bool nospace_given;
	unsigned int nospace;
	u64 low_water_kib;
};

/**
 * q2_table_parse() - read the words of a table line
 * @table: result; to be given to q2_table_free(), not after an error
 * @argc: words
 * @argv: words, unescaped by device-mapper
 * @err: reason
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int q2_table_parse(struct q2_table *table, unsigned int argc, char **argv, struct q2_err *err);

/* Free what q2_table_parse() made. */
void q2_table_free(struct q2_table *table);

/**
 * q2_table_decode() - a path or name of a message, escaped as in a table line
 * @word: word, decoded in place
 * @err: reason
 *
 * Return: 0 or -EINVAL.
 */
int q2_table_decode(char *word, struct q2_err *err);

/**
 * q2_table_print() - the words again, escaped so that they parse to the same
 * @table: table
 * @chain: the chain made of it: layers that have gone are left out
 * @result: where to
 * @maxlen: room, NUL included; what does not fit is cut
 *
 * Return: bytes written, as scnprintf() counts.
 */
unsigned int q2_table_print(const struct q2_table *table, const struct q2_chain *chain,
			    char *result, unsigned int maxlen);

#endif
