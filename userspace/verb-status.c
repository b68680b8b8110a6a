// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl status: all there is to know of a device. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dm.h"
#include "escape.h"
#include "job.h"
#include "json.h"
#include "say.h"
#include "size.h"
#include "table.h"
#include "verbs.h"

static const struct option_spec options[] = {
	{'J', "json", NULL, "JSON", NULL},
	{},
};

/* Is it a number that fits? */
static bool as_number(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return !*end && !errno;
}

static struct json_object *layers_json(const struct table *table)
{
	struct json_object *layers = json_object_new_array(), *layer;
	size_t i;

	for (i = 0; i < table->nr_layers; i++) {
		layer = json_object_new_object();
		json_object_object_add(layer, "index", json_number(i));
		json_object_object_add(layer, "format", json_text(table->format[i]));
		json_object_object_add(layer, "path", json_text(table->path[i]));
		json_object_array_add(layers, layer);
	}
	return layers;
}

static struct json_object *options_json(const struct table *table)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < table->nr_options; i++)
		json_object_array_add(list, json_text(table->option[i]));
	return list;
}

/* "key=value" words become members, numbers as numbers. */
static struct json_object *info_json(char **words, size_t nr)
{
	struct json_object *object = json_object_new_object();
	uint64_t number;
	size_t i;

	for (i = 0; i < nr; i++) {
		char *value = strchr(words[i], '=');

		if (!value)
			continue;
		*value++ = '\0';
		json_object_object_add(object, words[i],
				       as_number(value, &number) ? json_number(number)
								 : json_text(value));
	}
	return object;
}

static void print_json(const struct dm_device *device, const struct table *table, char **words,
		       size_t nr)
{
	struct json_object *object = json_object_new_object();
	char *path = dm_path(device->name);
	char *number = xasprintf("%u:%u", device->major, device->minor);
	struct job job;

	json_object_object_add(object, "name", json_text(device->name));
	json_object_object_add(object, "path", json_text(path));
	json_object_object_add(object, "uuid", json_text(device->uuid));
	json_object_object_add(object, "maj:min", json_text(number));
	json_object_object_add(object, "size", json_number(device->sectors << 9));
	json_object_object_add(object, "read-only", json_object_new_boolean(device->read_only));
	json_object_object_add(object, "suspended", json_object_new_boolean(device->suspended));
	json_object_object_add(object, "removing",
			       json_object_new_boolean(device->deferred_remove));
	json_object_object_add(object, "open", json_number(device->open_count));
	json_object_object_add(object, "events", json_number(device->events));
	json_object_object_add(object, "mode", table->mode ? json_text(table->mode) : NULL);
	json_object_object_add(object, "layers", layers_json(table));
	json_object_object_add(object, "options", options_json(table));
	json_object_object_add(object, "job",
			       job_parse(device->status, &job) ? job_json(&job) : NULL);
	json_object_object_add(object, "status", info_json(words, nr));
	json_print(object);
	free(path);
	free(number);
}

/* Sentences about counters belong together in lines; the kernel's names stay. */
static const char *const groups[] = {
	"map_bytes map_limit map_leaves map_fills map_evictions hits misses",
	"remapped direct deferred zero compressed mixed errors",
	"meta_bytes meta_limit meta_hits meta_misses corrupt",
};

static const char *const group_names[] = {"map", "requests", "metadata"};

