// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "columns.h"
#include "escape.h"
#include "json.h"
#include "say.h"
#include "size.h"

/* A cell nobody set prints as "-", in JSON as null. */
struct cell {
	bool set;
	char *text;
	uint64_t number;
};

struct columns {
	const struct column *known;
	unsigned int nr_known;
	unsigned int *shown;
	unsigned int nr_shown;
	struct cell *cells; /* nr_rows times nr_known */
	unsigned int nr_rows;
};

static void show(struct columns *columns, unsigned int column)
{
	columns->shown = xrealloc(columns->shown, columns->nr_shown + 1, sizeof(*columns->shown));
	columns->shown[columns->nr_shown++] = column;
}

static int select_columns(struct columns *columns, const char *selection)
{
	unsigned int i;
	size_t len;

	if (!selection || *selection == '+')
		for (i = 0; i < columns->nr_known; i++)
			if (columns->known[i].usual)
				show(columns, i);
	if (!selection)
		return 0;
	if (*selection == '+')
		selection++;
	for (;; selection += len + 1) {
		len = strcspn(selection, ",");
		for (i = 0; i < columns->nr_known; i++)
			if (!strncasecmp(columns->known[i].name, selection, len) &&
			    !columns->known[i].name[len])
				break;
		if (i == columns->nr_known)
			return say("there is no column \"%.*s\"; --help lists them", (int)len,
				   selection);
		show(columns, i);
		if (!selection[len])
			return 0;
	}
}

struct columns *columns_new(const struct column *known, const char *selection)
{
	struct columns *columns = xalloc(sizeof(*columns));

	columns->known = known;
	while (known[columns->nr_known].name)
		columns->nr_known++;
	if (select_columns(columns, selection)) {
		columns_free(columns);
		return NULL;
	}
	return columns;
}

void columns_free(struct columns *columns)
{
	unsigned int i;

	for (i = 0; i < columns->nr_rows * columns->nr_known; i++)
		free(columns->cells[i].text);
	free(columns->cells);
	free(columns->shown);
	free(columns);
}

static struct cell *row(const struct columns *columns, unsigned int nr)
{
	return columns->cells + (size_t)nr * columns->nr_known;
}

void columns_row(struct columns *columns)
{
	columns->nr_rows++;
	columns->cells =
		xrealloc(columns->cells, columns->nr_rows, columns->nr_known * sizeof(struct cell));
	memset(row(columns, columns->nr_rows - 1), 0, columns->nr_known * sizeof(struct cell));
}

void columns_set_text(struct columns *columns, unsigned int column, const char *text)
{
	struct cell *cell = &row(columns, columns->nr_rows - 1)[column];

	free(cell->text);
	*cell = (struct cell){.set = true, .text = xstrdup(text)};
}

void columns_set_number(struct columns *columns, unsigned int column, uint64_t number)
{
	row(columns, columns->nr_rows - 1)[column] = (struct cell){.set = true, .number = number};
}

static char *cell_text(const struct column *column, const struct cell *cell, bool bytes)
{
	if (!cell->set)
		return xstrdup("-");
	switch (column->type) {
	case COLUMN_SIZE:
		if (!bytes)
			return size_short(cell->number);
		/* fallthrough */
	case COLUMN_NUMBER:
		return xasprintf("%ju", (uintmax_t)cell->number);
	case COLUMN_BOOL:
		return xstrdup(cell->number ? "yes" : "no");
	case COLUMN_TEXT:
		break;
	}
	return escape_visible(cell->text);
}

static struct json_object *cell_json(const struct column *column, const struct cell *cell)
{
	if (!cell->set)
		return NULL;
	switch (column->type) {
	case COLUMN_SIZE:
	case COLUMN_NUMBER:
		return json_number(cell->number);
	case COLUMN_BOOL:
		return json_object_new_boolean(cell->number);
	case COLUMN_TEXT:
		break;
	}
	return json_text(cell->text);
}

static void print_json(const struct columns *columns, const char *key)
{
	struct json_object *top = json_object_new_object(), *rows = json_object_new_array();
	unsigned int i, j;

	for (i = 0; i < columns->nr_rows; i++) {
		struct json_object *object = json_object_new_object();

		for (j = 0; j < columns->nr_shown; j++) {
			unsigned int nr = columns->shown[j];
			char *name = xstrdup(columns->known[nr].name), *p;

			for (p = name; *p; p++)
				*p = tolower(*p);
			json_object_object_add(
				object, name, cell_json(&columns->known[nr], &row(columns, i)[nr]));
			free(name);
		}
		json_object_array_add(rows, object);
	}
	json_object_object_add(top, key, rows);
	json_print(top);
}

static bool right_aligned(const struct column *column)
{
	return column->type == COLUMN_NUMBER || column->type == COLUMN_SIZE;
}

/* One line; widths NULL: cells separated by one space. The last column is not padded. */
static void print_line(const struct columns *columns, char **cells, const size_t *widths)
{
	unsigned int i;

	for (i = 0; i < columns->nr_shown; i++) {
		const struct column *column = &columns->known[columns->shown[i]];
		int pad = widths ? widths[i] - escape_width(cells[i]) : 0;
		const char *p;

		if (i)
			putchar(' ');
		if (right_aligned(column))
			printf("%*s", pad, "");
		if (widths)
			fputs(cells[i], stdout);
		else /* raw: a blank in a cell would look like the next cell */
			for (p = cells[i]; *p; p++)
				*p == ' ' ? fputs("\\x20", stdout) : putchar(*p);
		if (!right_aligned(column) && i + 1 < columns->nr_shown)
			printf("%*s", pad, "");
	}
	putchar('\n');
}

static void print_text(const struct columns *columns, bool raw, bool bytes, bool heading)
{
	unsigned int nr = columns->nr_shown, i, j;
	size_t *widths = xalloc(nr * sizeof(*widths)), width;
	char **cells = xalloc((columns->nr_rows + 1) * nr * sizeof(*cells));

	for (j = 0; j < nr; j++)
		cells[j] = xstrdup(columns->known[columns->shown[j]].name);
	for (i = 0; i < columns->nr_rows; i++)
		for (j = 0; j < nr; j++)
			cells[(i + 1) * nr + j] =
				cell_text(&columns->known[columns->shown[j]],
					  &row(columns, i)[columns->shown[j]], bytes);
	for (i = heading ? 0 : 1; i <= columns->nr_rows; i++)
		for (j = 0; j < nr; j++) {
			width = escape_width(cells[i * nr + j]);
			if (width > widths[j])
				widths[j] = width;
		}
	if (columns->nr_rows)
		for (i = heading ? 0 : 1; i <= columns->nr_rows; i++)
			print_line(columns, cells + i * nr, raw ? NULL : widths);
	for (i = 0; i < (columns->nr_rows + 1) * nr; i++)
		free(cells[i]);
	free(cells);
	free(widths);
}

void columns_print(const struct columns *columns, enum columns_style style, const char *key,
		   bool bytes, bool heading)
{
	if (style == STYLE_JSON)
		print_json(columns, key);
	else
		print_text(columns, style == STYLE_RAW, bytes, heading);
}

void columns_help(FILE *out, const struct column *known)
{
	for (; known->name; known++)
		fprintf(out, "  %-10s%s\n", known->name, known->help);
}
