// SPDX-License-Identifier: GPL-2.0-only
/* Reading a log of writes: Documentation/admin-guide/device-mapper/log-writes.rst. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "log.h"

#define LOG_MAGIC 0x6a736677736872ULL

/* On disk, little-endian, a sector each. */
struct super {
	u64 magic;
	u64 version;
	u64 entries;
	u32 sector_size;
};

struct entry {
	u64 sector;
	u64 sectors;
	u64 flags;
	u64 data_len;
};

void log_open(struct log *log, const char *path, u64 offset, u64 size)
{
	const struct super *super;
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	log->size = size;
	log->bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, offset);
	close(fd);
	if (log->bytes == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	super = (const struct super *)log->bytes;
	if (le64toh(super->magic) != LOG_MAGIC || le64toh(super->version) != 1 ||
	    le32toh(super->sector_size) != SECTOR)
		FAIL("%s holds no log at %llu", path, offset);
	log->nr = le64toh(super->entries);
	log_rewind(log);
}

void log_close(struct log *log)
{
	munmap(log->bytes, log->size);
}

void log_rewind(struct log *log)
{
	log->at = SECTOR;
	log->next = 0;
}

bool log_next(struct log *log, struct log_entry *entry)
{
	const struct entry *e = (const struct entry *)(log->bytes + log->at);

	if (log->next == log->nr)
		return false;
	log->next++;
	log->at += SECTOR;
	entry->offset = le64toh(e->sector) * SECTOR;
	entry->len = le64toh(e->sectors) * SECTOR;
	entry->flags = le64toh(e->flags);
	entry->data = NULL;
	if (!(entry->flags & (LOG_DISCARD | LOG_MARK)) && entry->len) {
		entry->data = log->bytes + log->at;
		log->at += entry->len;
	}
	if (log->at > log->size)
		FAIL("entry %llu goes beyond the end of the log", log->next - 1);
	return true;
}
