/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A chain on disk, from the image at the top down to its base.
 *
 * Does: open image after image with the shared format code, follow the names of
 * backing files as QEMU does (relative to the directory of the image that names
 * them), apply the policy, find loops by device and inode. Does not: probe a
 * format, recurse, or follow json: and protocol: names.
 */
#ifndef QCOWCTL_WALK_H
#define QCOWCTL_WALK_H

#include "chain/chain.h"
#include "hostfile.h"
#include "policy.h"

/**
 * struct link - one image of a chain
 * @named: as the image above (or the user) names it
 * @place: absolute, only its directory resolved: relative names start there
 * @path: absolute and resolved: the file that is opened
 * @backing: name of its backing file, NULL: it has none
 * @backing_format: as the image gives it, NULL: it does not
 * @raw: a raw image, otherwise qcow2
 * @size: guest bytes, a multiple of 512
 * @block: on a block device
 * @dev: identity, as in &struct host_file
 * @ino: identity
 * @host: the open file; NULL unless it was to be kept
 * @img: the open image; NULL if raw or not kept
 */
struct link {
	char *named;
	char *place;
	char *path;
	char *backing;
	char *backing_format;
	bool raw;
	u64 size;
	bool block;
	dev_t dev;
	ino_t ino;
	struct host_file *host;
	struct q2_image *img;
};

/**
 * struct walk - a chain
 * @nr: images, at least 1, at most Q2_MAX_LAYERS
 * @link: top first
 */
struct walk {
	unsigned int nr;
	struct link *link;
};

/**
 * struct walk_options - how to walk
 * @format: of the top: "qcow2" or "raw", NULL: qcow2
 * @backing_format: of backing files whose format no image gives; NULL: refuse
 * @policy: judges every backing file
 * @force_share: take no locks
 * @top_only: do not go below the top
 * @keep: leave files (and so their locks) and images open
 * @write: open and lock the top for writing, and make its image writable
 * @written: the same for the links with one of these paths, as &struct link has them;
 *           ends with NULL; NULL: none
 * @header_only: read headers, but do not open images as the kernel would:
 *               encrypted ones and the like are walked too
 */
struct walk_options {
	const char *format;
	const char *backing_format;
	struct policy *policy;
	bool force_share;
	bool top_only;
	bool keep;
	bool header_only;
	bool write;
	const char *const *written;
};

/**
 * walk_chain() - walk
 * @path: the image at the top
 * @options: how
 *
 * Return: the chain, or NULL after having said why not.
 */
struct walk *walk_chain(const char *path, const struct walk_options *options);
void walk_free(struct walk *walk);

/* A chain of kept images as chain/ wants it, base first; to be freed with q2_chain_free(). */
struct q2_chain *walk_to_chain(const struct walk *walk);

/* Would QEMU take the name for a protocol's ("nbd:...") or a json: description? */
bool walk_name_is_protocol(const char *name);

/* Is it a format we know? Says so if not, with @what before it. */
int walk_format_known(const char *what, const char *format);

#endif
