/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A table for people or JSON for programs, from one list of columns.
 *
 * As in losetup and lsblk: -o picks columns, "+X" adds to the usual ones, -n
 * leaves out the heading, --raw separates by one space, -J is typed.
 */
#ifndef QCOWCTL_COLUMNS_H
#define QCOWCTL_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum column_type {
	COLUMN_TEXT,
	COLUMN_NUMBER,
	COLUMN_SIZE, /* bytes: "10G" for people, the number in JSON and with --bytes */
	COLUMN_BOOL,
};

/**
 * struct column - one column that a verb knows; a list ends with an empty one
 * @name: heading and name for -o; in JSON in lower case
 * @help: a few words
 * @type: how cells are printed
 * @usual: shown when -o does not say otherwise
 */
struct column {
	const char *name;
	const char *help;
	enum column_type type;
	bool usual;
};

enum columns_style {
	STYLE_TABLE,
	STYLE_RAW,
	STYLE_JSON
};

struct columns;

/**
 * columns_new() - an empty table
 * @known: all columns
 * @selection: "NAME,SIZE", "+UUID", or NULL for the usual ones
 *
 * Return: the table, or NULL after having said which column is not known.
 */
struct columns *columns_new(const struct column *known, const char *selection);
void columns_free(struct columns *columns);

/* Start a row; then set its cells by the index of the column in the list of all. */
void columns_row(struct columns *columns);
void columns_set_text(struct columns *columns, unsigned int column, const char *text);
void columns_set_number(struct columns *columns, unsigned int column, uint64_t number);

/**
 * columns_print() - print the rows
 * @columns: table
 * @style: how
 * @key: JSON: name of the array of rows
 * @bytes: sizes as plain numbers
 * @heading: print the names of the columns, if there are rows
 */
void columns_print(const struct columns *columns, enum columns_style style, const char *key,
		   bool bytes, bool heading);

/* The columns for a help text: "  NAME  help" a line. */
void columns_help(FILE *out, const struct column *known);

#endif
