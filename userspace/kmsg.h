/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel log, as the place where device-mapper says why it refused a table, and
 * the target why it refused a message: their ioctls give an errno and no sentence.
 */
#ifndef QCOWCTL_KMSG_H
#define QCOWCTL_KMSG_H

/* Start to listen. Return: what kmsg_reason() takes; -1 if the log cannot be read. */
int kmsg_listen(void);

/**
 * kmsg_reason() - what a target said of a device since kmsg_listen()
 * @fd: from kmsg_listen(); is closed
 * @device: "254:3"
 * @target: "qcow2"
 *
 * Return: the sentence, the last one if there are more, to be freed; NULL if there is none.
 */
char *kmsg_reason(int fd, const char *device, const char *target);

#endif
