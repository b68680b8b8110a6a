// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images in files of ext4: a small file system for each, logged by QEMU.
 *
 * After a power cut e2fsck plays its journal back, and debugfs takes the image out.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "qemu.h"
#include "replay.h"

#define K 1024ULL
#define M (1024 * K)

#define FS_SIZE (24 * M)
#define LOG_ROOM (1024 * M)
/* Always the same, so that a log that was kept fits a file system made anew. */
#define FS_UUID "6f1e2d3c-4b5a-4697-8877-665544332211"

static const struct image_config configs[] = {
	{"fresh-64k", 3, 65536, 16, .size = 2 * M, .empty = true},
	{"deep-16k", 3, 16384, 16, .backing = BACKING_DEEP, .size = 1 * M},
	{"compressed-snapshot-4k", 3, 4096, 16, .compress = "zlib", .snapshots = 1, .size = 1 * M},
	{"extended-64k-over-raw", 3, 65536, 16, .extended = true, .backing = BACKING_RAW,
	 .size = 2 * M},
};

/* Of its file system and its mount, in turn. */
static const char *const block_sizes[] = {"4096", "1024", "1024", "4096"};
static const char *const mounts[] = {"noatime", "discard", "noatime", "discard,noatime"};

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static void prepare(struct replay *r, FILE *plan)
{
	const struct image_config *c = r->config;
	const char *dir = text("%s/%s.files", sim.dir, c->name);
	const char *fs = text("%s/%s.fs", sim.dir, c->name);
	unsigned int i = r->set->nr;
	u64 size;
	u8 *data;

	mkdir(dir, 0700);
	fprintf(plan, "%s %llu %llu %llu %llu %s", c->name, c->size / SECTOR, sim.seed,
		replay_unit(c), FS_SIZE / SECTOR, mounts[r->number % ARRAY_SIZE(mounts)]);
	while (i--) {
		const struct layer *l = &r->set->layers[i];

		file_write(text("%s/%s", dir, base_name(l->path)), l->data, l->size);
		fprintf(plan, " %s:%s", l->raw ? "raw" : "qcow2", base_name(l->path));
	}
	unlink(fs);
	qemu_run(true, "mke2fs", "-q", "-F", "-t", "ext4", "-N", "64", "-m", "0", "-b",
		 block_sizes[r->number % ARRAY_SIZE(block_sizes)], "-J", "size=4", "-U", FS_UUID,
		 "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard,hash_seed=" FS_UUID, "-d",
		 dir, fs, text("%lluK", FS_SIZE / K), NULL);
	data = file_read(fs, &size);
	r->disk = disk_create(data, size, size, true);
	free(data);
	if (truncate(fs, r->disk->size + MARK_SECTORS * SECTOR))
		exit(1);
	while (++i < r->set->nr)
		unlink(text("%s/%s", dir, base_name(r->set->layers[i].path)));
	rmdir(dir);
	snprintf(r->log_path, sizeof(r->log_path), "%s/%s.log", sim.dir, c->name);
	r->log_size = LOG_ROOM;
}

/* Without what is zeroes. */
static void write_sparse(const char *path, const u8 *data, u64 size)
{
	static const u8 zero[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	u64 at, n = sizeof(zero);

	if (fd < 0 || ftruncate(fd, size)) {
		perror(path);
		exit(1);
	}
	for (at = 0; at < size; at += n) {
		if (memcmp(data + at, zero, n) && pwrite(fd, data + at, n, at) != (ssize_t)n) {
			perror(path);
			exit(1);
		}
	}
	close(fd);
}

static void extract(struct replay *r, const struct disk_state *cut, struct disk_state *image)
{
	const char *fs = text("%s/state.fs", sim.dir), *out = text("%s/state.out", sim.dir);
	const char *top = base_name(image_top(r->set)->path);
	int status;

	write_sparse(fs, cut->data, cut->size);
	status = qemu_run(false, "e2fsck", "-f", "-y", fs, NULL);
	if (status > 1)
		FAIL("e2fsck says %d (%s)", status, fs);
	unlink(out);
	qemu_run(true, "debugfs", "-R", text("dump /%s %s", top, out), fs, NULL);
	if (access(out, R_OK))
		FAIL("the image is not there after a power cut (%s)", fs);
	*image = *cut;
	image->data = file_read(out, &image->size);
	unlink(out);
	unlink(fs);
}

const struct place place_file = {
	.name = "file",
	.configs = configs,
	.nr = ARRAY_SIZE(configs),
	.prepare = prepare,
	.extract = extract,
};
