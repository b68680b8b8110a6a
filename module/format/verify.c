// SPDX-License-Identifier: GPL-2.0-only
/* Rules that more than one structure of the format obeys. */
#include "format/verify.h"

int q2_verify_table(const char *what, u32 cluster_bits, u64 offset, u64 entries, u32 entry_bytes,
		    u64 max_bytes, struct q2_err *err)
{
	u64 cluster_size = 1ULL << cluster_bits;

	if (entries > max_bytes / entry_bytes)
		return q2_err_set(err, EFBIG, "%s has %llu entries of %u bytes, the limit is %llu",
				  what, entries, entry_bytes, max_bytes / entry_bytes);
	if (offset & (cluster_size - 1))
		return q2_err_set(err, EINVAL,
				  "%s is at offset 0x%llx, not a multiple of the cluster size %llu",
				  what, offset, cluster_size);
	if (offset > Q2_MAX_OFFSET - entries * entry_bytes)
		return q2_err_set(err, EINVAL, "%s is at offset 0x%llx, beyond any possible file",
				  what, offset);
	return 0;
}
