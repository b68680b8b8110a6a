/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One open qcow2 image: header, L1 table, metadata cache, lookups.
 *
 * Does: open with every check of the format, answer "what does this image say
 * of these guest bytes". Does not: know of other images (chain/), read or
 * write guest data (io/), hold more metadata in memory than its cache allows.
 *
 * An image object is shared by all devices that use the image; everything here
 * may be called from many threads at once. Calls that may read the file block.
 */
#ifndef Q2_IMAGE_IMAGE_H
#define Q2_IMAGE_IMAGE_H

#include "format/header.h"
#include "format/l2.h"
#include "image/file.h"

struct q2_image;

/* Bytes of L2 slices one image keeps unless told otherwise. */
#define Q2_CACHE_DEFAULT (2U << 20)
#define Q2_CACHE_MIN (64U << 10)
#define Q2_CACHE_MAX (1U << 30)

/**
 * q2_image_open() - open an image for reading
 * @file: the host file; stays open until after q2_image_close(), not owned
 * @cache_bytes: bound of the metadata cache, Q2_CACHE_MIN..Q2_CACHE_MAX
 * @err: reason of a refusal: a sentence without the file's name
 *
 * Dirty and corrupt images open, as in QEMU: nothing is written. Encryption and
 * external data files are refused (-EOPNOTSUPP). Blocks.
 *
 * Return: the image or ERR_PTR: what q2_header_decode() returns, -EIO and the
 * like from the file, -ENOMEM.
 */
struct q2_image *q2_image_open(struct q2_file *file, size_t cache_bytes, struct q2_err *err);

/* Close it. Nobody uses it any more. Blocks. */
void q2_image_close(struct q2_image *img);

/* The decoded header; constant while the image is open read-only. */
const struct q2_header *q2_image_header(const struct q2_image *img);

/* The geometry; constant. */
const struct q2_geometry *q2_image_geometry(const struct q2_image *img);

/* Guest size in bytes, a multiple of 512. */
u64 q2_image_size(const struct q2_image *img);

/* The file the image lies in. */
struct q2_file *q2_image_file(const struct q2_image *img);

/**
 * q2_image_span() - bytes of cluster 0 that a span of the header names
 * @img: image
 * @span: for example &hdr->backing
 * @buf: at least span->length + 1 bytes; NUL-terminated
 *
 * Blocks. Return: 0 or -errno of the file.
 */
int q2_image_span(struct q2_image *img, const struct q2_span *span, char *buf);

/**
 * struct q2_extent - a run of guest bytes with one answer
 * @guest: first guest byte
 * @len: bytes, at least 1; never more than was asked for
 * @kind: what the image says of it
 * @copied: Q2_DATA: all clusters of the run may be written in place
 * @host: Q2_DATA: host offset of the byte @guest, so the run is contiguous in
 *        the host file; Q2_COMPRESSED: host offset of the compressed data of
 *        the cluster that holds @guest
 * @compressed_size: Q2_COMPRESSED: stored bytes available at @host
 */
struct q2_extent {
	u64 guest;
	u64 len;
	enum q2_kind kind;
	bool copied;
	u32 compressed_size;
	u64 host;
};

/**
 * q2_image_lookup() - what the image says of guest bytes
 * @img: image
 * @guest: first byte, below q2_image_size()
 * @len: bytes wanted, at least 1; what lies beyond the image's end is cut off
 * @ext: result: the longest run of one answer from @guest that is cheap to
 *       tell: it ends at the latest where another L2 slice begins (an L2 table
 *       that is absent is told of as one run). A compressed run never spans
 *       clusters.
 *
 * Reads L2 slices on a cache miss: may block. A table entry that breaks the
 * format is -EUCLEAN for the bytes it covers and for those alone; @ext then
 * holds guest and len of them.
 *
 * Return: 0, -EUCLEAN, -ENOMEM, or -errno of the file (@ext holds the bytes
 * that the failed slice covers, cut to the request).
 */
int q2_image_lookup(struct q2_image *img, u64 guest, u64 len, struct q2_extent *ext);

/**
 * struct q2_cache_stats - metadata cache of one image
 * @bytes: held now
 * @limit: may be held
 * @hits: slices found since the image was opened
 * @misses: slices read from the file since then
 */
struct q2_cache_stats {
	u64 bytes;
	u64 limit;
	u64 hits;
	u64 misses;
};

/* Counters; not a consistent snapshot. Never blocks. */
void q2_image_cache_stats(struct q2_image *img, struct q2_cache_stats *stats);

/**
 * q2_image_shrink() - give memory back
 * @img: image
 * @nr: slices to drop at most
 *
 * Drops unused clean slices, oldest first; skips the image if its cache is
 * busy. Does not block on I/O; safe from a shrinker.
 *
 * Return: slices dropped.
 */
unsigned long q2_image_shrink(struct q2_image *img, unsigned long nr);

/* Slices that q2_image_shrink() could drop now, roughly. */
unsigned long q2_image_shrinkable(struct q2_image *img);

#endif
