/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Strings that others wrote, made fit for a terminal, for JSON, for a
 * device-mapper table and for a device name.
 */
#ifndef QCOWCTL_ESCAPE_H
#define QCOWCTL_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/**
 * escape_put() - print a string so that a terminal shows it and obeys nothing
 * @out: where
 * @s: any bytes up to NUL
 *
 * Control characters (C0, DEL, C1) and bytes that are not UTF-8 come out as
 * \n, \t or \xNN; a backslash stays as it is.
 */
void escape_put(FILE *out, const char *s);

/* The same as a string to be freed. */
char *escape_visible(const char *s);

/* Columns of a terminal that escape_visible() text takes: its characters. */
size_t escape_width(const char *visible);

/* A copy that is valid UTF-8 (JSON must be): other bytes become U+FFFD. To be freed. */
char *escape_utf8(const char *s);

/**
 * escape_json_put() - print serialized JSON so that a terminal obeys nothing in it
 * @out: where
 * @json: text; its line breaks are layout
 *
 * json-c escapes what JSON demands; here DEL, C1 and the like become \uXXXX too.
 */
void escape_json_put(FILE *out, const char *json);

/**
 * escape_table_put() - print one word of a table line
 * @out: where
 * @word: any bytes up to NUL
 *
 * Bytes that cannot stand there are written %XX: what the kernel calls white
 * space (0xa0 among it, a byte of many UTF-8 characters), control characters,
 * backslash and % itself. Backslashes would not do: device-mapper takes one off,
 * but libdevmapper doubles each before, so none protects anything.
 */
void escape_table_put(FILE *out, const char *word);

/* The same as a string to be freed. */
char *escape_table(const char *word);

/**
 * escape_table_split() - words of a table line, unescaped
 * @line: line
 * @words: result, nr strings and an array to be freed with escape_words_free()
 *
 * Return: number of words.
 */
size_t escape_table_split(const char *line, char ***words);

/* Free what escape_table_split() gave. */
void escape_words_free(char **words, size_t nr);

/* May a device have that name without being mangled below /dev/mapper? */
bool escape_name_ok(const char *name);

/* A device name made from a file name: base name without its suffix. To be freed. */
char *escape_name_from(const char *path);

#endif
