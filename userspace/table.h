/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parameters of the kernel's qcow2 target: built for attaching, taken apart
 * for showing. "<ro|rw> <#layers> <format> <path>... [<#opts> <opt>...]", the
 * top image first.
 */
#ifndef QCOWCTL_TABLE_H
#define QCOWCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct walk;

/**
 * table_build() - parameters for a chain
 * @walk: chain
 * @read_only: mode
 * @options: "map_limit:1024" and the like
 * @nr_options: how many
 *
 * Return: a string to be freed.
 */
char *table_build(const struct walk *walk, bool read_only, char **options, size_t nr_options);

/**
 * struct table - parameters taken apart
 * @mode: "ro" or "rw"
 * @nr_layers: layers
 * @format: of the layers, base first as the kernel numbers them
 * @path: of the layers, base first
 * @nr_options: options
 * @option: options
 * @words: what owns the strings
 * @nr_words: how many
 */
struct table {
	const char *mode;
	size_t nr_layers;
	const char **format;
	const char **path;
	size_t nr_options;
	char **option;
	char **words;
	size_t nr_words;
};

/* Take apart; what a newer module adds behind the layers is kept out. Return: 0 or -1, silent. */
int table_parse(const char *params, struct table *table);

/* The part of parameters behind the number of layers, with the blank before it. */
const char *table_layers(const char *params);

void table_clear(struct table *table);

#endif
