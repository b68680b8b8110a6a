// SPDX-License-Identifier: GPL-2.0-only
/* Where the bytes of a device lie, and what they are. */
#include "env.h"
#include "serve/find.h"
#include "serve/io.h"

void q2_disk_lookup(struct q2_disk *disk, u64 guest, u32 len, struct q2_run *run)
{
	q2_map_lookup(disk->map, guest, len, run);
	if (unlikely(READ_ONCE(disk->hints.on)))
		q2_hints_add(&disk->hints, guest, len);
	if (run->kind == Q2_MAP_MISS) {
		q2_disk_count(disk, Q2_COUNT_MISSES);
		return;
	}
	q2_disk_count(disk, Q2_COUNT_HITS);
	if (run->kind == Q2_MAP_COMPRESSED) {
		/* One cluster a request, so that each can have a CPU of its own. */
		const struct q2_geometry *geo =
			q2_image_geometry(disk->chain->layers[run->layer].img);

		run->len = min_t(u64, run->len,
				 geo->cluster_size - q2_offset_into_cluster(geo, guest));
	}
}

/* Ask the chain itself: exact, but its cost grows with the depth. */
static void ask_chain(struct q2_disk *disk, u64 guest, u32 len, struct q2_answer *answer)
{
	q2_disk_count(disk, Q2_COUNT_MIXED);
	answer->error = q2_chain_lookup(disk->chain, guest, len, &answer->layer, &answer->ext);
	if (answer->error == -ENOMEM)
		answer->ext.len = len;
	if (answer->error == -EUCLEAN)
		q2_disk_corrupt(disk, answer->layer, guest, "table entry");
}

void q2_disk_find(struct q2_disk *disk, u64 guest, u32 len, struct q2_answer *answer)
{
	struct q2_run run;

	q2_map_lookup(disk->map, guest, len, &run);
	if (run.kind == Q2_MAP_MISS && !q2_map_fill(disk->map, guest))
		q2_map_lookup(disk->map, guest, len, &run);
	answer->error = 0;
	answer->layer = run.layer;
	answer->ext.guest = guest;
	answer->ext.len = run.len;
	switch (run.kind) {
	case Q2_MAP_DATA:
		answer->ext.kind = Q2_DATA;
		answer->ext.host = run.host;
		break;
	case Q2_MAP_ZERO:
		answer->ext.kind = Q2_ZERO;
		break;
	case Q2_MAP_COMPRESSED:
		answer->error = q2_image_lookup(disk->chain->layers[run.layer].img, guest, run.len,
						&answer->ext);
		if (!answer->error && answer->ext.kind == Q2_COMPRESSED)
			break;
		fallthrough; /* the image has another answer than the map: ask all */
	default:
		ask_chain(disk, guest, len, answer);
	}
}

bool q2_disk_reads_zero(struct q2_disk *disk, u64 guest, u64 len)
{
	struct q2_answer answer;

	/* Beyond the end of the disk there is nothing. */
	len = min(len, disk->chain->size - min(guest, disk->chain->size));
	while (len) {
		q2_disk_find(disk, guest, len, &answer);
		if (answer.error || answer.ext.kind == Q2_DATA || answer.ext.kind == Q2_COMPRESSED)
			return false;
		guest += min(len, answer.ext.len);
		len -= min(len, answer.ext.len);
	}
	return true;
}

int q2_disk_read(struct q2_disk *disk, u64 guest, void *buf, u32 len)
{
	struct q2_extent *ext;
	struct q2_answer answer;
	int ret = 0;

	while (len && !ret) {
		u32 part = len;

		if (guest >= disk->chain->size) {
			memset(buf, 0, len);
			break;
		}
		q2_disk_find(disk, guest, min_t(u64, len, disk->chain->size - guest), &answer);
		ext = &answer.ext;
		part = min_t(u64, len, ext->len);
		if (answer.error) {
			ret = answer.error == -EUCLEAN ? -EIO : answer.error;
		} else if (ext->kind == Q2_DATA) {
			ret = q2_file_read(disk->chain->layers[answer.layer].file, ext->host, buf,
					   part);
		} else if (ext->kind == Q2_COMPRESSED) {
			struct q2_shared *s = disk->shared[answer.layer];

			ret = q2_io_expand(s, ext,
					   q2_offset_into_cluster(q2_image_geometry(s->img), guest),
					   buf, part);
			if (ret == -EUCLEAN) {
				q2_disk_corrupt(disk, answer.layer, guest, "compressed data");
				ret = -EIO;
			}
		} else {
			memset(buf, 0, part);
		}
		guest += part;
		buf += part;
		len -= part;
	}
	return ret;
}
