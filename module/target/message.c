// SPDX-License-Identifier: GPL-2.0-only
/* Messages to a device. */
#include <linux/sched/mm.h>

#include "env.h"
#include "image/resize.h"
#include "image/snapshotting.h"
#include "io/request.h"
#include "target/message.h"

/* The number of the layer with a path. */
static int find_layer(const struct q2_message *msg, char *word, unsigned int *layer,
		      struct q2_err *err)
{
	unsigned int i;
	int ret = q2_table_decode(word, err);

	if (ret)
		return ret;
	for (i = 0; i < msg->table->nr_layers; i++) {
		if (msg->disk->chain->layers[i].gone || strcmp(msg->table->layers[i].path, word))
			continue;
		*layer = i;
		return 0;
	}
	return q2_err_set(err, EINVAL, "%.128s: is no layer of this device", word);
}

/* "rate:KIB" as the last word is taken off. */
static int take_rate(unsigned int *argc, char **argv, unsigned int *rate, struct q2_err *err)
{
	if (!*argc || strncmp(argv[*argc - 1], "rate:", 5))
		return 0;
	--*argc;
	if (kstrtouint(argv[*argc] + 5, 10, rate))
		return q2_err_set(err, EINVAL, "rate takes KiB a second, not \"%.32s\"",
				  argv[*argc] + 5);
	return 0;
}

static int decode_name(struct q2_job_params *params, char **argv, struct q2_err *err)
{
	int ret = q2_table_decode(argv[0], err);

	params->name = argv[0];
	params->format = argv[1];
	return ret;
}

static int do_commit(const struct q2_message *msg, unsigned int argc, char **argv,
		     struct q2_err *err)
{
	struct q2_job_params params = {.type = Q2_JOB_COMMIT, .into = Q2_NO_LAYER};
	int ret = take_rate(&argc, argv, &params.rate_kib, err);

	if (ret)
		return ret;
	if (argc != 3 && argc != 5)
		return q2_err_set(err, EINVAL,
				  "use commit <top> <base> [<name> <format>] [rate:KIB]");
	ret = q2_job_ready(msg->job, err);
	if (ret)
		return ret;
	ret = find_layer(msg, argv[1], &params.top, err);
	if (!ret)
		ret = find_layer(msg, argv[2], &params.base, err);
	if (!ret && argc == 5)
		ret = decode_name(&params, argv + 3, err);
	return ret ? ret : q2_job_start(msg->job, &params, msg->suspended, err);
}

static int do_stream(const struct q2_message *msg, unsigned int argc, char **argv,
		     struct q2_err *err)
{
	struct q2_job_params params = {
		.type = Q2_JOB_STREAM, .top = Q2_NO_LAYER, .base = Q2_NO_LAYER};
	int ret = take_rate(&argc, argv, &params.rate_kib, err);

	if (ret)
		return ret;
	params.copy_on_read = argc > 2 && !strcmp(argv[argc - 1], "copy_on_read");
	argc -= params.copy_on_read;
	if (argc != 2 && argc != 5)
		return q2_err_set(
			err, EINVAL,
			"use stream <into> [<base> <name> <format>] [copy_on_read] [rate:KIB]");
	ret = q2_job_ready(msg->job, err);
	if (ret)
		return ret;
	ret = find_layer(msg, argv[1], &params.into, err);
	if (!ret && argc == 5)
		ret = find_layer(msg, argv[2], &params.base, err);
	if (!ret && argc == 5)
		ret = decode_name(&params, argv + 3, err);
	return ret ? ret : q2_job_start(msg->job, &params, msg->suspended, err);
}

static int do_job(const struct q2_message *msg, unsigned int argc, char **argv, struct q2_err *err)
{
	unsigned int kib;
	int ret;

	if (argc == 2 && !strcmp(argv[1], "cancel"))
		ret = q2_job_cancel(msg->job);
	else if (argc == 3 && !strcmp(argv[1], "rate") && !kstrtouint(argv[2], 10, &kib))
		ret = q2_job_rate(msg->job, kib);
	else
		return q2_err_set(err, EINVAL, "use job cancel, or job rate <KiB>");
	return ret ? q2_err_set(err, -ret, "no job is running") : 0;
}

/* What changes all tables at once wants the image alone. */
static int check_alone(const struct q2_message *msg, struct q2_err *err)
{
	int ret;

	if (!msg->suspended)
		return q2_err_set(err, EAGAIN, "the device must be suspended for this");
	ret = q2_job_ready(msg->job, err);
	if (ret)
		return ret;
	if (!msg->disk->top->img)
		return q2_err_set(err, EOPNOTSUPP, "a raw image cannot do this");
	return 0;
}

