// SPDX-License-Identifier: GPL-2.0-only
/* A stack of images that reads as one disk. */
#include "env.h"
#include "chain/chain.h"

/* With raw layers alone any granule is right; 64 KiB is what qcow2 has by default. */
#define RAW_GRANULE_BITS 16

struct q2_chain *q2_chain_alloc(unsigned int nr_layers)
{
	struct q2_chain *chain;

	chain = kvzalloc(sizeof(*chain) + nr_layers * sizeof(chain->layers[0]), GFP_KERNEL);
	if (chain)
		chain->nr_layers = nr_layers;
	return chain;
}

void q2_chain_init(struct q2_chain *chain)
{
	unsigned int bits = Q2_MAX_CLUSTER_BITS + 1;
	unsigned int i;

	for (i = 0; i < chain->nr_layers; i++) {
		const struct q2_image *img = chain->layers[i].img;

		if (img)
			bits = min_t(unsigned int, bits, q2_image_geometry(img)->subcluster_bits);
	}
	chain->granule_bits = bits > Q2_MAX_CLUSTER_BITS ? RAW_GRANULE_BITS : bits;
	chain->top = chain->nr_layers - 1;
	chain->dest = Q2_NO_LAYER;
	chain->size = chain->layers[chain->top].size;
}

void q2_chain_free(struct q2_chain *chain)
{
	kvfree(chain);
}

unsigned int q2_chain_below(const struct q2_chain *chain, unsigned int layer)
{
	while (layer--) {
		if (!READ_ONCE(chain->layers[layer].gone))
			return layer;
	}
	return Q2_NO_LAYER;
}

unsigned int q2_chain_above(const struct q2_chain *chain, unsigned int layer)
{
	while (++layer < chain->nr_layers) {
		if (!READ_ONCE(chain->layers[layer].gone))
			return layer;
	}
	return Q2_NO_LAYER;
}

bool q2_chain_in_place(const struct q2_chain *chain, unsigned int layer,
		       const struct q2_extent *ext)
{
	const struct q2_layer *l = &chain->layers[layer];

	if (!chain->writable || !ext->copied)
		return false;
	if (layer != READ_ONCE(chain->top) && layer != READ_ONCE(chain->dest))
		return false;
	/*
	 * MAP-FOLLOWS: pairs with the change that the map counts after the range was
	 * frozen: a filler that still sees the old range does not get its leaf installed.
	 */
	if (ext->guest < READ_ONCE(chain->frozen_end) &&
	    ext->guest + ext->len > READ_ONCE(chain->frozen))
		return false;
	return !l->img || q2_image_may_overwrite(l->img, ext->host, ext->len);
}

/* Bytes of a raw file are its own, where they are. */
static void raw_extent(u64 guest, u64 len, struct q2_extent *ext)
{
	memset(ext, 0, sizeof(*ext));
	ext->guest = guest;
	ext->len = len;
	ext->kind = Q2_DATA;
	ext->copied = true;
	ext->host = guest;
}

/* Shorter than what lies on it: QEMU reads zeroes there. */
static void beyond_extent(u64 guest, u64 len, struct q2_extent *ext)
{
	memset(ext, 0, sizeof(*ext));
	ext->guest = guest;
	ext->len = len;
	ext->kind = Q2_ZERO;
}

int q2_chain_lookup_in(struct q2_chain *chain, unsigned int top, unsigned int bottom, u64 guest,
		       u64 len, unsigned int *layer, struct q2_extent *ext)
{
	unsigned int i = top;
	int ret;

	for (;;) {
		const struct q2_layer *l = &chain->layers[i];
		u64 size = READ_ONCE(l->size);

		*layer = i;
		if (guest >= size) {
			beyond_extent(guest, len, ext);
			return 0;
		}
		len = min(len, size - guest);
		if (!l->img) {
			raw_extent(guest, len, ext);
			return 0;
		}
		ret = q2_image_lookup(l->img, guest, len, ext);
		if (ret || ext->kind != Q2_UNALLOCATED)
			return ret;
		i = q2_chain_below(chain, i);
		if (i == Q2_NO_LAYER || i < bottom) {
			*layer = bottom;
			return 0;
		}
		len = ext->len;
	}
}

int q2_chain_lookup(struct q2_chain *chain, u64 guest, u64 len, unsigned int *layer,
		    struct q2_extent *ext)
{
	return q2_chain_lookup_in(chain, READ_ONCE(chain->top), 0, guest,
				  min(len, chain->size - guest), layer, ext);
}

int q2_chain_owner(struct q2_chain *chain, u64 guest, u64 len, unsigned int *owner, u64 *part)
{
	unsigned int dest = READ_ONCE(chain->dest);
	const struct q2_layer *top;
	u64 size, cluster, past, end;
	struct q2_extent ext;
	int ret;

	*owner = READ_ONCE(chain->top);
	*part = len;
	/* The two are the same for a moment when the merge ends. */
	if (dest == Q2_NO_LAYER || dest == *owner)
		return 0;
	top = &chain->layers[*owner];
	past = READ_ONCE(top->size);
	size = q2_image_geometry(top->img)->cluster_size;
	cluster = round_down(guest, size);
	/* ONE-OWNER: whole clusters: one that the top holds a part of is the top's. */
	end = min(round_up(guest + len, size), past);
	ret = q2_image_lookup(top->img, cluster, end - cluster, &ext);
	if (ret)
		return ret;
	end = cluster + ext.len;
	if (end < past)
		end = round_down(end, size);
	if (ext.kind == Q2_UNALLOCATED && end > guest)
		*owner = dest;
	else
		end = cluster + size;
	*part = min(len, end - guest);
	return 0;
}

void q2_chain_cut_to_owner(struct q2_chain *chain, unsigned int layer, struct q2_extent *ext)
{
	unsigned int owner;
	u64 part;

	/*
	 * MAP-FOLLOWS: whoever changes dest makes the map forget afterwards: a filler that still
	 * sees the old one does not get its leaf installed.
	 */
	if (layer != READ_ONCE(chain->dest) || ext->kind != Q2_DATA)
		return;
	if (q2_chain_owner(chain, ext->guest, ext->len, &owner, &part)) {
		ext->copied = false;
		return;
	}
	ext->len = part;
	if (owner != layer)
		ext->copied = false;
}
