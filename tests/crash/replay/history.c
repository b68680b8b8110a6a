// SPDX-License-Identifier: GPL-2.0-only
/* What the disk may show. */
#include "history.h"
#include "qemu.h"

/* What fua becomes when the write has ended. */
#define DURABLE 2

static void list_records(struct history *h)
{
	u32 *nr = xalloc(h->sectors * sizeof(*nr));
	u64 i, s, pass;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < h->nr; i++) {
			const struct record *r = &h->records[i];

			if (r->sector + (u64)r->n > h->sectors)
				FAIL("record %llu is of sector %u+%u of %llu", i, r->sector, r->n,
				     h->sectors);
			for (s = r->sector; s < r->sector + (u64)r->n; s++) {
				if (pass)
					h->of[s][nr[s]] = i + 1;
				nr[s]++;
			}
		}
		for (s = 0; s < h->sectors && !pass; s++) {
			h->of[s] = xalloc((nr[s] + 1) * sizeof(*h->of[s]));
			nr[s] = 0;
		}
	}
	free(nr);
}

void history_open(struct history *h, const char *path, const u32 *content, u64 sectors)
{
	u64 size, i;

	h->records = (struct record *)file_read(path, &size);
	h->nr = size / sizeof(*h->records);
	h->content = content;
	h->sectors = sectors;
	h->of = xalloc(sectors * sizeof(*h->of));
	h->last = V_FIRST;
	for (i = 0; i < h->nr; i++)
		h->last = max(h->last, h->records[i].version);
	list_records(h);
	history_rewind(h);
}

void history_close(struct history *h)
{
	u64 s;

	for (s = 0; s < h->sectors; s++)
		free(h->of[s]);
	free(h->of);
	free(h->records);
}

void history_rewind(struct history *h)
{
	u64 i;

	h->floor = 0;
	for (i = 0; i < h->nr; i++)
		h->records[i].fua = !!h->records[i].fua;
}

void history_mark(struct history *h, u64 i)
{
	if (i >= h->nr || !h->records[i].end)
		FAIL("a mark of record %llu of %llu", i, h->nr);
	if (h->records[i].what == DID_FLUSH)
		h->floor = max(h->floor, (u64)h->records[i].begin);
	if (h->records[i].fua)
		h->records[i].fua = DURABLE;
}

/* When the last durable operation on it began; 0: there is none. */
static u64 settled(const struct history *h, u64 sector)
{
	u64 begin = 0;
	u32 *i;

	for (i = h->of[sector]; *i; i++) {
		const struct record *r = &h->records[*i - 1];

		if (r->what != DID_MAYBE_ZERO && (r->end <= h->floor || r->fua == DURABLE))
			begin = max(begin, (u64)r->begin);
	}
	return begin;
}

bool history_allows(const struct history *h, u64 sector, u32 version)
{
	u64 since = settled(h, sector);
	u32 *i;

	if (version == h->content[sector] && !since)
		return true;
	for (i = h->of[sector]; *i; i++) {
		const struct record *r = &h->records[*i - 1];

		if (r->version == version && r->end >= since)
			return true;
	}
	return false;
}

const char *history_describe(const struct history *h, u64 sector)
{
	static const char *const names[] = {"write", "zero", "discard", "flush"};
	static char text[600];
	size_t at;
	u32 *i;

	at = snprintf(text, sizeof(text), "flushed up to %llu; was %d", h->floor,
		      (int)h->content[sector]);
	for (i = h->of[sector]; *i && at < sizeof(text) - 100; i++) {
		const struct record *r = &h->records[*i - 1];

		at += snprintf(text + at, sizeof(text) - at, ", %s %u in %llu..%llu%s",
			       names[r->what], r->version, (u64)r->begin, (u64)r->end,
			       r->fua == DURABLE ? " durable"
			       : r->fua		 ? " fua"
						 : "");
	}
	return text;
}
