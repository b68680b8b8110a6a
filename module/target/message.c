// SPDX-License-Identifier: GPL-2.0-only
/* Messages to a device. */
#include <linux/sched/mm.h>

#include "env.h"
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
		if (msg->control->disk->chain->layers[i].gone ||
		    strcmp(msg->table->layers[i].path, word))
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
	/* ONE-MESSAGE: before layers are looked up. */
	ret = q2_job_ready(&msg->control->job, err);
	if (ret)
		return ret;
	ret = find_layer(msg, argv[1], &params.top, err);
	if (!ret)
		ret = find_layer(msg, argv[2], &params.base, err);
	if (!ret && argc == 5)
		ret = decode_name(&params, argv + 3, err);
	return ret ? ret : q2_job_start(&msg->control->job, &params, msg->control->suspended, err);
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
	/* ONE-MESSAGE: as above. */
	ret = q2_job_ready(&msg->control->job, err);
	if (ret)
		return ret;
	ret = find_layer(msg, argv[1], &params.into, err);
	if (!ret && argc == 5)
		ret = find_layer(msg, argv[2], &params.base, err);
	if (!ret && argc == 5)
		ret = decode_name(&params, argv + 3, err);
	return ret ? ret : q2_job_start(&msg->control->job, &params, msg->control->suspended, err);
}

static int do_job(const struct q2_message *msg, unsigned int argc, char **argv, struct q2_err *err)
{
	unsigned int kib;
	int ret;

	if (argc == 2 && !strcmp(argv[1], "cancel"))
		ret = q2_job_cancel(&msg->control->job);
	else if (argc == 3 && !strcmp(argv[1], "rate") && !kstrtouint(argv[2], 10, &kib))
		ret = q2_job_rate(&msg->control->job, kib);
	else
		return q2_err_set(err, EINVAL, "use job cancel, or job rate <KiB>");
	return ret ? q2_err_set(err, -ret, "no job is running") : 0;
}

static int do_snapshot(const struct q2_message *msg, unsigned int argc, char **argv,
		       struct q2_err *err)
{
	enum q2_snapshot_verb verb;
	u32 sec = 0, nsec = 0;
	int ret;

	if (argc == 5 && !strcmp(argv[1], "create") && !kstrtou32(argv[3], 10, &sec) &&
	    !kstrtou32(argv[4], 10, &nsec) && nsec < NSEC_PER_SEC)
		verb = Q2_SNAPSHOT_CREATE;
	else if (argc == 3 && !strcmp(argv[1], "apply"))
		verb = Q2_SNAPSHOT_APPLY;
	else if (argc == 3 && !strcmp(argv[1], "delete"))
		verb = Q2_SNAPSHOT_DELETE;
	else
		return q2_err_set(
			err, EINVAL,
			"use snapshot create <tag> <seconds> <nanoseconds>, or snapshot apply|delete <tag>");
	ret = q2_table_decode(argv[2], err);
	return ret ? ret : q2_control_snapshot(msg->control, verb, argv[2], sec, nsec, err);
}

static int do_resize(const struct q2_message *msg, unsigned int argc, char **argv,
		     struct q2_err *err)
{
	u64 sectors;

	if (argc != 2 || kstrtou64(argv[1], 10, &sectors) ||
	    sectors > Q2_MAX_OFFSET >> SECTOR_SHIFT)
		return q2_err_set(err, EINVAL, "use resize <sectors>");
	return q2_control_resize(msg->control, sectors << SECTOR_SHIFT, err);
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

	if (!msg->control->disk->writable)
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
