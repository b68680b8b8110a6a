/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Merging layers of a chain of files that is not attached, as module/job does it in one
 * that is.
 *
 * The chain is looked at twice. First to learn which layers there are, so that words can
 * be taken for layers; then those that are going to be written are opened for that, and
 * from then on to the end every file of the chain is locked.
 *
 * Whenever it is cut short, by a failure, a signal or a crash, the chain shows the same
 * disk, and the same command goes on.
 */
#ifndef QCOWCTL_MERGE_FILES_H
#define QCOWCTL_MERGE_FILES_H

#include "options.h"
#include "walk.h"

/**
 * struct merge_files - a chain to be merged; layers are numbered from 0, the base
 * @args: command line; the first argument is the image at the top
 * @nr: layers
 * @path: their files, base first
 * @walk: the chain, open and locked; NULL before merge_files_hold()
 * @chain: the same for chain/
 * @moved: bytes that have been copied
 */
struct merge_files {
	const struct args *args;
	size_t nr;
	char **path;
	struct walk *walk;
	struct q2_chain *chain;
	u64 moved;
};

/**
 * merge_files_look() - learn the chain
 * @args: command line, with JOB_OPTIONS
 * @files: result, to be given to merge_files_end() in any case
 *
 * Return: 0, or -1 after having said why not.
 */
int merge_files_look(const struct args *args, struct merge_files *files);
void merge_files_end(struct merge_files *files);

/* The layer that @word names. Return: 0, or -1 after having said that there is none. */
int merge_files_find(const struct merge_files *files, const char *word, size_t *index);

/* The layer open in the chain. After merge_files_hold(). */
const struct link *merge_files_link(const struct merge_files *files, size_t index);

/**
 * merge_files_hold() - open and lock all of the chain
 * @files: chain
 * @a: layer that is going to be written
 * @b: the same, or the same one
 *
 * Return: 0, or -1 after having said who uses one of them, or what else is in the way.
 */
int merge_files_hold(struct merge_files *files, size_t a, size_t b);

/**
 * merge_files_commit() - merge layers down
 * @files: chain, @base and the layer above @top open for writing; @top if that is the last
 * @top: highest layer that is merged
 * @base: layer that gets them
 *
 * Return: 0, or -1 after having said why not.
 */
int merge_files_commit(struct merge_files *files, size_t top, size_t base);

/**
 * merge_files_stream() - pull layers up
 * @files: chain, @into open for writing
 * @into: layer that gets what is below
 * @base: layer that stays below; NULL: none does
 *
 * Return: 0, or -1 after having said why not.
 */
int merge_files_stream(struct merge_files *files, size_t into, const size_t *base);

/* Has the image of one of the layers snapshots inside? Return: 0, or -1 after having said so. */
int merge_files_no_snapshots(const struct merge_files *files, size_t first, size_t last);

/**
 * merge_files_done() - say what was done, close the files, and see to those not needed
 * @files: chain
 * @first: lowest layer that is not needed any more
 * @nr: how many, from there up
 *
 * Return: 0, or -1 if one was to be removed and could not be, after having said why.
 */
int merge_files_done(struct merge_files *files, size_t first, size_t nr);

#endif
