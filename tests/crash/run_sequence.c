// SPDX-License-Identifier: GPL-2.0-only
/*
 * All sequences of one to three operations, on clusters in every state.
 *
 * One image holds a cluster in each state; each sequence is done to all of them.
 */
#include "judge.h"
#include "qemu.h"

#define NR_CLUSTERS 20 /* and a part of one */

static const struct image_config configs[] = {
	{"sequence-v2", 2, 4096, 16, .compress = "zlib", .backing = BACKING_SHORT},
	{"sequence-v2-bare", 2, 4096, 16, .compress = "zlib"},
	{"sequence-v2-shared", 2, 4096, 16, .compress = "zlib", .backing = BACKING_SHORT,
	 .snapshots = 1},
	{"sequence-v2-bare-shared", 2, 4096, 16, .compress = "zlib", .snapshots = 1},
	{"sequence-v3", 3, 4096, 16, .compress = "zlib", .backing = BACKING_SHORT},
	{"sequence-v3-bare", 3, 4096, 16, .compress = "zlib"},
	{"sequence-v3-shared", 3, 4096, 16, .compress = "zlib", .backing = BACKING_SHORT,
	 .snapshots = 1},
	{"sequence-v3-bare-shared", 3, 4096, 16, .compress = "zlib", .snapshots = 1},
	{"sequence-ext", 3, 32768, 16, .extended = true, .compress = "zlib",
	 .backing = BACKING_SHORT},
	{"sequence-ext-bare", 3, 32768, 16, .extended = true, .compress = "zlib"},
	{"sequence-ext-shared", 3, 32768, 16, .extended = true, .compress = "zlib",
	 .backing = BACKING_SHORT, .snapshots = 1},
	{"sequence-ext-bare-shared", 3, 32768, 16, .extended = true, .compress = "zlib",
	 .snapshots = 1},
};

enum op {
	WRITE_PART,
	WRITE_WHOLE,
	DISCARD,
	ZERO,
	ZERO_UNMAP,
	FLUSH,
	NR_OPS
};
static const char *const op_names[] = {"part", "whole", "discard", "zero", "unmap", "flush"};

/* Clusters in each state: inside the backing file (0..11), beyond it, the last one a part. */
static struct image_set *make(const struct image_config *c)
{
	const char *commands[64] = {}, *after[64] = {};
	unsigned int n = 0, m = 0, i;
	struct image_set *set;
	u64 size = c->cluster;

	for (i = 0; i <= NR_CLUSTERS; i += 12) {
		u64 at = i * size;

#define DO(list, nr, fmt, k)  \
	(list[nr++] = strdup( \
		 text(fmt, stamped_file(c, at + (k)*size, size, V_TOP), at + (k)*size, size)))
		/* Of each dozen, 0 stays as it is. */
		commands[n++] = strdup(text("write -z -u %llu %llu", at + size, size));
		DO(commands, n, "write -s %s %llu %llu", 2);
		commands[n++] = strdup(text("write -z %llu %llu", at + 2 * size, size));
		DO(commands, n, "write -s %s %llu %llu", 3);
		DO(commands, n, "write -c -s %s %llu %llu", 4);
		DO(commands, n, "write -s %s %llu %llu", 5);
		DO(commands, n, "write -c -s %s %llu %llu", 6);
		if (i)
			continue;
		/* Some subclusters of 7, and of 8 that reads zeroes. */
		commands[n++] = strdup(text("write -s %s %llu 1536",
					    stamped_file(c, 7 * size + 1024, 1536, V_TOP),
					    7 * size + 1024));
		commands[n++] = strdup(text("write -z -u %llu %llu", 8 * size, size));
		commands[n++] = strdup(text("write -s %s %llu 1024",
					    stamped_file(c, 8 * size + 2048, 1024, V_TOP),
					    8 * size + 2048));
		/* Own clusters beside shared ones. */
		DO(after, m, "write -s %s %llu %llu", 9);
		after[m++] = strdup(text("write -s %s %llu 1024",
					 stamped_file(c, 5 * size + 1024, 1024, V_TOP + 1),
					 5 * size + 1024));
	}
	commands[n++] =
		strdup(text("write -s %s %llu 512", stamped_file(c, NR_CLUSTERS * size, 512, V_TOP),
			    NR_CLUSTERS * size));
	/* With a shared L2 table, too: every other seed leaves it so. */
	set = image_make_with(c, commands, sim.seed % 2 ? after : NULL);
	qemu_run(false, "sh", "-c", text("rm -f %s/%s.s*", sim.dir, c->name), NULL);
	while (n)
		free((void *)commands[--n]);
	while (m)
		free((void *)after[--m]);
	return set;
}

