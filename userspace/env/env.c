// SPDX-License-Identifier: GPL-2.0-only
/* Memory for the code shared with the module; unit tests bring their own. */
#include "env.h"

void *q2_env_alloc(size_t size)
{
	void *p;

	if (size < 4096)
		return malloc(size ? size : 1);
	return posix_memalign(&p, 4096, size) ? NULL : p;
}
