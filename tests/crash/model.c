// SPDX-License-Identifier: GPL-2.0-only
/* The model of the guest's disk. */
#include "model.h"

static void add(struct sector *s, u32 version, u64 end)
{
	if (s->nr == s->room) {
		s->room = s->room ? 2 * s->room : 2;
		s->values = realloc(s->values, s->room * sizeof(*s->values));
		if (!s->values)
			exit(1);
	}
	s->values[s->nr].version = version;
	s->values[s->nr++].end = end;
}

struct model *model_from(const u32 *content, u64 nr, u32 last)
{
	struct model *model = xalloc(sizeof(*model));
	u64 i;

	model->sectors = xalloc(nr * sizeof(*model->sectors));
	model->nr = nr;
	model->last = last;
	model->clock = model->floor = 1;
	model->hold = U64_MAX;
	for (i = 0; i < nr; i++)
		add(&model->sectors[i], content[i], 1);
	return model;
}

struct model *model_create(const u32 *content, u64 nr)
{
	return model_from(content, nr, V_FIRST);
}

void model_free(struct model *model)
{
	u64 i;

	if (!model)
		return;
	for (i = 0; i < model->nr; i++)
		free(model->sectors[i].values);
	free(model->sectors);
	free(model);
}

u32 model_version(struct model *model)
{
	return __atomic_add_fetch(&model->last, 1, __ATOMIC_RELAXED);
}

void model_begin(struct model *model, u64 sector, u64 n, u32 version)
{
	for (; n; n--, sector++)
		add(&model->sectors[sector], version, U64_MAX);
}

void model_end(struct model *model, u64 sector, u64 n, u32 version)
{
	u64 now = __atomic_add_fetch(&model->clock, 1, __ATOMIC_SEQ_CST);
	u32 i;

	for (; n; n--, sector++) {
		struct sector *s = &model->sectors[sector];

		for (i = 0; i < s->nr; i++) {
			if (s->values[i].version == version && s->values[i].end == U64_MAX)
				s->values[i].end = now;
		}
	}
}

void model_cancel(struct model *model, u64 sector, u64 n, u32 version)
{
	u32 i;

	for (; n; n--, sector++) {
		struct sector *s = &model->sectors[sector];

		for (i = 0; i < s->nr; i++) {
			if (s->values[i].version == version && s->values[i].end == U64_MAX)
				s->values[i] = s->values[--s->nr];
		}
	}
}

/* The value with the latest end no later than @when; its index or -1. */
static int latest(const struct sector *s, u64 when)
{
	int best = -1;
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (s->values[i].end <= when &&
		    (best < 0 || s->values[i].end >= s->values[best].end))
			best = i;
	}
	return best;
}

void model_settle(struct model *model, u64 sector, u32 version)
{
	struct sector *s = &model->sectors[sector];
	int i = latest(s, U64_MAX - 1);

	if (i < 0 || s->values[i].version != version)
		add(s, version, __atomic_add_fetch(&model->clock, 1, __ATOMIC_SEQ_CST));
}

void model_flushed(struct model *model, u64 floor)
{
	u64 i, was = __atomic_load_n(&model->floor, __ATOMIC_SEQ_CST);
	u32 j, kept;

	while (was < floor && !__atomic_compare_exchange_n(&model->floor, &was, floor, false,
							   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	if (model->keep)
		return;
	floor = min(floor, model->hold);
	for (i = 0; i < model->nr; i++) {
		struct sector *s = &model->sectors[i];
		int best = latest(s, floor);
		u32 version;
		u64 end;

		if (s->nr == 1 || best < 0)
			continue;
		version = s->values[best].version;
		end = s->values[best].end;
		for (j = kept = 0; j < s->nr; j++) {
			if (s->values[j].end > floor)
				s->values[kept++] = s->values[j];
		}
		s->nr = kept;
		add(s, version, end);
	}
}

u32 model_now(const struct model *model, u64 sector)
{
	const struct sector *s = &model->sectors[sector];
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (s->values[i].end == U64_MAX)
			return V_BROKEN;
	}
	return s->values[latest(s, U64_MAX - 1)].version;
}

bool model_may_read(const struct model *model, u64 sector, u32 version)
{
	const struct sector *s = &model->sectors[sector];
	int now = latest(s, U64_MAX - 1);
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (s->values[i].version == version &&
		    ((int)i == now || s->values[i].end == U64_MAX))
			return true;
	}
	return false;
}

bool model_may_survive(const struct model *model, u64 sector, u32 version, u64 floor)
{
	const struct sector *s = &model->sectors[sector];
	int least = latest(s, floor);
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (s->values[i].version == version &&
		    ((int)i == least || s->values[i].end > floor))
			return true;
	}
	return false;
}

const char *model_describe(const struct model *model, u64 sector)
{
	static char text[256];
	const struct sector *s = &model->sectors[sector];
	size_t at = 0;
	u32 i;

	at += snprintf(text, sizeof(text), "floor %llu, values", model->floor);
	for (i = 0; i < s->nr && at < sizeof(text) - 40; i++) {
		if (s->values[i].end == U64_MAX)
			at += snprintf(text + at, sizeof(text) - at, " %u(runs)",
				       s->values[i].version);
		else
			at += snprintf(text + at, sizeof(text) - at, " %u@%llu",
				       s->values[i].version, s->values[i].end);
	}
	return text;
}
