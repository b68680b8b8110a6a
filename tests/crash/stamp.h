/* SPDX-License-Identifier: GPL-2.0-only */
/* What a sector of guest data looks like: its place and a version, again and again. */
#ifndef Q2_SIM_STAMP_H
#define Q2_SIM_STAMP_H

#include <stdint.h>
#include <string.h>

#define SECTOR 512U

#define V_ZERO 0U	    /* the sector is zeroes */
#define V_BASE 1U	    /* of the backing file */
#define V_TOP 2U	    /* of the image before the test; + number of snapshots taken before */
#define V_MID 10U	    /* of a layer between base and top; + its number */
#define V_FIRST 100U	    /* the first that a test writes */
#define V_BROKEN UINT32_MAX /* no sector of ours, or not of this place */

#define STAMP_MAGIC 0x71c0777200000000ULL

static inline uint64_t stamp_place(uint64_t sector)
{
	return (sector + 1) * 0x9e3779b97f4a7c15ULL;
}

static inline void stamp(void *buf, uint64_t sector, uint32_t version)
{
	uint64_t words[SECTOR / 8];
	unsigned int i;

	for (i = 0; i < SECTOR / 8; i += 2) {
		words[i] = version == V_ZERO ? 0 : stamp_place(sector);
		words[i + 1] = version == V_ZERO ? 0 : STAMP_MAGIC | version;
	}
	memcpy(buf, words, SECTOR);
}

static inline uint32_t stamp_read(const void *buf, uint64_t sector)
{
	uint64_t words[SECTOR / 8];
	unsigned int i;

	memcpy(words, buf, SECTOR);
	for (i = 2; i < SECTOR / 8; i++) {
		if (words[i] != words[i & 1])
			return V_BROKEN;
	}
	if (!words[0] && !words[1])
		return V_ZERO;
	if (words[0] != stamp_place(sector) || (words[1] & ~0xffffffffULL) != STAMP_MAGIC)
		return V_BROKEN;
	return (uint32_t)words[1];
}

#endif
