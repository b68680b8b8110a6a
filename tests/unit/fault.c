// SPDX-License-Identifier: GPL-2.0-only
/* Allocations and reads that fail when told to. */
#include "fault.h"

/* What is still to come before something fails; off while 0. All accesses are atomic. */
struct fault {
	long left;
	bool on;
};

static struct fault alloc_fault, read_fault;
static bool hit;

/* Count down and tell whether this one fails. */
static bool due(struct fault *fault)
{
	long left;

	if (!READ_ONCE(fault->left))
		return false;
	/* Below zero the fault has been, and stays if it is to stay. */
	left = __atomic_sub_fetch(&fault->left, 1, __ATOMIC_RELAXED);
	if (!left)
		WRITE_ONCE(fault->left, -1);
	if (left > 0 || (left < 0 && !READ_ONCE(fault->on)))
		return false;
	WRITE_ONCE(hit, true);
	return true;
}

static void arm(struct fault *fault, unsigned long nth, bool on)
{
	WRITE_ONCE(fault->on, on);
	WRITE_ONCE(fault->left, nth);
}

void fault_alloc(unsigned long nth, bool on)
{
	fault_clear();
	arm(&alloc_fault, nth, on);
}

void fault_read(unsigned long nth, bool on)
{
	fault_clear();
	arm(&read_fault, nth, on);
}

void fault_clear(void)
{
	arm(&alloc_fault, 0, false);
	arm(&read_fault, 0, false);
	WRITE_ONCE(hit, false);
}

bool fault_hit(void)
{
	return READ_ONCE(hit);
}

void *q2_env_alloc(size_t size)
{
	/* No alignment beyond malloc's: nothing here reads with O_DIRECT. */
	return due(&alloc_fault) ? NULL : malloc(size);
}

static int mem_read(struct q2_file *file, u64 offset, void *buf, size_t len)
{
	struct mem_file *mem = container_of(file, struct mem_file, file);
	size_t got = 0;

	__atomic_add_fetch(&mem->reads, 1, __ATOMIC_RELAXED);
	if (due(&read_fault))
		return -EIO;
	if (offset < file->size)
		got = min((u64)len, file->size - offset);
	memcpy(buf, mem->data + (got ? offset : 0), got);
	memset((u8 *)buf + got, 0, len - got);
	return 0;
}

static const struct q2_file_ops mem_ops = {.read = mem_read};

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
