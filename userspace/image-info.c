// SPDX-License-Identifier: GPL-2.0-only
#include <sys/stat.h>
#include <time.h>

#include "bare.h"
#include "escape.h"
#include "format/bitmap.h"
#include "image-info.h"
#include "image/snapshots.h"
#include "json.h"
#include "lock.h"
#include "say.h"
#include "size.h"
#include "walk.h"

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

static struct json_object *boolean(bool value)
{
	return json_object_new_boolean(value);
}

/* Bytes of a table as JSON text; they need not be a C string. */
static struct json_object *bytes_text(const void *bytes, size_t len)
{
	char *s = xstrndup(bytes, len);
	struct json_object *text = json_text(s);

	free(s);
	return text;
}

static struct json_object *snapshot(const struct q2_snapshots *snaps, const struct q2_snapshot *s)
{
	struct json_object *o = json_object_new_object();

	add(o, "id", bytes_text(snaps->table + s->id.offset, s->id.length));
	add(o, "name", bytes_text(snaps->table + s->name.offset, s->name.length));
	add(o, "vm-state-size", json_number(s->vm_state_size));
	add(o, "date-sec", json_number(s->date_sec));
	add(o, "date-nsec", json_number(s->date_nsec));
	add(o, "vm-clock-sec", json_number(s->vm_clock_nsec / 1000000000));
	add(o, "vm-clock-nsec", json_number(s->vm_clock_nsec % 1000000000));
	if (s->icount != U64_MAX)
		add(o, "icount", json_number(s->icount));
	return o;
}

static int add_snapshots(struct bare *bare, struct json_object *info)
{
	struct json_object *list;
	struct q2_snapshots *snaps;
	struct q2_err err = {""};
	unsigned int i;

	if (!bare->hdr.nb_snapshots)
		return 0;
	snaps = q2_snapshots_load(&bare->host->file, &bare->hdr, &err);
	if (IS_ERR(snaps))
		return say("%s: %s", bare->host->path,
			   *err.text ? err.text : strerror(-PTR_ERR(snaps)));
	list = json_object_new_array();
	for (i = 0; i < snaps->nr; i++)
		json_object_array_add(list, snapshot(snaps, &snaps->snap[i]));
	add(info, "snapshots", list);
	q2_snapshots_free(snaps);
	return 0;
}

static struct json_object *bitmap(const u8 *dir, const struct q2_bitmap *bm)
{
	struct json_object *o = json_object_new_object(), *flags = json_object_new_array();

	if (bm->flags & Q2_BITMAP_IN_USE)
		json_object_array_add(flags, json_text("in-use"));
	if (bm->flags & Q2_BITMAP_AUTO)
		json_object_array_add(flags, json_text("auto"));
	add(o, "flags", flags);
	add(o, "name", bytes_text(dir + bm->name.offset, bm->name.length));
	add(o, "granularity", json_number(1ULL << bm->granularity_bits));
	return o;
}

static int add_bitmaps(struct bare *bare, struct json_object *data)
{
	const struct q2_header *hdr = &bare->hdr;
	struct json_object *list;
	struct q2_bitmap bm;
	struct q2_err err = {""};
	size_t offset = 0, next;
	unsigned int i;
	u8 *dir;
	int ret;

	if (!hdr->nb_bitmaps)
		return 0;
	dir = xalloc(hdr->bitmap_directory_size);
	list = json_object_new_array();
	ret = q2_file_read(&bare->host->file, hdr->bitmap_directory_offset, dir,
			   hdr->bitmap_directory_size);
	for (i = 0; !ret && i < hdr->nb_bitmaps; i++, offset = next) {
		ret = q2_bitmap_decode(hdr, dir, hdr->bitmap_directory_size, offset, &bm, &next,
				       &err);
		if (!ret)
			json_object_array_add(list, bitmap(dir, &bm));
	}
	add(data, "bitmaps", list);
	free(dir);
	return ret ? say("%s: %s", bare->host->path, *err.text ? err.text : strerror(-ret)) : 0;
}