static int change_snapshots(const struct q2_message *msg, unsigned int argc, char **argv,
			    struct q2_err *err)
{
	struct q2_image *img = msg->disk->top->img;
	u32 sec, nsec;

	if (argc == 5 && !strcmp(argv[1], "create") && !kstrtou32(argv[3], 10, &sec) &&
	    !kstrtou32(argv[4], 10, &nsec) && nsec < NSEC_PER_SEC)
		return q2_image_snapshot_create(img, argv[2], sec, nsec, err);
	if (argc == 3 && !strcmp(argv[1], "apply"))
		return q2_image_snapshot_apply(img, argv[2], err);
	if (argc == 3 && !strcmp(argv[1], "delete"))
		return q2_image_snapshot_delete(img, argv[2], err);
	return q2_err_set(
		err, EINVAL,
		"use snapshot create <tag> <seconds> <nanoseconds>, or snapshot apply|delete <tag>");
}

static int do_snapshot(const struct q2_message *msg, unsigned int argc, char **argv,
		       struct q2_err *err)
{
	struct q2_chain *chain = msg->disk->chain;
	int ret = check_alone(msg, err);

	if (!ret && argc > 2)
		ret = q2_table_decode(argv[2], err);
	if (ret)
		return ret;
	ret = change_snapshots(msg, argc, argv, err);
	/* What was the disk's alone is shared now, or another one's. */
	q2_map_forget_all(msg->disk->map);
	WRITE_ONCE(chain->layers[chain->top].size, q2_image_size(msg->disk->top->img));
	return ret;
}

/* The last cluster has to be written again before the disk can grow: its last sector will do. */
static int write_last_sector(struct q2_disk *disk, struct q2_image *img)
{
	u64 guest = q2_image_size(img) - SECTOR_SIZE;
	u32 size = q2_image_geometry(img)->cluster_size;
	struct q2_write w;
	void *buf;
	int ret;

	buf = kvmalloc(size, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	ret = q2_write_begin(img, guest, SECTOR_SIZE, &w);
	if (!ret) {
		/* What is written and what surrounds it are both what is there. */
		ret = q2_disk_read(disk, w.fill_start, buf, w.fill_end - w.fill_start);
		if (!ret)
			ret = q2_file_write(&disk->top->host->file, w.host - (guest - w.fill_start),
					    buf, w.fill_end - w.fill_start);
		q2_write_end(img, &w, !ret);
	}
	kvfree(buf);
	return ret;
}

static int do_resize(const struct q2_message *msg, unsigned int argc, char **argv,
		     struct q2_err *err)
{
	struct q2_chain *chain = msg->disk->chain;
	struct q2_image *img = msg->disk->top->img;
	unsigned int below = q2_chain_below(chain, chain->top);
	u64 sectors, backing = below == Q2_NO_LAYER ? 0 : chain->layers[below].size;
	int ret = check_alone(msg, err);

	if (ret)
		return ret;
	if (argc != 2 || kstrtou64(argv[1], 10, &sectors) ||
	    sectors > Q2_MAX_OFFSET >> SECTOR_SHIFT)
		return q2_err_set(err, EINVAL, "use resize <sectors>");
	if (sectors << SECTOR_SHIFT < q2_image_size(img))
		return q2_err_set(err, EINVAL, "a device in use can only grow");
	ret = q2_image_resize(img, sectors << SECTOR_SHIFT, backing, err);
	if (ret == -EAGAIN) {
		err->text[0] = '\0';
		ret = write_last_sector(msg->disk, img);
		if (!ret)
			ret = q2_image_resize(img, sectors << SECTOR_SHIFT, backing, err);
	}
	q2_map_forget_all(msg->disk->map);
	/* The device goes on with the old length until a new table is loaded. */
	WRITE_ONCE(chain->layers[chain->top].size, q2_image_size(img));
	return ret;
}

int q2_message_do(const struct q2_message *msg, unsigned int argc, char **argv, struct q2_err *err)
{
	static const struct {
		const char *name;
		int (*run)(const struct q2_message *msg, unsigned int argc, char **argv,
			   struct q2_err *err);
	} verbs[] = {
		{"commit", do_commit},	   {"stream", do_stream}, {"job", do_job},
		{"snapshot", do_snapshot}, {"resize", do_resize},
	};
	unsigned int noio, i;
	int ret;

	if (!msg->disk->writable)
		return q2_err_set(err, EROFS, "the device is read-only");
	for (i = 0; argc && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[0], verbs[i].name))
			continue;
		/* Memory must not be had by writing to a device that is suspended. */
		noio = memalloc_noio_save();
		ret = verbs[i].run(msg, argc, argv, err);
		memalloc_noio_restore(noio);
		return ret;
	}
	return q2_err_set(err, EINVAL,
			  "unknown message; there are commit, stream, job, snapshot and resize");
}
