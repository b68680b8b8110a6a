// SPDX-License-Identifier: GPL-2.0-only
/* Allocations and reads that fail when told to. */
#include "fault.h"

static long alloc_left, read_left; /* 0: no fault is due */
static bool hit;

/* Count down and tell whether this is the one. */
static bool due(long *left)
{
	if (__atomic_load_n(left, __ATOMIC_RELAXED) <= 0 ||
	    __atomic_sub_fetch(left, 1, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&hit, true, __ATOMIC_RELAXED);
	return true;
}

void fault_alloc(unsigned long nth)
{
	fault_clear();
	alloc_left = nth;
}

void fault_read(unsigned long nth)
{
	fault_clear();
	read_left = nth;
}

void fault_clear(void)
{
	alloc_left = read_left = 0;
	hit = false;
}

bool fault_hit(void)
{
	return __atomic_load_n(&hit, __ATOMIC_RELAXED);
}

void *q2_env_alloc(size_t size)
{
	/* No alignment beyond malloc's: nothing here reads with O_DIRECT. */
	return due(&alloc_left) ? NULL : malloc(size);
}

static int mem_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct mem_file *mem = container_of(file, struct mem_file, file);
	size_t got = 0;

	__atomic_add_fetch(&mem->reads, 1, __ATOMIC_RELAXED);
	if (due(&read_left))
		return -EIO;
	if (offset < file->size)
		got = min((u64)len, file->size - offset);
	memcpy(buf, mem->data + (got ? offset : 0), got);
	memset((u8 *)buf + got, 0, len - got);
	return 0;
}

static const struct q2_file_ops mem_ops = { .read = mem_read };

struct mem_file *mem_file_create(size_t len)
{
	struct mem_file *mem = calloc(1, sizeof(*mem));

	if (mem)
		mem->data = calloc(1, len ? len : 1);
	if (!mem || !mem->data) {
		perror("mem_file_create");
		exit(1);
	}
	mem->file.ops = &mem_ops;
	mem->file.name = "memory";
	mem->file.size = len;
	return mem;
}

struct mem_file *mem_file_load(const char *path)
{
	FILE *in = fopen(path, "r");
	struct mem_file *mem;
	long len;

	if (!in || fseek(in, 0, SEEK_END) || (len = ftell(in)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(in);
	mem = mem_file_create(len);
	if (fread(mem->data, 1, len, in) != (size_t)len) {
		perror(path);
		exit(1);
	}
	fclose(in);
	return mem;
}

void mem_file_free(struct mem_file *mem)
{
	if (!mem)
		return;
	free(mem->data);
	free(mem);
}
