/* SPDX-License-Identifier: GPL-2.0-only */
/* What a new image shall be like, as -o NAME=VALUE,... says it. */
#ifndef QCOWCTL_WISH_H
#define QCOWCTL_WISH_H

#include "new-image.h"
#include "options.h"

/**
 * struct wish - what is asked for
 * @image: the image, with what nobody has asked for as QEMU has it
 * @has_size: a size was given
 * @has_cluster_size: a cluster size was given
 * @has_extended_l2: subclusters were asked for, or refused
 */
struct wish {
	struct new_image image;
	bool has_size;
	bool has_cluster_size;
	bool has_extended_l2;
};

#define WISH_NOTHING                                                              \
	{                                                                         \
		.image = {.version = 3, .cluster_bits = 16, .refcount_order = 4 } \
	}

/* The values of all options -o, joined; to be freed, and not before the wish is done with. */
char *wish_list(const struct args *args);

/**
 * wish_set_list() - take options
 * @wish: wish; points into @list afterwards
 * @list: "NAME=VALUE,...", is taken apart in place
 *
 * Return: 0, or -1 after having said what is wrong.
 */
int wish_set_list(struct wish *wish, char *list);

/* One option; @value lives as long as the wish. Return: as wish_set_list(). */
int wish_set(struct wish *wish, const char *name, const char *value);

/* Subclusters for an overlay, if nobody has asked for something else. */
void wish_choose_for_overlay(struct wish *wish);

/* Make the image. Return: 0, or -1 after having said why not. */
int wish_store(struct wish *wish, const char *path);

#endif