static bool in_words(const char *list, const char *word, size_t len)
{
	const char *p;

	for (p = list; (p = strstr(p, word)); p++)
		if ((p == list || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

/* Which line a word goes to; ARRAY_SIZE(groups): the last one. -1: shown elsewhere. */
static int group_of(const char *word)
{
	static const char shown[] =
		"mode layers size job job_state job_done job_total job_moved job_rate job_error";
	char *key = xstrndup(word, strcspn(word, "="));
	size_t len = strlen(key), nr = sizeof(groups) / sizeof(groups[0]), i;

	for (i = 0; i < nr; i++)
		if (in_words(groups[i], key, len))
			break;
	if (i == nr && in_words(shown, key, len)) {
		free(key);
		return -1;
	}
	free(key);
	return i;
}

static void print_words(char **words, size_t nr)
{
	int last = sizeof(groups) / sizeof(groups[0]), group;
	size_t i;

	for (group = 0; group <= last; group++) {
		bool any = false;

		for (i = 0; i < nr; i++) {
			if (group_of(words[i]) != group)
				continue;
			if (!any)
				printf("  %-10s", group < last ? group_names[group] : "more");
			any = true;
			putchar(' ');
			escape_put(stdout, words[i]);
		}
		if (any)
			putchar('\n');
	}
}

/* What the kernel calls the mode, where that is more than read-only and read-write. */
static void print_mode(char **words, size_t nr)
{
	static const struct {
		const char *word;
		const char *meaning;
	} modes[] = {
		{"mode=out_of_space", "out_of_space: writes wait for room"},
		{"mode=failed_ro",
		 "failed_ro: metadata could not be written, or are broken, so nothing more is written"},
	};
	size_t i, m;

	for (i = 0; i < nr; i++)
		for (m = 0; m < sizeof(modes) / sizeof(modes[0]); m++)
			if (!strcmp(words[i], modes[m].word))
				printf("  mode       %s\n", modes[m].meaning);
}

static void print_job(const char *status)
{
	struct job job;
	char *text;

	if (!job_parse(status, &job))
		return;
	text = job_sentence(&job);
	printf("  job        %s\n", text);
	free(text);
}

static void print_text(const struct dm_device *device, const struct table *table, char **words,
		       size_t nr)
{
	char *path = dm_path(device->name), *size = size_text(device->sectors << 9);
	size_t i;

	escape_put(stdout, path);
	printf("\n  device     %u:%u, %s (%ju bytes), %s, open %u times%s%s\n", device->major,
	       device->minor, size, (uintmax_t)device->sectors << 9,
	       device->read_only ? "read-only" : "read-write", device->open_count,
	       device->suspended ? ", suspended" : "",
	       device->deferred_remove ? ", goes when closed" : "");
	if (!device->table)
		printf("  no table: attaching did not finish\n");
	print_mode(words, nr);
	print_job(device->status);
	printf("  layers     %zu, the top first\n", table->nr_layers);
	for (i = table->nr_layers; i--;) {
		printf("  %8zu   %-5s ", i, table->format[i]);
		escape_put(stdout, table->path[i]);
		putchar('\n');
	}
	if (table->nr_options) {
		printf("  options   ");
		for (i = 0; i < table->nr_options; i++) {
			putchar(' ');
			escape_put(stdout, table->option[i]);
		}
		putchar('\n');
	}
	print_words(words, nr);
	free(path);
	free(size);
}

static int run(const struct args *args)
{
	struct table table = {0};
	struct dm_device device;
	char **words = NULL;
	size_t nr = 0;

	dm_setup();
	if (dm_device_find(args->word[0], &device))
		return STATUS_FAILED;
	if (device.table && table_parse(device.table, &table)) {
		say("%s: the table is not one this version of qcowctl understands", device.name);
		dm_device_clear(&device);
		return STATUS_FAILED;
	}
	if (device.status)
		nr = escape_table_split(device.status, &words);
	if (args_has(args, 'J'))
		print_json(&device, &table, words, nr);
	else
		print_text(&device, &table, words, nr);
	escape_words_free(words, nr);
	table_clear(&table);
	dm_device_clear(&device);
	return STATUS_DONE;
}

const struct verb verb_status = {
	.name = "status",
	.arguments = "NAME",
	.summary = "Show a device: its layers and what the kernel counts",
	.description = "Layers are numbered from the base, 0 is the base.",
	.options = options,
	.complete = "device",
	.least = 1,
	.most = 1,
	.run = run,
};
