/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The check of an image: are the refcounts those that the references make?
 *
 * Judges as `qemu-img check` does and counts what it counts. Reads only (repair.h
 * writes). Memory is bounded whatever the image claims: references are counted
 * window by window of the file, and each window walks the tables again.
 */
#ifndef QCOWCTL_CHECK_H
#define QCOWCTL_CHECK_H

#include "bare.h"

/**
 * struct check_result - what was found; the names are QEMU's
 * @corruptions: errors that endanger data
 * @leaks: clusters in use that nothing refers to
 * @errors: things that could not be checked
 * @end_offset: bytes up to the end of the last cluster in use
 * @total_clusters: clusters of the disk
 * @allocated_clusters: of these, clusters that have storage
 * @fragmented_clusters: of these, clusters that do not follow the one before
 * @compressed_clusters: of these, compressed ones
 * @corruptions_fixed: by a repair; what is counted above is left then
 * @leaks_fixed: the same
 */
struct check_result {
	u64 corruptions;
	u64 leaks;
	u64 errors;
	u64 end_offset;
	u64 total_clusters;
	u64 allocated_clusters;
	u64 fragmented_clusters;
	u64 compressed_clusters;
	u64 corruptions_fixed;
	u64 leaks_fixed;
};

/*
 * Memory for counts: at once 64 Mi clusters with refcounts of up to 16 bits,
 * that is 4 TiB of clusters of 64 KiB.
 */
#define CHECK_MEMORY (128ULL << 20)
#define CHECK_MEMORY_LEAST 4096U

/**
 * check_image() - check
 * @bare: image
 * @memory: bytes for counts, CHECK_MEMORY_LEAST or more
 * @res: result
 *
 * Each finding is a line on standard error. Return: 0 if the check came to its
 * end, -1 after having said why it could not.
 */
int check_image(struct bare *bare, u64 memory, struct check_result *res);

#endif
