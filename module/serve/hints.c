// SPDX-License-Identifier: GPL-2.0-only
/* Where guests have just been. */
#include "env.h"
#include "serve/hints.h"

void q2_hints_init(struct q2_hints *hints)
{
	memset(hints, 0, sizeof(*hints));
	spin_lock_init(&hints->lock);
}

void q2_hints_switch(struct q2_hints *hints, bool on)
{
	spin_lock(&hints->lock);
	hints->nr = 0;
	WRITE_ONCE(hints->on, on);
	spin_unlock(&hints->lock);
}

void q2_hints_add(struct q2_hints *hints, u64 guest, u32 len)
{
	if (!spin_trylock(&hints->lock))
		return;
	if (hints->nr < Q2_HINTS) {
		struct q2_hint *hint = &hints->hint[(hints->first + hints->nr) % Q2_HINTS];

		hint->guest = guest;
		hint->len = len;
		hints->nr++;
	}
	spin_unlock(&hints->lock);
}

bool q2_hints_take(struct q2_hints *hints, struct q2_hint *hint)
{
	bool found;

	spin_lock(&hints->lock);
	found = hints->nr;
	if (found) {
		*hint = hints->hint[hints->first];
		hints->first = (hints->first + 1) % Q2_HINTS;
		hints->nr--;
	}
	spin_unlock(&hints->lock);
	return found;
}