static void do_op(struct guest *g, enum op op)
{
	u64 guest, len;
	int ret = 0;

	if (op == FLUSH)
		ret = guest_flush(g);
	for (guest = 0; op != FLUSH && guest < g->size && !ret; guest += g->cluster) {
		len = min(g->cluster, g->size - guest);
		switch (op) {
		case WRITE_PART:
			ret = guest_write(g, guest + (len > 2560 ? 1536 : 0),
					  min(len, 2 * (u64)SECTOR));
			break;
		case WRITE_WHOLE:
			ret = guest_write(g, guest, len);
			break;
		case DISCARD:
			ret = guest_discard(g, guest, len);
			break;
		default:
			ret = guest_zero(g, guest, len, op == ZERO_UNMAP);
			break;
		}
	}
	if (ret)
		FAIL("%s at %llu fails: %d", op_names[op], guest, ret);
	guest_compare_all(g);
}

/* Zeroes over what holds no data must not be written as data (version 2 has no other way). */
struct cut_once {
	struct guest *g;
	long left;
};

static void event(struct disk *disk, bool guest, void *arg)
{
	struct cut_once *cut = arg;

	if (!sim_judging && cut->g->img && !--cut->left)
		judge_cuts(cut->g, 1);
}

static void run_sequence(const struct image_set *set, const enum op *ops, unsigned int nr,
			 struct rng *rng, bool qemu)
{
	const struct layer *top = image_top(set);
	struct disk *disk =
		disk_create(top->data, top->size,
			    top->size + 4 * set->config->cluster * (NR_CLUSTERS + 4), false);
	struct model *model = model_create(top->content, top->guest / SECTOR);
	struct cut_once cut;
	struct guest g = {};
	unsigned int i;

	sim_count.sequences++;
	CHECK(!guest_open(&g, set, disk, model, rng_next(rng), true));
	g.careful = true;
	cut.g = &g;
	cut.left = 1 + rng_below(rng, 30 * nr);
	disk->event = event;
	disk->event_arg = &cut;
	for (i = 0; i < nr; i++)
		do_op(&g, ops[i]);
	judge_cuts(&g, 1);
	guest_close(&g);
	disk->event = NULL;
	judge_closed(set, disk, model, qemu, false);
	model_free(model);
	disk_free(disk);
}

static void run_one(void *arg)
{
	struct image_config c = *(const struct image_config *)arg;
	struct rng rng = {sim.seed};
	struct image_set *set;
	unsigned int nr, code, all = 1, i;
	enum op ops[3];

	c.size = NR_CLUSTERS * c.cluster + 1024;
	set = make(&c);
	for (nr = 1; nr <= 3; nr++) {
		all *= NR_OPS;
		for (code = 0; code < all; code++) {
			unsigned int rest = code;
			bool qemu;

			for (i = 0; i < nr; i++, rest /= NR_OPS)
				ops[i] = rest % NR_OPS;
			qemu = sim.qemu_every && (nr == 1 || rng_one_in(&rng, 2 * sim.qemu_every));
			sim_context("%s: %s %s %s", c.name, op_names[ops[0]],
				    nr > 1 ? op_names[ops[1]] : "", nr > 2 ? op_names[ops[2]] : "");
			run_sequence(set, ops, nr, &rng, qemu);
		}
	}
	image_free(set);
}

void run_sequences(void)
{
	unsigned int i;

	judge_ask_every(sim.qemu_every ? sim.qemu_every * 16 : 0);
	for (i = 0; i < ARRAY_SIZE(configs); i++)
		sim_test(configs[i].name, run_one, (void *)&configs[i]);
}
