/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The repair of an image: what `qemu-img check -r` mends, and no more. What is
 * mended how is told in repair.c, and in which order, so that a crash at any
 * moment leaves the image no worse than it was.
 */
#ifndef QCOWCTL_REPAIR_H
#define QCOWCTL_REPAIR_H

#include "check.h"

/* What may be changed. */
enum repair {
	REPAIR_NOTHING,
	REPAIR_LEAKS, /* refcounts that are too high, and flags if all else is well */
	REPAIR_ALL
};

/**
 * repair_image() - check, repair, and check again
 * @bare: image, from bare_open_write()
 * @memory: bytes for counts; a repair needs all counts at once, and says so if
 *          they do not fit
 * @fix: what may be changed
 * @res: result: what is left, and how much was mended
 *
 * Findings and repairs are lines on standard error. Return: 0 if all this came to
 * its end, whatever is left; -1 after having said why it could not.
 */
int repair_image(struct bare *bare, u64 memory, enum repair fix, struct check_result *res);

#endif
