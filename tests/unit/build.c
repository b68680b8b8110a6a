// SPDX-License-Identifier: GPL-2.0-only
/* Small qcow2 images in memory. */
#include "build.h"

void put16(void *buf, size_t at, u16 value)
{
	u8 *p = (u8 *)buf + at;

	p[0] = value >> 8;
	p[1] = value;
}

void put32(void *buf, size_t at, u32 value)
{
	put16(buf, at, value >> 16);
	put16(buf, at + 2, value);
}

void put64(void *buf, size_t at, u64 value)
{
	put32(buf, at, value >> 32);
	put32(buf, at + 4, value);
}

u64 get64(const void *buf, size_t at)
{
	const u8 *p = (const u8 *)buf + at;
	u64 value = 0;
	int i;

	for (i = 0; i < 8; i++)
		value = value << 8 | p[i];
	return value;
}

struct built build_image(unsigned int version, unsigned int cluster_bits, bool extended, u64 size,
			 unsigned int data_clusters)
{
	struct built b = {.cluster_bits = cluster_bits, .entry_bytes = extended ? 16 : 8};
	u64 cs = 1ULL << cluster_bits;
	u64 coverage = cs / b.entry_bytes * cs;
	u64 l1_size = (size + coverage - 1) / coverage;
	u64 l1_offset = 2 * cs; /* behind the header and the refcount table */
	u64 i;
	u8 *d;

	b.l2_offset = l1_offset + (l1_size * 8 + cs - 1) / cs * cs;
	b.data_offset = b.l2_offset + l1_size * cs;
	b.mem = mem_file_create(b.data_offset + data_clusters * cs);
	d = b.mem->data;
	put32(d, H_MAGIC, 0x514649fb);
	put32(d, H_VERSION, version);
	put32(d, H_CLUSTER_BITS, cluster_bits);
	put64(d, H_SIZE, size);
	put32(d, H_L1_SIZE, l1_size);
	put64(d, H_L1_OFFSET, l1_offset);
	put64(d, H_REFTABLE_OFFSET, cs);
	put32(d, H_REFTABLE_CLUSTERS, 1);
	if (version >= 3) {
		put64(d, H_INCOMPATIBLE, extended ? 16 : 0);
		put32(d, H_REFCOUNT_ORDER, 4);
		put32(d, H_HEADER_LENGTH, 112);
	}
	for (i = 0; i < l1_size; i++)
		put64(d, l1_offset + i * 8, (b.l2_offset + i * cs) | 1ULL << 63);
	return b;
}

void built_free(struct built *built)
{
	mem_file_free(built->mem);
}

u64 built_data(const struct built *built, unsigned int nr)
{
	return built->data_offset + ((u64)nr << built->cluster_bits);
}

void built_map(struct built *built, u64 cluster, u64 word, u64 bitmap)
{
	/* The tables follow one another, so an entry's place does not depend on its table. */
	u64 at = built->l2_offset + cluster * built->entry_bytes;

	put64(built->mem->data, at, word);
	if (built->entry_bytes == 16)
		put64(built->mem->data, at + 8, bitmap);
}
