/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libdevmapper, reduced to what qcowctl does with it.
 *
 * libdevmapper's own messages are kept back: the person sees one sentence, ours,
 * with the kernel's reason in it where the kernel log gives it.
 */
#ifndef QCOWCTL_DM_H
#define QCOWCTL_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DM_TARGET "qcow2"

/* Call once before anything else here. */
void dm_setup(void);

/**
 * dm_path() - path of a device's node
 * @name: name
 *
 * Return: "/dev/mapper/NAME", to be freed.
 */
char *dm_path(const char *name);

/**
 * dm_attach() - make a device
 * @name: name
 * @table: parameters of the target
 * @sectors: length of the device
 * @read_only: mode of table and disk
 * @unique: if @name is taken, take "NAME-2" and so on
 *
 * All or nothing, signals included. Waits for udev where udev runs.
 *
 * Return: the name, to be freed; NULL after having said why not.
 */
char *dm_attach(const char *name, const char *table, uint64_t sectors, bool read_only, bool unique);

enum dm_detach_how {
	DETACH_NOW,   /* fail if the device is in use */
	DETACH_RETRY, /* try for a few seconds: udev's programs open devices for a moment */
	DETACH_LAZY,  /* when the last user closes it */
};

/**
 * struct dm_device - a device with a qcow2 target, or one of ours without a table
 * @name: name
 * @uuid: uuid, "" if none
 * @major: device number
 * @minor: device number
 * @sectors: length of the live table
 * @open_count: users
 * @events: event number
 * @read_only: the disk is read-only
 * @suspended: suspended
 * @second_table: a table is loaded that is not live
 * @deferred_remove: goes with its last user
 * @table: parameters of the target in the live table, NULL: it has none
 * @status: what the target says of itself, NULL as before
 */
struct dm_device {
	char *name;
	char *uuid;
	uint32_t major;
	uint32_t minor;
	uint64_t sectors;
	uint32_t open_count;
	uint32_t events;
	bool read_only;
	bool suspended;
	bool second_table;
	bool deferred_remove;
	char *table;
	char *status;
};

/**
 * dm_devices() - all of them, by name
 * @devices: result, to be freed with dm_devices_free()
 * @nr: result
 *
 * Return: 0, or -1 after having said why not.
 */
int dm_devices(struct dm_device **devices, size_t *nr);

/**
 * dm_device_find() - one of them
 * @word: name, /dev/mapper/NAME, or any path of the device's node
 * @device: result, to be freed with dm_device_clear()
 *
 * Return: 0, or -1 after having said why not; a device of another kind is refused.
 */
int dm_device_find(const char *word, struct dm_device *device);

/* Learn it anew. Return: 0, or -1 after having said that it is gone, or another one now. */
int dm_device_again(struct dm_device *device);

/* As dm_device_find(), but silent, and of any block device. Return: 0 or -1. */
int dm_device_by_number(dev_t dev, struct dm_device *device);

void dm_device_clear(struct dm_device *device);
void dm_devices_free(struct dm_device *devices, size_t nr);

/* Remove a device if nobody uses it. Return: whether it went; says nothing. */
bool dm_try_detach(const struct dm_device *device);

/* Remove a device. Return: 0, or -1 after having said who holds it. */
int dm_detach(const struct dm_device *device, enum dm_detach_how how);

#endif
