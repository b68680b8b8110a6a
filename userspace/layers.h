/* SPDX-License-Identifier: GPL-2.0-only */
/* The layers of a chain, as people name them, and the names that images store. */
#ifndef QCOWCTL_LAYERS_H
#define QCOWCTL_LAYERS_H

#include "live.h"

/**
 * struct layer_list - layers that a word may name
 * @name: what the user calls the chain
 * @shown_by: verb that shows them
 * @nr: how many
 * @path: their files, base first
 */
struct layer_list {
	const char *name;
	const char *shown_by;
	size_t nr;
	char *const *path;
};

/**
 * layers_find_in() - the layer that @word names
 * @list: layers
 * @word: its index, its path as it is in the list, or any path of its file
 * @index: result, 0 is the base
 *
 * Return: 0, or -1 after having said that it is not in the chain.
 */
int layers_find_in(const struct layer_list *list, const char *word, size_t *index);

/**
 * layers_find() - the layer that @word names
 * @live: device
 * @word: its index as status shows it, its path as the table has it, or any path of its file
 * @index: result, 0 is the base
 *
 * Return: 0, or -1 after having said that it is not in the chain.
 */
int layers_find(const struct live *live, const char *word, size_t *index);

/**
 * layers_name() - what one image is to call another
 * @image: path of the one whose header will have the name
 * @backing: path of its backing file to come
 *
 * In one directory the name alone, so that both can be moved; else the whole path.
 *
 * Return: the name, to be freed; NULL after having said that it is too long.
 */
char *layers_name(const char *image, const char *backing);

/**
 * layers_unneeded() - say which files are no longer needed, or remove them
 * @device: device, which no longer has them
 * @path: files
 * @nr: how many
 * @remove: remove them, but for block devices and files that are in use
 *
 * Return: 0, or -1 if one could not be removed, after having said why.
 */
int layers_unneeded(const struct dm_device *device, char *const *path, size_t nr, bool remove);

/* The same for one file that no chain of ours has any more. */
int layers_unneeded_file(const char *path, bool remove);

#endif
