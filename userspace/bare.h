/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A qcow2 file with its header decoded and no more: for verbs that also look at
 * images nobody could serve, encrypted or damaged ones.
 */
#ifndef QCOWCTL_BARE_H
#define QCOWCTL_BARE_H

#include "format/header.h"
#include "hostfile.h"

/**
 * struct bare - the file
 * @host: open, and locked if that was wanted
 * @hdr: header
 * @geo: geometry
 */
struct bare {
	struct host_file *host;
	struct q2_header hdr;
	struct q2_geometry geo;
};

/* What bare_open() returns for a file that does not start like a qcow2 image. */
#define BARE_FOREIGN 1

/**
 * bare_open() - open a file and decode its header
 * @path: path
 * @force_share: take no lock
 * @bare: result, to be closed with bare_close()
 *
 * Return: 0; after having said why not BARE_FOREIGN or -1.
 */
int bare_open(const char *path, bool force_share, struct bare *bare);

/* The same for reading and writing, as the only user of the image. */
int bare_open_write(const char *path, struct bare *bare);
void bare_close(struct bare *bare);

/* A span of cluster 0 as a string, to be freed; NULL if it is empty or after having said why. */
char *bare_span(struct bare *bare, const struct q2_span *span);

#endif
