/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Points where no other task need go on: a reduction of what the depth first search
 * looks at.
 *
 * A preemption before an access to an object that only one task ever uses leads to the
 * same states as one before the next access of that task to an object that others use,
 * too: in between nothing happens that anybody else could see, as long as there is no
 * plain access that races (which this explorer does not look for, see env/sync.h). It
 * costs the same budget there. So it is left out. For the same reason it is left out
 * before what only lets others go on and cannot be asked for in passing: the release of
 * a lock whose class nobody ever tries, and the end of a read section.
 *
 * Which objects those are is learned: from a thousand schedules by chance first, then
 * from the search itself. If that has met another object that two tasks use, the search
 * begins anew. What does not hold what it held after the set-up counts as shared: others may
 * write it plainly, under a lock. So do objects that are made during a schedule, and those that
 * work items, callbacks and events touch.
 */
#ifndef Q2_EXPLORE_REDUCE_H
#define Q2_EXPLORE_REDUCE_H

#include "env.h"

#define REDUCE_ARENA                                                                \
	(512U << 10) /* bytes of the arena, and of static variables, that are known \
		      */
#define REDUCE_STATIC (64U << 10)
#define REDUCE_GRAIN 8U
#define REDUCE_CLASSES 1024U /* of locks */
#define REDUCE_SLOTS ((REDUCE_ARENA + 2 * REDUCE_STATIC) / REDUCE_GRAIN + REDUCE_CLASSES)

enum reduce_mode {
	REDUCE_OFF,
	REDUCE_LEARN, /* all points are offered, and what is touched is learned */
	REDUCE_ON,
};

extern enum reduce_mode reduce_mode;

/* Nothing is known. @bytes: of the arena that are there before each schedule. */
void reduce_reset(size_t bytes);

/* From now on what has been learned so far decides. */
void reduce_freeze(void);

/* The running task frees memory, which is a use of all that is in it. */
void reduce_free(const void *p, size_t bytes);

/* The running task uses the object at @addr. Return: may another one go on before? */
bool reduce_touch(const volatile void *addr);

/* Locks of this class are tried: before their release others may go on, too. */
void reduce_tried(const void *class);
/* Return: may another one go on before its release? */
bool reduce_is_tried(const void *class);

/* What has been learned, to and from memory that processes share: REDUCE_SLOTS bytes. */
void reduce_export(u8 *to);
/* Return: was it more than what decided? */
bool reduce_import(const u8 *from);

#endif
