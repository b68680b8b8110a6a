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
	chain->size = chain->layers[chain->nr_layers - 1].size;
}

void q2_chain_free(struct q2_chain *chain)
{
	kvfree(chain);
}

int q2_chain_lookup(struct q2_chain *chain, u64 guest, u64 len, unsigned int *layer,
		    struct q2_extent *ext)
{
	unsigned int i = chain->nr_layers - 1;
	int ret;

	len = min(len, chain->size - guest);
	for (;; i--) {
		const struct q2_layer *l = &chain->layers[i];

		*layer = i;
		if (guest >= l->size) {
			/* Shorter than what lies on it: QEMU reads zeroes there. */
			memset(ext, 0, sizeof(*ext));
			ext->guest = guest;
			ext->len = len;
			ext->kind = Q2_ZERO;
			return 0;
		}
		len = min(len, l->size - guest);
		if (!l->img) {
			memset(ext, 0, sizeof(*ext));
			ext->guest = guest;
			ext->len = len;
			ext->kind = Q2_DATA;
			ext->copied = true; /* a raw file's bytes are its own */
			ext->host = guest;
			return 0;
		}
		ret = q2_image_lookup(l->img, guest, len, ext);
		if (ret || ext->kind != Q2_UNALLOCATED || !i)
			return ret;
		len = ext->len;
	}
}
