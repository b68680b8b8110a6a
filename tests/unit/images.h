/* SPDX-License-Identifier: GPL-2.0-only */
/* The images that tests/unit/golden made. */
#ifndef Q2_TEST_IMAGES_H
#define Q2_TEST_IMAGES_H

#include "disk.h"

#define GOLDEN_MAX_LAYERS 8

/**
 * struct golden - one line of the list, loaded
 * @name: of the image
 * @nr: layers; @files and @raw are base first
 * @content: what QEMU reads from it
 */
struct golden {
	char name[64];
	unsigned int nr;
	struct mem_file *files[GOLDEN_MAX_LAYERS];
	bool raw[GOLDEN_MAX_LAYERS];
	struct mem_file *content;
};

/* Call @visit with every image whose name starts with @prefix; fails if there is none. */
void golden_each(const char *prefix, void (*visit)(struct golden *golden));
/* The path of a file of the golden images. */
const char *golden_path(const char *name, const char *suffix);

#endif
