// SPDX-License-Identifier: GPL-2.0-only
/* qcowctl list: one line a device. */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "dm.h"
#include "job.h"
#include "say.h"
#include "table.h"
#include "verbs.h"

enum {
	OPT_RAW = OPT_LONG
};

static const struct option_spec options[] = {
	{'o', "output", "COLUMNS", "columns, separated by commas; +COLUMNS adds to the usual",
	 "NAME SIZE MODE LAYERS IMAGE BASE PATH FORMAT MAJ:MIN OPEN STATE UUID EVENTS JOB"},
	{'n', "noheadings", NULL, "no heading", NULL},
	{'b', "bytes", NULL, "sizes in bytes", NULL},
	{OPT_RAW, "raw", NULL, "columns separated by one space, for scripts", NULL},
	{'J', "json", NULL, "JSON", NULL},
	{},
};

enum {
	NAME,
	SIZE,
	MODE,
	LAYERS,
	IMAGE,
	BASE,
	NODE,
	FORMAT,
	NUMBER,
	OPEN,
	STATE,
	UUID,
	EVENTS,
	JOB,
};

static const struct column columns[] = {
	[NAME] = {"NAME", "name of the device", COLUMN_TEXT, true},
	[SIZE] = {"SIZE", "its size", COLUMN_SIZE, true},
	[MODE] = {"MODE", "ro or rw", COLUMN_TEXT, true},
	[LAYERS] = {"LAYERS", "images in the chain", COLUMN_NUMBER, true},
	[IMAGE] = {"IMAGE", "the image at the top", COLUMN_TEXT, true},
	[BASE] = {"BASE", "the image at the bottom, if it is another", COLUMN_TEXT, true},
	[NODE] = {"PATH", "path of the device", COLUMN_TEXT, false},
	[FORMAT] = {"FORMAT", "format of the image at the top", COLUMN_TEXT, false},
	[NUMBER] = {"MAJ:MIN", "device number", COLUMN_TEXT, false},
	[OPEN] = {"OPEN", "how often it is open", COLUMN_NUMBER, false},
	[STATE] = {"STATE", "active, suspended, removing (when closed), no table", COLUMN_TEXT,
		   false},
	[UUID] = {"UUID", "device-mapper's uuid", COLUMN_TEXT, false},
	[EVENTS] = {"EVENTS", "events so far", COLUMN_NUMBER, false},
	[JOB] = {"JOB", "commit or stream, and how far it is", COLUMN_TEXT, true},
	{},
};

static const char *state(const struct dm_device *device)
{
	return !device->table		 ? "no table"
	       : device->deferred_remove ? "removing"
	       : device->suspended	 ? "suspended"
					 : "active";
}

static void add_chain(struct columns *list, const char *params)
{
	struct table table;

	if (table_parse(params, &table))
		return;
	columns_set_text(list, MODE, table.mode);
	columns_set_number(list, LAYERS, table.nr_layers);
	if (table.nr_layers) {
		columns_set_text(list, FORMAT, table.format[table.nr_layers - 1]);
		columns_set_text(list, IMAGE, table.path[table.nr_layers - 1]);
	}
	if (table.nr_layers > 1)
		columns_set_text(list, BASE, table.path[0]);
	table_clear(&table);
}

static void add_device(struct columns *list, const struct dm_device *device)
{
	char *path = dm_path(device->name);
	char *number = xasprintf("%u:%u", device->major, device->minor), *text;
	struct job job;

	columns_row(list);
	columns_set_text(list, NAME, device->name);
	columns_set_text(list, NODE, path);
	columns_set_text(list, NUMBER, number);
	columns_set_number(list, OPEN, device->open_count);
	columns_set_text(list, STATE, state(device));
	columns_set_text(list, UUID, device->uuid);
	columns_set_number(list, EVENTS, device->events);
	if (device->table) {
		columns_set_number(list, SIZE, device->sectors << 9);
		add_chain(list, device->table);
	}
	text = job_parse(device->status, &job) ? job_short(&job) : NULL;
	if (text)
		columns_set_text(list, JOB, text);
	free(text);
	free(path);
	free(number);
}

static int run(const struct args *args)
{
	struct columns *list = columns_new(columns, args_value(args, 'o'));
	struct dm_device *devices;
	size_t nr, i;

	if (!list)
		return STATUS_USAGE;
	dm_setup();
	if (dm_devices(&devices, &nr)) {
		columns_free(list);
		return STATUS_FAILED;
	}
	for (i = 0; i < nr; i++)
		add_device(list, &devices[i]);
	columns_print(list,
		      args_has(args, 'J')	? STYLE_JSON
		      : args_has(args, OPT_RAW) ? STYLE_RAW
						: STYLE_TABLE,
		      "devices", args_has(args, 'b'), !args_has(args, 'n'));
	dm_devices_free(devices, nr);
	columns_free(list);
	return STATUS_DONE;
}

const struct verb verb_list = {
	.name = "list",
	.arguments = "",
	.summary = "Show the devices",
	.description =
		"Columns: NAME SIZE MODE LAYERS IMAGE BASE PATH FORMAT MAJ:MIN OPEN STATE UUID\n"
		"EVENTS JOB; the first six and the last are the usual ones.",
	.options = options,
	.run = run,
};
