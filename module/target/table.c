// SPDX-License-Identifier: GPL-2.0-only
/* The table line of the target. */
#include <linux/ctype.h>

#include "env.h"
#include "target/table.h"

/* Seconds that writes wait for room, as dm-thin does. */
#define DEFAULT_NOSPACE 60
#define MAX_NOSPACE 86400

/* KiB of a low water mark: an EiB. */
#define MAX_LOW_WATER (1ULL << 50)

static int parse_format(const char *word, enum q2_format *format, struct q2_err *err)
{
	if (!strcmp(word, "qcow2"))
		*format = Q2_FORMAT_QCOW2;
	else if (!strcmp(word, "raw"))
		*format = Q2_FORMAT_RAW;
	else
		return q2_err_set(err, EINVAL, "unknown layer format \"%.32s\": use qcow2 or raw",
				  word);
	return 0;
}

/* "<name>:<KiB>" with a number in @min..@max bytes. */
static int parse_kib(const char *word, const char *name, u64 min, u64 max, unsigned int *kib,
		     struct q2_err *err)
{
	const char *value = word + strlen(name) + 1;

	if (kstrtouint(value, 10, kib) || (u64)*kib << 10 < min || (u64)*kib << 10 > max)
		return q2_err_set(err, EINVAL, "%s takes %llu to %llu KiB, not \"%.32s\"", name,
				  min >> 10, max >> 10, value);
	return 0;
}

static int parse_option(struct q2_table *table, const char *word, struct q2_err *err)
{
	if (!strcmp(word, "no_lock")) {
		table->no_lock = true;
		return 0;
	}
	if (!strncmp(word, "map_limit:", 10))
		return parse_kib(word, "map_limit", Q2_MAP_MIN, Q2_MAP_MAX, &table->map_kib, err);
	if (!strncmp(word, "cache_limit:", 12))
		return parse_kib(word, "cache_limit", Q2_CACHE_MIN, Q2_CACHE_MAX, &table->cache_kib,
				 err);
	if (!strncmp(word, "nospace_timeout:", 16)) {
		if (kstrtouint(word + 16, 10, &table->nospace) || table->nospace > MAX_NOSPACE)
			return q2_err_set(err, EINVAL,
					  "nospace_timeout takes 0 to %u seconds, not \"%.32s\"",
					  MAX_NOSPACE, word + 16);
		table->nospace_given = true;
		return 0;
	}
	if (!strncmp(word, "low_water_mark:", 15)) {
		if (kstrtou64(word + 15, 10, &table->low_water_kib) || !table->low_water_kib ||
		    table->low_water_kib > MAX_LOW_WATER)
			return q2_err_set(err, EINVAL,
					  "low_water_mark takes 1 to %llu KiB, not \"%.32s\"",
					  MAX_LOW_WATER, word + 15);
		return 0;
	}
	return q2_err_set(
		err, EINVAL,
		"unknown option \"%.32s\": use map_limit:KIB, cache_limit:KIB, nospace_timeout:SECONDS, low_water_mark:KIB or no_lock",
		word);
}

