// SPDX-License-Identifier: GPL-2.0-only
/* What guests did and saw. */
#include "history.h"

unsigned int history_begin(struct history *h, enum history_kind kind, unsigned int sector,
			   unsigned int value)
{
	if (h->nr == HISTORY_OPS)
		explore_fail("more than %u operations", HISTORY_OPS);
	h->op[h->nr] = (struct history_op){kind, sector, value, ++h->clock, U64_MAX, false};
	return h->nr++;
}

void history_end(struct history *h, unsigned int nr)
{
	h->op[nr].end = ++h->clock;
}

void history_end_durable(struct history *h, unsigned int nr)
{
	history_end(h, nr);
	h->op[nr].durable = true;
}

/* Is there a write or a read that shows that @w was over before @begin? */
static bool is_over(const struct history *h, const struct history_op *w, u64 begin)
{
	unsigned int i;

	for (i = 0; i < h->nr; i++) {
		const struct history_op *other = &h->op[i];

		if (other == w || other->sector != w->sector || other->kind == HISTORY_FLUSH)
			continue;
		/* Another value that was there, or was shown, all of it after @w and before. */
		if (other->end < begin && w->end < other->begin && other->value != w->value)
			return true;
	}
	return false;
}

/* May @value be shown from @begin to @end, but for writes that had ended before @after? */
static bool may_show(const struct history *h, unsigned int sector, unsigned int value, u64 begin,
		     u64 end, u64 after)
{
	unsigned int i;

	for (i = 0; i < h->nr; i++) {
		const struct history_op *w = &h->op[i];

		if (w->kind == HISTORY_WRITE && w->sector == sector && w->value == value &&
		    w->begin <= end && w->end > after && !is_over(h, w, begin))
			return true;
	}
	return false;
}

void history_end_read(struct history *h, unsigned int nr, unsigned int value)
{
	struct history_op *op = &h->op[nr];
	u64 end = ++h->clock;

	if (!may_show(h, op->sector, value, op->begin, end, 0))
		explore_fail("%s reads %u from sector %u, which it cannot hold any more",
			     explore_task_name(), value, op->sector);
	op->value = value;
	op->end = end;
}

void history_check(struct history *h, unsigned int sector, unsigned int value, bool after_cut)
{
	u64 since = ++h->clock, after = 0;
	unsigned int i;

	if (after_cut)
		since = 0;
	for (i = 0; i < h->nr && after_cut; i++) {
		const struct history_op *op = &h->op[i];

		if (op->kind == HISTORY_FLUSH && op->end != U64_MAX)
			since = max(since, op->begin);
		/* It is there, or what was written at the same time or later. */
		if (op->durable && op->sector == sector) {
			since = max(since, op->begin);
			after = max(after, op->begin);
		}
	}
	if (!may_show(h, sector, value, since, h->clock, after))
		explore_fail("sector %u holds %u %s", sector, value,
			     after_cut ? "after a power cut: what was flushed is lost"
				       : "in the end, and should not");
}

void sector_fill(void *buf, unsigned int value)
{
	memset(buf, value, HISTORY_SECTOR);
}

unsigned int sector_value(const void *buf)
{
	const u8 *p = buf;

	if (memcmp(p, p + 1, HISTORY_SECTOR - 1))
		explore_fail("%s sees a sector with bytes of two values", explore_task_name());
	return *p;
}
