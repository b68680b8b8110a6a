/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `qemu-img info` tells of one image, collected and printed: as text in
 * its words, as JSON with its keys.
 */
#ifndef QCOWCTL_IMAGE_INFO_H
#define QCOWCTL_IMAGE_INFO_H

#include <json-c/json.h>
#include <stdbool.h>

/**
 * image_info() - all of it as JSON
 * @path: what the image is called in the output
 * @open_path: the file to open
 * @raw: its format is raw, otherwise qcow2
 * @force_share: take no lock
 *
 * Opens this file and no other. Return: an object, or NULL after having said why not.
 */
struct json_object *image_info(const char *path, const char *open_path, bool raw, bool force_share);

/* Print what image_info() gave as text. */
void image_info_print(struct json_object *info);

/* Print the list of snapshots in it, as qemu-img snapshot -l; nothing if there is none. */
void image_info_print_snapshots(struct json_object *info);

#endif
