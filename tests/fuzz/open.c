// SPDX-License-Identifier: GPL-2.0-only
/*
 * Input: 8 bytes to choose by, then an image, or two of which the second lies
 * under the first. Opened, looked up at many places, chained and mapped.
 */
#include "chain/map.h"
#include "fault.h"
#include "fuzz.h"

#define LOOKUPS 64
#define FILLS 4

/* Sizes that cost time and memory and show nothing that smaller ones do not. */
static bool affordable(const u8 *data, size_t len)
{
	struct q2_header hdr;

	return q2_header_decode(data, min(len, (size_t)Q2_V3_HEADER_FULL), &hdr, NULL) ||
	       (hdr.l1_size <= 65536 && hdr.nb_snapshots <= 1024);
}

static u64 any_offset(u64 *seed, u64 size)
{
	u64 r = *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;

	r ^= r >> 29;
	switch (r % 4) {
	case 0:
		return r / 4 % min(size, 65536ULL); /* near the start */
	case 1:
		return size - 1 - r / 4 % min(size, 65536ULL);
	default:
		return r / 4 % size;
	}
}

/* A run and the byte in its middle say the same. */
static void lookup(struct q2_chain *chain, u64 guest, u64 want)
{
	unsigned int layer, layer_mid;
	struct q2_extent ext, mid;
	int ret = q2_chain_lookup(chain, guest, want, &layer, &ext);

	HOLDS(!ret || ret == -EUCLEAN);
	HOLDS(ext.guest == guest && ext.len >= 1 && ext.len <= min(want, chain->size - guest));
	HOLDS(layer < chain->nr_layers);
	HOLDS(q2_chain_lookup(chain, guest + ext.len / 2, 1, &layer_mid, &mid) == ret);
	HOLDS(layer_mid == layer && mid.len == 1);
	if (ret)
		return;
	HOLDS(mid.kind == ext.kind);
	if (ext.kind == Q2_DATA)
		HOLDS(mid.host == ext.host + ext.len / 2 && ext.host + ext.len <= 1ULL << 57);
	if (ext.kind == Q2_COMPRESSED)
		HOLDS(mid.host == ext.host && mid.compressed_size == ext.compressed_size);
}

/* The map says what the chain says. */
static void map_lookup(struct q2_chain *chain, struct q2_map *map, u64 guest, u64 want)
{
	unsigned int layer;
	struct q2_extent ext;
	struct q2_run run = {.layer = 0};
	int ret;

	want = min(want, chain->size - guest);
	q2_map_lookup(map, guest, want, &run);
	HOLDS(run.len >= 1 && run.len <= want);
	ret = q2_chain_lookup(chain, guest, 1, &layer, &ext);
	switch (run.kind) {
	case Q2_MAP_DATA:
		HOLDS(!ret && ext.kind == Q2_DATA && run.layer == layer && run.host == ext.host);
		break;
	case Q2_MAP_ZERO:
		HOLDS(!ret && (ext.kind == Q2_ZERO || ext.kind == Q2_ZERO_ALLOCATED ||
			       ext.kind == Q2_UNALLOCATED));
		break;
	case Q2_MAP_COMPRESSED:
		HOLDS(!ret && ext.kind == Q2_COMPRESSED && run.layer == layer);
		break;
	case Q2_MAP_BAD:
		HOLDS(ret == -EUCLEAN);
		break;
	default:
		break;
	}
}

static void use(struct q2_chain *chain, u64 seed)
{
	struct q2_map *map;
	int i;

	q2_chain_init(chain);
	if (!chain->size)
		return;
	for (i = 0; i < LOOKUPS; i++)
		lookup(chain, any_offset(&seed, chain->size), 1 + any_offset(&seed, 1ULL << 40));
	map = q2_map_create(chain, Q2_MAP_MIN);
	for (i = 0; i < FILLS; i++) {
		u64 guest = any_offset(&seed, chain->size);
		struct q2_run run;
		int j;

		HOLDS(!q2_map_fill(map, guest));
		q2_map_lookup(map, guest, 1, &run);
		HOLDS(run.kind != Q2_MAP_MISS);
		map_lookup(chain, map, guest, 1ULL << 40);
		for (j = 0; j < LOOKUPS / FILLS; j++)
			map_lookup(chain, map, any_offset(&seed, chain->size),
				   1 + any_offset(&seed, 1ULL << 30));
	}
	q2_map_destroy(map);
}

/* A part of the input as a layer; false if it is not an image. */
static bool open_layer(struct q2_layer *layer, struct mem_file *mem, bool raw)
{
	struct q2_err err = {""};

	layer->file = &mem->file;
	layer->size = round_down(mem->file.size, 512);
	if (raw)
		return true;
	layer->img = q2_image_open(&mem->file, Q2_CACHE_MIN, &err);
	if (IS_ERR(layer->img)) {
		refused(PTR_ERR(layer->img), &err);
		layer->img = NULL;
		return false;
	}
	layer->size = q2_image_size(layer->img);
	return true;
}

static struct mem_file *part(const u8 *data, size_t len)
{
	struct mem_file *mem = mem_file_create(len);

	memcpy(mem->data, data, len);
	return mem;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	u64 choice = take(&data, &len, 8);
	unsigned int nr = choice & 1 ? 2 : 1, i;
	size_t top = nr == 2 ? min((size_t)(choice >> 8 & 0xffff), len) : len;
	struct mem_file *files[2] = {NULL, NULL};
	struct q2_chain *chain;
	bool good = true;

	if (!affordable(data, top) || !affordable(data + top, len - top))
		return 0;
	files[nr - 1] = part(data, top);
	if (nr == 2)
		files[0] = part(data + top, len - top);
	chain = q2_chain_alloc(nr);
	for (i = 0; i < nr && good; i++)
		good = open_layer(&chain->layers[i], files[i], nr == 2 && !i && choice & 2);
	if (good)
		use(chain, choice);
	for (i = 0; i < nr; i++) {
		if (chain->layers[i].img)
			q2_image_close(chain->layers[i].img);
		mem_file_free(files[i]);
	}
	q2_chain_free(chain);
	return 0;
}