static int add_specific(struct bare *bare, struct json_object *info)
{
	struct json_object *specific = json_object_new_object();
	struct json_object *data = json_object_new_object(), *crypt;
	const struct q2_header *hdr = &bare->hdr;
	char *data_file;

	add(specific, "type", json_text("qcow2"));
	add(specific, "data", data);
	add(info, "format-specific", specific);
	add(data, "compat", json_text(hdr->version < 3 ? "0.10" : "1.1"));
	add(data, "compression-type",
	    json_text(hdr->compression_type == Q2_COMPRESSION_ZSTD ? "zstd" : "zlib"));
	if (hdr->version >= 3)
		add(data, "lazy-refcounts", boolean(hdr->compatible & Q2_COMPAT_LAZY_REFCOUNTS));
	add(data, "refcount-bits", json_number(1U << hdr->refcount_order));
	if (hdr->version >= 3) {
		add(data, "corrupt", boolean(hdr->incompatible & Q2_INCOMPAT_CORRUPT));
		add(data, "extended-l2", boolean(hdr->incompatible & Q2_INCOMPAT_EXTL2));
	}
	if (hdr->incompatible & Q2_INCOMPAT_DATA_FILE) {
		data_file = bare_span(bare, &hdr->data_file);
		if (data_file)
			add(data, "data-file", json_text(data_file));
		free(data_file);
		add(data, "data-file-raw", boolean(hdr->autoclear & Q2_AUTOCLEAR_RAW_DATA));
	}
	if (hdr->crypt_method != Q2_CRYPT_NONE) {
		crypt = json_object_new_object();
		add(crypt, "format",
		    json_text(hdr->crypt_method == Q2_CRYPT_LUKS ? "luks" : "aes"));
		add(data, "encrypt", crypt);
	}
	return hdr->version >= 3 ? add_bitmaps(bare, data) : 0;
}

/* Where the name of a backing file leads, as QEMU tells it: beside the image, or itself. */
static char *full_name(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	if (*name == '/' || walk_name_is_protocol(name) || !slash)
		return xstrdup(name);
	return xasprintf("%.*s%s", (int)(slash + 1 - path), path, name);
}

static void add_backing(struct bare *bare, const char *path, struct json_object *info)
{
	char *name = bare_span(bare, &bare->hdr.backing), *full, *format;

	if (!name)
		return;
	full = full_name(path, name);
	format = bare_span(bare, &bare->hdr.backing_format);
	add(info, "backing-filename", json_text(name));
	add(info, "full-backing-filename", json_text(full));
	if (format)
		add(info, "backing-filename-format", json_text(format));
	free(name);
	free(full);
	free(format);
}

static void add_file(struct json_object *info, const char *path, const char *format,
		     const struct host_file *host, u64 virtual_size)
{
	struct stat st;

	add(info, "filename", json_text(path));
	add(info, "format", json_text(format));
	add(info, "virtual-size", json_number(virtual_size));
	if (!fstat(host->fd, &st))
		add(info, "actual-size", json_number((u64)st.st_blocks * 512));
}

static struct json_object *raw_info(const char *path, const char *open_path, bool force_share)
{
	struct host_file *host = host_file_open(open_path);
	struct json_object *info = NULL;

	if (host && (force_share || !lock_for_reading(host))) {
		info = json_object_new_object();
		add_file(info, path, "raw", host, round_up(host->file.size, (u64)512));
		add(info, "dirty-flag", boolean(false));
	}
	host_file_close(host);
	return info;
}

struct json_object *image_info(const char *path, const char *open_path, bool raw, bool force_share)
{
	struct json_object *info;
	struct bare bare;
	int ret;

	if (raw)
		return raw_info(path, open_path, force_share);
	if (bare_open(open_path, force_share, &bare))
		return NULL;
	info = json_object_new_object();
	add_file(info, path, "qcow2", bare.host, bare.hdr.size);
	add(info, "cluster-size", json_number(bare.geo.cluster_size));
	if (bare.hdr.crypt_method != Q2_CRYPT_NONE)
		add(info, "encrypted", boolean(true));
	add(info, "dirty-flag", boolean(bare.hdr.incompatible & Q2_INCOMPAT_DIRTY));
	add_backing(&bare, path, info);
	ret = add_snapshots(&bare, info);
	if (!ret)
		ret = add_specific(&bare, info);
	bare_close(&bare);
	if (!ret)
		return info;
	json_object_put(info);
	return NULL;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value)
							      : NULL;
}