static int parse_options(struct q2_table *table, unsigned int argc, char **argv, struct q2_err *err)
{
	unsigned int i, n;
	int ret;

	if (!argc)
		return 0;
	if (kstrtouint(argv[0], 10, &n) || n != argc - 1)
		return q2_err_set(err, EINVAL,
				  "the number of options is \"%.32s\", but %u words follow",
				  argv[0], argc - 1);
	for (i = 1; i <= n; i++) {
		ret = parse_option(table, argv[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * A path with %XX for bytes that cannot stand in a table line, decoded in place.
 * Not backslashes: libdevmapper doubles each one it is given, so that none of
 * them protects anything when device-mapper splits the line.
 */
int q2_table_decode(char *word, struct q2_err *err)
{
	char *in = word, *out = word;

	while (*in) {
		u8 byte = *in;

		if (byte == '%') {
			char digits[] = {in[1], in[1] ? in[2] : 0, 0};

			if (!isxdigit(digits[0]) || !isxdigit(digits[1]) ||
			    kstrtou8(digits, 16, &byte) || !byte)
				return q2_err_set(
					err, EINVAL,
					"%.128s: two hex digits come after %%, which is %%25 itself",
					in);
			in += 2;
		}
		in++;
		*out++ = byte;
	}
	*out = '\0';
	return 0;
}

static int parse_layers(struct q2_table *table, char **argv, struct q2_err *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < table->nr_layers; i++) {
		struct q2_disk_layer *layer = &table->layers[table->nr_layers - 1 - i];

		ret = parse_format(argv[2 * i], &layer->format, err);
		if (ret)
			return ret;
		ret = q2_table_decode(argv[2 * i + 1], err);
		if (ret)
			return ret;
		layer->path = kstrdup(argv[2 * i + 1], GFP_KERNEL);
		if (!layer->path)
			return -ENOMEM;
		if (i + 1 < table->nr_layers && layer->format == Q2_FORMAT_RAW)
			return q2_err_set(err, EINVAL,
					  "%.128s: is raw, so nothing can lie below it",
					  layer->path);
	}
	return 0;
}

int q2_table_parse(struct q2_table *table, unsigned int argc, char **argv, struct q2_err *err)
{
	int ret;

	memset(table, 0, sizeof(*table));
	if (argc < 4)
		return q2_err_set(
			err, EINVAL,
			"too few words: ro|rw <#layers> <format> <path> ... [<#opts> <opt> ...]");
	table->nospace = DEFAULT_NOSPACE;
	table->write = !strcmp(argv[0], "rw");
	if (!table->write && strcmp(argv[0], "ro"))
		return q2_err_set(err, EINVAL, "unknown mode \"%.32s\": use ro or rw", argv[0]);
	if (kstrtouint(argv[1], 10, &table->nr_layers) || !table->nr_layers ||
	    table->nr_layers > Q2_MAX_LAYERS)
		return q2_err_set(err, EINVAL, "a chain has 1 to %u layers, not \"%.32s\"",
				  Q2_MAX_LAYERS, argv[1]);
	if (table->nr_layers > (argc - 2) / 2)
		return q2_err_set(err, EINVAL, "%u layers need %u words, but %u follow",
				  table->nr_layers, 2 * table->nr_layers, argc - 2);
	table->layers = kvcalloc(table->nr_layers, sizeof(*table->layers), GFP_KERNEL);
	if (!table->layers)
		return -ENOMEM;
	ret = parse_layers(table, argv + 2, err);
	if (!ret)
		ret = parse_options(table, argc - 2 - 2 * table->nr_layers,
				    argv + 2 + 2 * table->nr_layers, err);
	if (ret)
		q2_table_free(table);
	return ret;
}

void q2_table_free(struct q2_table *table)
{
	unsigned int i;

	for (i = 0; table->layers && i < table->nr_layers; i++)
		kfree(table->layers[i].path);
	kvfree(table->layers);
	table->layers = NULL;
}

/* What device-mapper would split at or eat, what a terminal would obey, and % itself. */
static unsigned int print_escaped(const char *word, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;

	for (; *word; word++) {
		u8 byte = *word;

		sz += scnprintf(result + sz, maxlen - sz,
				isspace(byte) || iscntrl(byte) || byte == '\\' || byte == '%' ||
						byte == '#'
					? "%%%02X"
					: "%c",
				byte);
	}
	return sz;
}

unsigned int q2_table_print(const struct q2_table *table, const struct q2_chain *chain,
			    char *result, unsigned int maxlen)
{
	unsigned int opts = table->no_lock + !!table->map_kib + !!table->cache_kib +
			    table->nospace_given + !!table->low_water_kib;
	unsigned int i, nr = 0, sz = 0;

	for (i = 0; i < table->nr_layers; i++)
		nr += !READ_ONCE(chain->layers[i].gone);
	sz += scnprintf(result + sz, maxlen - sz, "%s %u", table->write ? "rw" : "ro", nr);
	for (i = table->nr_layers; i--;) {
		const struct q2_disk_layer *layer = &table->layers[i];

		if (READ_ONCE(chain->layers[i].gone))
			continue;
		sz += scnprintf(result + sz, maxlen - sz, " %s ",
				layer->format == Q2_FORMAT_QCOW2 ? "qcow2" : "raw");
		sz += print_escaped(layer->path, result + sz, maxlen - sz);
	}
	if (opts)
		sz += scnprintf(result + sz, maxlen - sz, " %u", opts);
	if (table->map_kib)
		sz += scnprintf(result + sz, maxlen - sz, " map_limit:%u", table->map_kib);
	if (table->cache_kib)
		sz += scnprintf(result + sz, maxlen - sz, " cache_limit:%u", table->cache_kib);
	if (table->nospace_given)
		sz += scnprintf(result + sz, maxlen - sz, " nospace_timeout:%u", table->nospace);
	if (table->low_water_kib)
		sz += scnprintf(result + sz, maxlen - sz, " low_water_mark:%llu",
				table->low_water_kib);
	if (table->no_lock)
		sz += scnprintf(result + sz, maxlen - sz, " no_lock");
	return sz;
}
