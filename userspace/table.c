// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "say.h"
#include "table.h"
#include "walk.h"

char *table_build(const struct walk *walk, bool read_only, char **options, size_t nr_options)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		say("out of memory");
		exit(STATUS_FAILED);
	}
	fprintf(out, "%s %u", read_only ? "ro" : "rw", walk->nr);
	for (i = 0; i < walk->nr; i++) {
		fprintf(out, " %s ", walk->link[i].raw ? "raw" : "qcow2");
		escape_table_put(out, walk->link[i].path);
	}
	if (nr_options)
		fprintf(out, " %zu", nr_options);
	for (i = 0; i < nr_options; i++)
		fprintf(out, " %s", options[i]);
	if (fclose(out)) {
		say("out of memory");
		exit(STATUS_FAILED);
	}
	return text;
}

static bool count_at(const struct table *table, size_t at, size_t most, size_t *count)
{
	char *end;

	if (at >= table->nr_words)
		return false;
	*count = strtoul(table->words[at], &end, 10);
	return end != table->words[at] && !*end && *count <= most;
}

int table_parse(const char *params, struct table *table)
{
	size_t i, at;

	memset(table, 0, sizeof(*table));
	table->nr_words = escape_table_split(params, &table->words);
	if (!count_at(table, 1, (table->nr_words - 2) / 2, &table->nr_layers)) {
		table_clear(table);
		return -1;
	}
	table->mode = table->words[0];
	table->format = xalloc(table->nr_layers * sizeof(*table->format));
	table->path = xalloc(table->nr_layers * sizeof(*table->path));
	for (i = 0; i < table->nr_layers; i++) {
		at = 2 + 2 * (table->nr_layers - 1 - i);
		table->format[i] = table->words[at];
		table->path[i] = table->words[at + 1];
	}
	at = 2 + 2 * table->nr_layers;
	if (count_at(table, at, table->nr_words - at - 1, &table->nr_options))
		table->option = table->words + at + 1;
	else
		table->nr_options = 0;
	return 0;
}

const char *table_layers(const char *params)
{
	params += strcspn(params, " ");
	params += strspn(params, " ");
	return params + strcspn(params, " ");
}

void table_clear(struct table *table)
{
	escape_words_free(table->words, table->nr_words);
	free(table->format);
	free(table->path);
	memset(table, 0, sizeof(*table));
}