static u64 number_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static bool is_true(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

/* "KEY: VALUE" with VALUE made fit for a terminal; nothing if there is none. */
static void print_text(const char *key, const char *value)
{
	if (!value)
		return;
	printf("%s: ", key);
	escape_put(stdout, value);
	putchar('\n');
}

static void print_size(struct json_object *info)
{
	char *size = size_text(number_of(info, "virtual-size"));

	printf("virtual size: %s (%llu bytes)\n", size, number_of(info, "virtual-size"));
	free(size);
	size = size_text(number_of(info, "actual-size"));
	printf("disk size: %s\n", size);
	free(size);
}

static void print_backing(struct json_object *info)
{
	const char *name = text_of(info, "backing-filename");
	const char *full = text_of(info, "full-backing-filename");

	if (!name)
		return;
	fputs("backing file: ", stdout);
	escape_put(stdout, name);
	if (strcmp(name, full)) {
		fputs(" (actual path: ", stdout);
		escape_put(stdout, full);
		putchar(')');
	}
	putchar('\n');
	print_text("backing file format", text_of(info, "backing-filename-format"));
}

static void print_snapshot(struct json_object *snap)
{
	char *id = escape_visible(text_of(snap, "id")),
	     *name = escape_visible(text_of(snap, "name"));
	char *size = size_text(number_of(snap, "vm-state-size"));
	u64 clock = number_of(snap, "vm-clock-sec");
	time_t seconds = number_of(snap, "date-sec");
	char date[32] = "", *time_text;
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	time_text = xasprintf("%02llu:%02llu:%02llu.%03llu", clock / 3600, clock / 60 % 60,
			      clock % 60, number_of(snap, "vm-clock-nsec") / 1000000);
	printf("%-9s %-16s %8s%20s%13s%11s\n", id, name, size, date, time_text,
	       text_of(snap, "icount") ? text_of(snap, "icount") : "");
	free(id);
	free(name);
	free(size);
	free(time_text);
}

void image_info_print_snapshots(struct json_object *info)
{
	struct json_object *list;
	size_t i;

	if (!json_object_object_get_ex(info, "snapshots", &list))
		return;
	printf("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE",
	       "VM CLOCK", "ICOUNT");
	for (i = 0; i < json_object_array_length(list); i++)
		print_snapshot(json_object_array_get_idx(list, i));
}

static void print_bitmaps(struct json_object *list)
{
	struct json_object *bm, *flags;
	size_t i, j;

	puts("    bitmaps:");
	for (i = 0; i < json_object_array_length(list); i++) {
		bm = json_object_array_get_idx(list, i);
		printf("        [%zu]:\n            flags:\n", i);
		json_object_object_get_ex(bm, "flags", &flags);
		for (j = 0; j < json_object_array_length(flags); j++)
			printf("                [%zu]: %s\n", j,
			       json_object_get_string(json_object_array_get_idx(flags, j)));
		print_text("            name", text_of(bm, "name"));
		printf("            granularity: %llu\n", number_of(bm, "granularity"));
	}
}

static void print_specific(struct json_object *info)
{
	struct json_object *specific, *data, *value;

	if (!json_object_object_get_ex(info, "format-specific", &specific))
		return;
	json_object_object_get_ex(specific, "data", &data);
	puts("Format specific information:");
	print_text("    compat", text_of(data, "compat"));
	print_text("    compression type", text_of(data, "compression-type"));
	print_text("    lazy refcounts", text_of(data, "lazy-refcounts"));
	if (json_object_object_get_ex(data, "bitmaps", &value))
		print_bitmaps(value);
	print_text("    refcount bits", text_of(data, "refcount-bits"));
	print_text("    data file", text_of(data, "data-file"));
	print_text("    data file raw", text_of(data, "data-file-raw"));
	print_text("    corrupt", text_of(data, "corrupt"));
	if (json_object_object_get_ex(data, "encrypt", &value))
		print_text("    encrypt format", text_of(value, "format"));
	print_text("    extended l2", text_of(data, "extended-l2"));
}

void image_info_print(struct json_object *info)
{
	print_text("image", text_of(info, "filename"));
	print_text("file format", text_of(info, "format"));
	print_size(info);
	if (is_true(info, "encrypted"))
		puts("encrypted: yes");
	print_text("cluster_size", text_of(info, "cluster-size"));
	if (is_true(info, "dirty-flag"))
		puts("cleanly shut down: no");
	print_backing(info);
	image_info_print_snapshots(info);
	print_specific(info);
}
