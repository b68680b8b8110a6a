/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One qcowctl at a time on one device.
 *
 * The lock is a flock of a file in /run: one of the device's node would open the
 * device, and be in the way of those who want it to be open by nobody.
 */
#ifndef QCOWCTL_EXCLUDE_H
#define QCOWCTL_EXCLUDE_H

#include "dm.h"

/**
 * exclude_others() - keep other runs of qcowctl off a device
 * @device: device
 * @verb: what is being done, for the sentence that another run says
 * @quiet: say nothing if another works on the device
 *
 * Return: a file descriptor, whose close ends it; -1 after having said who works on
 * the device, or why there can be no lock.
 */
int exclude_others(const struct dm_device *device, const char *verb, bool quiet);

#endif
