/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which backing files an image may lead to.
 *
 * The name of a backing file was written by whoever made the image. Following
 * it blindly hands out any file of the host that is named there, so a backing
 * file is taken only from the directory tree of the image at the top or from
 * one that the user allows (--allow, QCOWCTL_ALLOW, /etc/qcowctl.conf). What
 * counts is the place a name leads to, with .. and symbolic links followed,
 * because that is the file that would be read. Of an image in / itself only the
 * files beside it are trusted, not the tree. Two exceptions, both about /dev: a link there that
 * leads to a block device (/dev/vg/disk) counts as lying where it stands, since udev made it and
 * not the image; and /dev and /dev/mapper themselves are never trusted just because the top image
 * is there.
 */
#ifndef QCOWCTL_POLICY_H
#define QCOWCTL_POLICY_H

#include <stdbool.h>

#include "options.h"

struct policy;

/* The option that goes with it, for a verb's list; the key is the verb's choice. */
#define POLICY_OPTION(key)                                                                         \
	{                                                                                          \
		key, "allow", "PATH",                                                              \
			"take backing files also from this directory tree, or\nthis file; may be " \
			"given often",                                                             \
			"directory"                                                                \
	}

/**
 * policy_new() - what the user allows
 * @args: command line
 * @key: the verb's key for POLICY_OPTION
 *
 * Return: the policy, or NULL after having said what is wrong with it.
 */
struct policy *policy_new(const struct args *args, int key);
void policy_free(struct policy *policy);

/**
 * policy_trust_top() - trust the directory of the image at the top
 * @policy: policy
 * @place: absolute path of the image, its directory resolved. If it is a link,
 *         both the directory it stands in and the one it leads to are trusted:
 *         the user named the one, and with it the other.
 *
 * Return: 0, or -1 after having said why not.
 */
int policy_trust_top(struct policy *policy, const char *place);

/**
 * policy_resolve() - where a name that the user typed leads
 * @path: path
 *
 * Return: absolute path without . and .. and links, except the link of udev to a
 * block device, to be freed; NULL with errno set.
 */
char *policy_resolve(const char *path);

/**
 * policy_judge() - may this backing file be opened?
 * @policy: policy
 * @image: the image that names it, for the sentence
 * @name: the name in the image
 * @resolved: from policy_resolve() of what @name leads to
 *
 * Return: 0, or -1 after having said what was refused and how to allow it.
 */
int policy_judge(const struct policy *policy, const char *image, const char *name,
		 const char *resolved);

#endif
