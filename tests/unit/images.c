// SPDX-License-Identifier: GPL-2.0-only
/* The images that tests/unit/golden made. */
#include "images.h"
#include "test.h"

const char *golden_path(const char *name, const char *suffix)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s%s", test_golden_dir, name, suffix);
	return path;
}

static void load(struct golden *g, char *line)
{
	char *word, *save, *layers[GOLDEN_MAX_LAYERS];
	unsigned int i;

	memset(g, 0, sizeof(*g));
	snprintf(g->name, sizeof(g->name), "%s", strtok_r(line, " \n", &save));
	while ((word = strtok_r(NULL, " \n", &save)) && g->nr < GOLDEN_MAX_LAYERS)
		layers[g->nr++] = word;
	for (i = 0; i < g->nr; i++) {
		char *layer = layers[g->nr - 1 - i]; /* the list is top first */

		g->raw[i] = !strncmp(layer, "raw:", 4);
		g->files[i] = mem_file_load(golden_path(strchr(layer, ':') + 1, ""));
	}
	g->content = mem_file_load(golden_path(g->name, ".raw"));
}

static void unload(struct golden *g)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++)
		mem_file_free(g->files[i]);
	mem_file_free(g->content);
}

void golden_each(const char *prefix, void (*visit)(struct golden *golden))
{
	FILE *list = fopen(golden_path("list", ""), "r");
	unsigned int seen = 0;
	char line[1024];

	CHECK(list != NULL);
	while (fgets(line, sizeof(line), list)) {
		struct golden g;

		if (strncmp(line, prefix, strlen(prefix)))
			continue;
		load(&g, line);
		visit(&g);
		unload(&g);
		seen++;
	}
	fclose(list);
	CHECK(seen > 0);
}
