/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to a device: jobs, internal snapshots, growth.
 *
 *	commit <top> <base> [<name> <format>] [rate:KIB]
 *	stream <into> [<base> <name> <format>] [rate:KIB]
 *	job cancel | job rate <KIB>
 *	snapshot create <tag> <seconds> <nanoseconds>
 *	snapshot apply|delete <tag>
 *	resize <sectors>
 *
 * Layers are named by their paths, escaped as in the table; so are names and tags. A
 * refusal is one sentence in the kernel log.
 */
#ifndef Q2_TARGET_MESSAGE_H
#define Q2_TARGET_MESSAGE_H

#include "job/control.h"
#include "target/table.h"

/**
 * struct q2_message - whom a message is for
 * @control: device; q2_control_begin() has been called
 * @table: its table
 */
struct q2_message {
	struct q2_control *control;
	const struct q2_table *table;
};

/**
 * q2_message_do() - do what a message asks for
 * @msg: whom it is for
 * @argc: words
 * @argv: words, split by device-mapper
 * @err: reason of a refusal
 *
 * Blocks. Return: 0; -EINVAL; -EBUSY; -errno.
 */
int q2_message_do(const struct q2_message *msg, unsigned int argc, char **argv, struct q2_err *err);

#endif
