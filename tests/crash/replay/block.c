// SPDX-License-Identifier: GPL-2.0-only
/* Images on block devices: pieces of one disk, logged by dm-log-writes. */
#include <fcntl.h>
#include <unistd.h>
#include "qemu.h"
#include "replay.h"

#define K 1024ULL
#define M (1024 * K)

/* Of the log disk, for each image. */
#define LOG_ROOM (256 * M)

static const struct image_config configs[] = {
	{"fresh-64k", 3, 65536, 16, .size = 3 * M, .device = true, .empty = true},
	{"fresh-512", 3, 512, 16, .size = 600 * K, .device = true, .empty = true},
	{"deep-16k", 3, 16384, 16, .backing = BACKING_DEEP, .size = 2 * M, .device = true},
	{"compressed-32k", 3, 32768, 16, .compress = "zlib", .size = 2 * M, .device = true},
	{"snapshots-64k", 3, 65536, 16, .snapshots = 2, .size = 2 * M, .device = true},
	{"snapshot-v2-4k-over-raw", 2, 4096, 16, .backing = BACKING_RAW, .snapshots = 1,
	 .compress = "zlib", .size = 1 * M, .device = true},
	{"extended-64k-deep-snapshot", 3, 65536, 16, .extended = true, .backing = BACKING_DEEP,
	 .snapshots = 1, .size = 2 * M, .device = true},
	{"extended-16k-over-short", 3, 16384, 16, .extended = true, .backing = BACKING_SHORT,
	 .compress = "zstd", .size = 1 * M + 1536, .device = true},
};

static int open_disk(const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || (size && ftruncate(fd, size))) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* Bytes to the end of the disk, with @room for them and more. Return: where they are. */
static u64 put(int fd, const u8 *data, u64 size, u64 room)
{
	u64 at = round_up((u64)lseek(fd, 0, SEEK_END), M), done;
	ssize_t n;

	for (done = 0; done < size; done += n) {
		n = pwrite(fd, data + done, size - done, at + done);
		if (n <= 0) {
			perror("disk");
			exit(1);
		}
	}
	if (ftruncate(fd, round_up(at + room, M)))
		exit(1);
	return at;
}

static void prepare(struct replay *r, FILE *plan)
{
	const struct image_config *c = r->config;
	const struct layer *top = image_top(r->set);
	const char *data_path = text("%s/data", sim.dir);
	struct disk *disk;
	unsigned int i;
	int fd;
	u64 at;

	snprintf(r->log_path, sizeof(r->log_path), "%s/log", sim.dir);
	if (!r->number) {
		unlink(data_path);
		unlink(r->log_path);
	}
	fd = open_disk(data_path, 0);
	/* Garbage behind the image, as on a used disk. */
	disk = disk_create(top->data, top->size, top->size + 2 * c->size + 24 * c->cluster + M,
			   true);
	r->disk = disk;
	at = put(fd, disk->live, disk->size, disk->size + MARK_SECTORS * SECTOR);
	r->log_start = r->number * LOG_ROOM;
	r->log_size = LOG_ROOM;
	close(open_disk(r->log_path, (r->number + 1) * LOG_ROOM));
	fprintf(plan, "%s %llu %llu %llu %llu %llu %llu %llu", c->name, c->size / SECTOR, sim.seed,
		replay_unit(c), at / SECTOR, disk->size / SECTOR, r->log_start / SECTOR,
		r->log_size / SECTOR);
	for (i = r->set->nr - 1; i--;) {
		const struct layer *l = &r->set->layers[i];
		u64 size = round_up(l->size, (u64)SECTOR);
		u8 *data = xalloc(size);

		memcpy(data, l->data, l->size);
		fprintf(plan, " %s:%llu:%llu", l->raw ? "raw" : "qcow2",
			put(fd, data, size, size) / SECTOR, size / SECTOR);
		free(data);
	}
	close(fd);
}

static void extract(struct replay *r, const struct disk_state *cut, struct disk_state *image)
{
	*image = *cut;
}

const struct place place_block = {
	.name = "block",
	.configs = configs,
	.nr = ARRAY_SIZE(configs),
	.prepare = prepare,
	.extract = extract,
};
