// SPDX-License-Identifier: GPL-2.0-only
/* Verdicts on images. */
#include <unistd.h>
#include "judge.h"
#include "qemu.h"

static unsigned long ask_every;

void judge_ask_every(unsigned long n)
{
	ask_every = n;
}

const char *judge_keep(const u8 *data, u64 size)
{
	const char *path = text("%s/failed.qcow2", sim.dir);

	file_write(path, data, size);
	return path;
}

void judge_qemu(const u8 *data, u64 size, const u32 *versions, const struct fsck *fsck)
{
	const char *path = text("%s/state.qcow2", sim.dir), *raw = text("%s/state.raw", sim.dir);
	u64 bytes, i;
	u8 *shown;
	int status;

	file_write(path, data, size);
	status = qemu_run(false, "qemu-img", "check", "-f", "qcow2", path, NULL);
	if (status != (fsck->corruptions ? 2 : fsck->leaks ? 3 : 0))
		FAIL("qemu-img check says %d, ours: %lu corruptions, %lu leaks: %s (%s)", status,
		     fsck->corruptions, fsck->leaks, fsck->first, judge_keep(data, size));
	if (!versions) {
		unlink(path);
		return;
	}
	qemu_run(true, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw, NULL);
	shown = file_read(raw, &bytes);
	for (i = 0; i < bytes / SECTOR; i++) {
		u32 version = stamp_read(shown + i * SECTOR, i);

		if (version != versions[i])
			FAIL("sector %llu: qemu-img shows %d, we %d (%s)", i, (int)version,
			     (int)versions[i], judge_keep(data, size));
	}
	free(shown);
	unlink(raw);
	unlink(path);
}

void judge_go_on(const struct image_set *set, const struct disk_state *state, const u32 *versions,
		 u32 last, struct rng *rng)
{
	struct disk *disk =
		disk_create(state->data, state->size,
			    state->size + 2 * set->config->size + image_spare(set->config), false);
	struct model *model = model_from(versions, image_top(set)->guest / SECTOR, last);
	struct guest g;
	struct fsck fsck;
	unsigned int i;

	sim_count.reopened++;
	CHECK(!guest_open(&g, set, disk, model, rng_next(rng), true));
	guest_compare_all(&g);
	for (i = 0; i < 12; i++) {
		int ret = guest_random(&g);

		if (ret)
			FAIL("after a power cut an operation fails: %d", ret);
	}
	guest_close(&g);
	fsck_run(disk->live, disk->size, &fsck);
	if (fsck.corruptions)
		FAIL("gone on with after a power cut: %s (%s)", fsck.first,
		     judge_keep(disk->live, disk->size));
	if (fsck.snapshots != set->snapshots_hash)
		FAIL("gone on with after a power cut: a snapshot has changed");
	CHECK(!guest_open(&g, set, disk, model, 0, false));
	guest_compare_all(&g);
	guest_close(&g);
	model_free(model);
	disk_free(disk);
}

u32 *judge_read(const struct image_set *set, const struct disk_state *state, struct fsck *fsck)
{
	u64 nr = image_top(set)->guest / SECTOR;
	u32 *versions = xalloc(nr * sizeof(*versions));
	struct disk *disk;
	struct guest g;
	int ret;

	sim_count.states++;
	fsck_run(state->data, state->size, fsck);
	if (fsck->corruptions)
		FAIL("after a power cut (%s): %s (%s)", state->how, fsck->first,
		     judge_keep(state->data, state->size));
	if (fsck->snapshots != set->snapshots_hash)
		FAIL("after a power cut (%s) a snapshot has changed (%s)", state->how,
		     judge_keep(state->data, state->size));
	disk = disk_create(state->data, state->size, state->size, false);
	disk->readonly = true;
	CHECK(!guest_open(&g, set, disk, NULL, 0, false));
	ret = guest_read(&g, 0, nr * SECTOR, versions);
	guest_close(&g);
	disk_free(disk);
	if (ret)
		FAIL("after a power cut (%s) a read fails: %d", state->how, ret);
	return versions;
}

void judge_state(const struct image_set *set, const struct disk_state *state,
		 const struct model *model, u64 floor, struct rng *rng)
{
	u64 nr = image_top(set)->guest / SECTOR, i;
	struct disk_fault fault;
	struct fsck fsck;
	u32 *versions;

	sim_judging = true;
	disk_fault_pause(&fault);
	versions = judge_read(set, state, &fsck);
	for (i = 0; i < nr; i++) {
		if (!model_may_survive(model, i, versions[i], floor))
			FAIL("after a power cut (%s) sector %llu shows %d; at floor %llu, %s (%s)",
			     state->how, i, (int)versions[i], floor, model_describe(model, i),
			     judge_keep(state->data, state->size));
	}
	if (ask_every && rng_one_in(rng, ask_every))
		judge_qemu(state->data, state->size, versions, &fsck);
	if (rng_one_in(rng, 4))
		judge_go_on(set, state, versions, model->last, rng);
	free(versions);
	disk_fault_resume(&fault);
	sim_judging = false;
}

void judge_cuts(struct guest *g, unsigned int n)
{
	struct disk_state state;

	while (n-- && !sim_judging) {
		disk_cut(g->disk, &g->rng, &state);
		judge_state(g->set, &state, g->model, g->model->floor, &g->rng);
		disk_state_free(&state);
	}
}

void judge_closed(const struct image_set *set, struct disk *disk, const struct model *model,
		  bool qemu, bool leaks)
{
	u64 nr = image_top(set)->guest / SECTOR, i;
	u32 *versions = xalloc(nr * sizeof(*versions));
	struct guest g;
	struct fsck fsck;
	int ret;

	if (disk->nr_log && !leaks)
		FAIL("%zu writes are not flushed after the close", disk->nr_log);
	fsck_run(disk->live, disk->size, &fsck);
	if (fsck.corruptions || (fsck.leaks && !leaks))
		FAIL("after the close: %lu corruptions, %lu leaks: %s (%s)", fsck.corruptions,
		     fsck.leaks, fsck.first, judge_keep(disk->live, disk->size));
	if (fsck.snapshots != set->snapshots_hash)
		FAIL("a snapshot has changed (%s)", judge_keep(disk->live, disk->size));
	CHECK(!guest_open(&g, set, disk, NULL, 0, false));
	ret = guest_read(&g, 0, nr * SECTOR, versions);
	guest_close(&g);
	if (ret)
		FAIL("after the close a read fails: %d", ret);
	for (i = 0; i < nr; i++) {
		if (!model_may_read(model, i, versions[i]))
			FAIL("after the close sector %llu shows %d; %s (%s)", i, (int)versions[i],
			     model_describe(model, i), judge_keep(disk->live, disk->size));
	}
	if (qemu) {
		const char *path = text("%s/closed.qcow2", sim.dir);
		const char *raw = text("%s/closed.raw", sim.dir);

		judge_qemu(disk->live, disk->size, versions, &fsck);
		file_write(path, disk->live, disk->size);
		for (i = 0; i < set->config->snapshots; i++) {
			u64 size;
			u8 *shown;

			qemu_run(true, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", "-l",
				 text("snapshot.name=s%llu", i), path, raw, NULL);
			shown = file_read(raw, &size);
			if (memcmp(shown, set->snapshots[i], size))
				FAIL("snapshot s%llu shows something else", i);
			free(shown);
			unlink(raw);
		}
		unlink(path);
	}
	free(versions);
}
