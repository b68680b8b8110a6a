// SPDX-License-Identifier: GPL-2.0-only
/*
 * fragments IMAGE CLUSTER-BITS TABLES EVEN ODD [BACKING]
 *	a qcow2 image without data that takes long to look through: it has TABLES L2
 *	tables, and their entries are EVEN and ODD in turn. 0: there is nothing, 1:
 *	zeroes. BACKING is the name of a backing file, a qcow2 image.
 *
 * qemu-img check calls it clean.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 104

static uint64_t cluster;
static unsigned char *buf;
static FILE *out;

static void put(uint64_t at, int bytes, uint64_t value)
{
	while (bytes--) {
		buf[at + bytes] = value;
		value >>= 8;
	}
}

static uint64_t clusters_for(uint64_t bytes)
{
	return (bytes + cluster - 1) / cluster;
}

static void write_out(uint64_t bytes)
{
	if (fwrite(buf, 1, bytes, out) != bytes) {
		perror("fragments: write");
		exit(1);
	}
	memset(buf, 0, bytes);
}

int main(int argc, char **argv)
{
	uint64_t bits, tables, words[2], entries, l1, reftable, blocks, before, total, i;
	const char *backing = argc > 6 ? argv[6] : "";

	if (argc != 6 && argc != 7)
		return 2;
	bits = strtoull(argv[2], NULL, 0);
	tables = strtoull(argv[3], NULL, 0);
	words[0] = strtoull(argv[4], NULL, 0);
	words[1] = strtoull(argv[5], NULL, 0);
	cluster = 1ULL << bits;
	entries = cluster / 8;

	/* The header, the L1 table, the refcount table, its blocks, the L2 tables. */
	l1 = clusters_for(8 * tables);
	for (blocks = 1;; blocks++) {
		reftable = clusters_for(8 * blocks);
		before = 1 + l1 + reftable + blocks;
		total = before + tables;
		if (blocks * cluster / 2 >= total)
			break;
	}
	buf = calloc(total > cluster ? total : cluster, 8);
	out = fopen(argv[1], "w");
	if (!buf || !out) {
		perror(argv[1]);
		return 1;
	}

	memcpy(buf, "QFI\xfb", 4);
	put(4, 4, 3);
	put(20, 4, bits);
	put(24, 8, tables * entries * cluster);
	put(36, 4, tables);
	put(40, 8, cluster);
	put(48, 8, (1 + l1) * cluster);
	put(56, 4, reftable);
	put(96, 4, 4);
	put(100, 4, HEADER_BYTES);
	if (*backing) {
		put(HEADER_BYTES, 4, 0xe2792aca);
		put(HEADER_BYTES + 4, 4, 5);
		memcpy(buf + HEADER_BYTES + 8, "qcow2", 5);
		put(8, 8, HEADER_BYTES + 24);
		put(16, 4, strlen(backing));
		strcpy((char *)buf + HEADER_BYTES + 24, backing);
	}
	write_out(cluster);
	for (i = 0; i < tables; i++)
		put(8 * i, 8, 1ULL << 63 | (before + i) * cluster);
	write_out(l1 * cluster);
	for (i = 0; i < blocks; i++)
		put(8 * i, 8, (1 + l1 + reftable + i) * cluster);
	write_out(reftable * cluster);
	for (i = 0; i < total; i++)
		put(2 * i, 2, 1);
	write_out(blocks * cluster);
	while (tables--) {
		for (i = 0; i < entries; i++)
			put(8 * i, 8, words[i % 2]);
		write_out(cluster);
	}
	return fclose(out) != 0;
}
