// SPDX-License-Identifier: GPL-2.0-only
/*
 * history LOG SEED DEVICE...: writers and readers on several devices, a, b and so on, until
 * standard input ends or says so.
 *
 * Each writer owns sectors of every device and does one thing at a time, on any of them: it
 * writes sectors that say who wrote them, where, and as the how manyth thing, with a checksum;
 * makes them zero, discards them, or flushes. What it is about to do it notes in LOG.WRITER
 * first, and then how that went; history-check judges by it. Some of it is done by tasks that
 * may write no file, are another user's, or are killed in the middle.
 * Readers see that each sector holds what was written last, or what is just being written.
 *
 * Standard input takes lines, and each is answered with a line when it has come into force:
 *	fails a		requests to the device may fail
 *	works a		they may not, which is so in the beginning
 *	away a		the device is closed
 *	back a		it is opened again: what was flushed is there, all else may be or not
 *	end
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "history.h"

#define READERS 2
#define MOST 64	   /* sectors of one thing to do */
#define HOT 32	   /* sectors of the place where all meet */
#define STAY 60	   /* things that are done before they meet elsewhere */
#define PAUSE 8000 /* microseconds between two things of one */
#define NOBODY 65534

struct device {
	const char *name;
	int fd, buffered;
	/* Held for reading by who uses the device. */
	pthread_rwlock_t lock;
	atomic_bool away, fails;
	_Atomic uint32_t lost; /* how often */
	/* The last thing that was begun there, that has ended there, that is flushed; the last
	 * zeroing. */
	_Atomic uint64_t begun[SECTORS], ended[SECTORS], flushed[SECTORS], zeroed[SECTORS];
};

struct writer {
	uint32_t me;
	int log;
	uint64_t number, state;
	_Atomic uint32_t lost[DEVICES]; /* what it has noted */
	struct stamp *buf;
	uint64_t *before; /* what had ended when a flush began */
};

static atomic_bool over;
static uint32_t nr_devices;
static struct device devices[DEVICES];
static struct writer writers[WRITERS];
static const char *log_name;
static uint64_t seed;
static bool no_fua, no_discards, no_tasks;
static _Atomic uint64_t things, failures, reads;
static pthread_mutex_t flushing = PTHREAD_MUTEX_INITIALIZER;

static void *memory(size_t size)
{
	void *p;

	if (posix_memalign(&p, 4096, size))
		die("memory");
	return p;
}

static bool enter(struct device *d)
{
	if (d->away)
		return false;
	pthread_rwlock_rdlock(&d->lock);
	if (!d->away)
		return true;
	pthread_rwlock_unlock(&d->lock);
	return false;
}

/* Half of all is done where the others are, too. */
static void choose_place(uint64_t *state, uint32_t *device, uint32_t *sector)
{
	uint64_t hot = seed + things / STAY;

	*device = next(state) % nr_devices;
	*sector = next(state) % SECTORS;
	if (!(next(state) % 2))
		return;
	*device = next(&hot) % nr_devices;
	*sector = next(&hot) % (SECTORS / HOT) * HOT + *sector % HOT;
}

/*
 * Writers
 */

static void note(struct writer *w, const struct thing *t, uint64_t number)
{
	if (pwrite(w->log, t, sizeof(*t), (number - 1) * sizeof(*t)) != sizeof(*t))
		die(log_name);
}

static uint16_t choose_op(uint64_t *state)
{
	uint64_t dice = next(state) % 20;

	if (dice < 3)
		return ZERO;
	if (dice < 6 && !no_discards)
		return DISCARD;
	if (dice < 10 && !no_fua)
		return FUA;
	if (dice < 11)
		return FLUSH;
	return dice < 13 && !no_tasks ? BUFFERED : WRITE;
}

static void choose(struct writer *w, struct thing *t)
{
	uint32_t run = 1, most = next(&w->state) % 2 ? MOST : PAGE;

	*t = (struct thing){0};
	choose_place(&w->state, &t->device, &t->sector);
	while (writer_of(t->sector) != w->me)
		t->sector = (t->sector + 1) % SECTORS;
	while (run < most && t->sector + run < SECTORS && writer_of(t->sector + run) == w->me)
		run++;
	t->nr = 1 + next(&w->state) % run;
	t->op = choose_op(&w->state);
	if (t->op != BUFFERED)
		return;
	/* Whole pages: others may own what else is in one. */
	t->sector = t->sector / PAGE * PAGE;
	t->nr = t->nr / PAGE * PAGE;
	if (!t->nr || writer_of(t->sector) != w->me) {
		t->op = WRITE;
		t->nr = 1;
		while (writer_of(t->sector) != w->me)
			t->sector++;
	}
}

/* What is asked of the device: 0 or an errno. A buffered write has come to the page cache before.
 */
static int ask(const struct thing *t, const void *buf)
{
	const struct device *d = &devices[t->device];
	off_t start = (off_t)t->sector * SECTOR;
	size_t len = (size_t)t->nr * SECTOR;
	struct iovec iov = {(void *)buf, len};
	uint64_t range[2] = {start, len};
	ssize_t ret;

	switch (t->op) {
	case ZERO:
		ret = fallocate(d->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len);
		if (ret && errno == EOPNOTSUPP)
			ret = ioctl(d->fd, BLKZEROOUT, range);
		break;
	case DISCARD:
		ret = ioctl(d->fd, BLKDISCARD, range);
		if (ret && errno == EOPNOTSUPP)
			ret = 0;
		break;
	case FLUSH:
		ret = fdatasync(d->fd);
		break;
	case BUFFERED:
		ret = fdatasync(d->buffered);
		break;
	default:
		ret = pwritev2(d->fd, &iov, 1, start, t->op == FUA ? RWF_DSYNC : 0);
		if (ret >= 0 && ret != len)
			return EIO;
	}
	return ret < 0 ? errno : 0;
}

/* Likewise by another task: one that may write no file, or another user's, or one that is killed:
 * EINTR. */
static int ask_by_task(struct writer *w, const struct thing *t)
{
	static const struct rlimit none = {0, 0};
	uint64_t how = next(&w->state);
	bool killed = how % 3 == 0;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (how & 8)
			setrlimit(RLIMIT_FSIZE, &none);
		if (how & 16)
			syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
		_exit(ask(t, w->buf));
	}
	if (pid < 0)
		die("fork");
	if (killed) {
		usleep((how >> 32) % PAUSE);
		kill(pid, SIGKILL);
	}
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (killed && WTERMSIG(status) == SIGKILL)
		return EINTR;
	fprintf(stderr, "history: a task that changes device %u is killed by signal %d\n",
		t->device, WTERMSIG(status));
	exit(1);
}

/* What has ended when the flush begins is safe when it has succeeded. */
static void flushed(struct device *d, const uint64_t *before)
{
	uint32_t i;

	pthread_mutex_lock(&flushing);
	for (i = 0; i < SECTORS; i++) {
		if (d->flushed[i] < before[i])
			d->flushed[i] = before[i];
	}
	pthread_mutex_unlock(&flushing);
}

static int do_thing(struct writer *w, const struct thing *t, uint64_t number)
{
	struct device *d = &devices[t->device];
	bool zeroes = t->op == ZERO || t->op == DISCARD, may_fail = d->fails;
	int err = 0, ret;
	uint32_t i;

	if (t->op == FLUSH) {
		for (i = 0; i < SECTORS; i++)
			w->before[i] = d->ended[i];
	}
	for (i = 0; i < t->nr && t->op != FLUSH; i++) {
		make_stamp(&w->buf[i], w->me, number, t->device, t->sector + i);
		if (zeroes)
			d->zeroed[t->sector + i] = number;
		if (t->op != DISCARD)
			d->begun[t->sector + i] = number;
	}
	if (t->op == BUFFERED &&
	    pwrite(d->buffered, w->buf, t->nr * SECTOR, (off_t)t->sector * SECTOR) < 0)
		err = errno;
	if (!no_tasks && (t->op == BUFFERED || !(next(&w->state) % 12)))
		err = err ? err : ask_by_task(w, t);
	else
		err = ask(t, w->buf);
	if (t->op == BUFFERED) {
		/* Whoever was killed or has failed: nothing may stay in the page cache. */
		ret = ask(t, w->buf);
		err = ret ? ret : err == EINTR && !may_fail && !d->fails ? 0 : err;
	}
	if (err)
		return err;
	for (i = 0; i < t->nr && t->op != DISCARD && t->op != FLUSH; i++) {
		d->ended[t->sector + i] = number;
		if (t->op == FUA)
			d->flushed[t->sector + i] = number;
	}
	if (t->op == FLUSH)
		flushed(d, w->before);
	return 0;
}

static void note_losses(struct writer *w)
{
	struct thing t = {.op = LOST, .result = DONE};

	for (t.device = 0; t.device < nr_devices; t.device++) {
		if (w->lost[t.device] == devices[t.device].lost)
			continue;
		note(w, &t, ++w->number);
		w->lost[t.device]++;
	}
}

static void step(struct writer *w)
{
	struct device *d;
	struct thing t;
	bool may_fail;
	int err;

	choose(w, &t);
	d = &devices[t.device];
	if (!enter(d))
		return;
	may_fail = d->fails;
	note(w, &t, ++w->number);
	err = do_thing(w, &t, w->number);
	if (err && err != EINTR && !may_fail && !d->fails) {
		errno = err;
		fprintf(stderr,
			"history: writer %u, thing %llu: device %u sector %u, %u sectors, op %u: ",
			w->me, (unsigned long long)w->number, t.device, t.sector, t.nr, t.op);
		die("it fails");
	}
	t.result = err ? FAILED : DONE;
	note(w, &t, w->number);
	pthread_rwlock_unlock(&d->lock);
	failures += !!err;
	things++;
}

static void *write_all(void *arg)
{
	struct writer *w = arg;

	while (!over) {
		note_losses(w);
		step(w);
		/* Many moments, not much in each: who looks at the log has to catch up. */
		usleep(PAUSE);
	}
	return NULL;
}

static void start_writer(struct writer *w, uint32_t me)
{
	char name[4096];

	w->me = me;
	w->state = seed * WRITERS + me;
	w->buf = memory(MOST * SECTOR);
	w->before = memory(SECTORS * sizeof(*w->before));
	snprintf(name, sizeof(name), "%s.%u", log_name, me);
	w->log = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (w->log < 0)
		die(name);
}

/*
 * Readers
 */

static void judge(const struct device *d, uint32_t sector, const struct stamp *s, uint64_t least,
		  const char *when)
{
	uint64_t number = number_in(s, d - devices, sector);

	if (number ? number >= least && number <= d->begun[sector] : least <= d->zeroed[sector])
		return;
	fprintf(stderr,
		"history: %s, device %u sector %u of writer %u reads number %llu; %llu had been written before, %llu is the last one begun, %llu the last zeroes, %llu flushed\n",
		when, (uint32_t)(d - devices), sector, writer_of(sector),
		(unsigned long long)number, (unsigned long long)least,
		(unsigned long long)d->begun[sector], (unsigned long long)d->zeroed[sector],
		(unsigned long long)d->flushed[sector]);
	exit(1);
}

static void read_some(uint64_t *state, struct stamp *buf)
{
	uint64_t before[MOST];
	uint32_t device, sector, i;
	struct device *d;
	bool may_fail;

	choose_place(state, &device, &sector);
	sector = sector / MOST * MOST;
	d = &devices[device];
	if (!enter(d))
		return;
	may_fail = d->fails;
	for (i = 0; i < MOST; i++)
		before[i] = d->ended[sector + i];
	if (pread(d->fd, buf, MOST * SECTOR, (off_t)sector * SECTOR) == MOST * SECTOR) {
		for (i = 0; i < MOST; i++) {
			uint64_t last = d->begun[sector + i];

			/* Not what was being written meanwhile, if that is all there is. */
			if (last == before[i] ||
			    !is_torn(&buf[i], device, sector + i, before[i], last))
				judge(d, sector + i, &buf[i], before[i], "in use");
		}
	} else if (!may_fail && !d->fails) {
		fprintf(stderr, "history: device %u sector %u: ", device, sector);
		die("reading");
	}
	pthread_rwlock_unlock(&d->lock);
	reads++;
}

static void *read_all(void *arg)
{
	uint64_t state = ~seed - (uintptr_t)arg;
	struct stamp *buf = memory(MOST * SECTOR);

	while (!over) {
		read_some(&state, buf);
		usleep(PAUSE);
	}
	return NULL;
}

/*
 * Control
 */

static void open_device(struct device *d)
{
	d->fd = open(d->name, O_RDWR | O_DIRECT);
	d->buffered = open(d->name, O_RDWR);
	if (d->fd < 0 || d->buffered < 0)
		die(d->name);
}

static void close_device(struct device *d)
{
	d->away = true;
	pthread_rwlock_wrlock(&d->lock);
	close(d->fd);
	close(d->buffered);
	pthread_rwlock_unlock(&d->lock);
}

/* What is there now is what was written, from the last flush on. */
static void find_again(struct device *d)
{
	struct stamp *buf = memory(SECTORS * SECTOR);
	uint32_t i;

	open_device(d);
	if (pread(d->fd, buf, SECTORS * SECTOR, 0) != SECTORS * SECTOR)
		die("reading what is left");
	for (i = 0; i < SECTORS; i++) {
		uint64_t number;

		judge(d, i, &buf[i], d->flushed[i], "found again");
		number = number_in(&buf[i], d - devices, i);
		if (number)
			d->zeroed[i] = 0;
		d->begun[i] = d->ended[i] = d->flushed[i] = number ? number : d->zeroed[i];
	}
	free(buf);
	d->lost++;
	for (i = 0; i < WRITERS; i++) {
		while (writers[i].lost[d - devices] != d->lost)
			usleep(PAUSE);
	}
	d->fails = false;
	d->away = false;
}

static void obey(const char *line)
{
	char word[16], name;
	struct device *d;

	if (sscanf(line, "%15s %c", word, &name) != 2 || name < 'a' || name >= 'a' + nr_devices) {
		fprintf(stderr, "history: what is %s", line);
		exit(1);
	}
	d = &devices[name - 'a'];
	if (!strcmp(word, "fails"))
		d->fails = true;
	else if (!strcmp(word, "works"))
		d->fails = false;
	else if (!strcmp(word, "away"))
		close_device(d);
	else if (!strcmp(word, "back"))
		find_again(d);
	puts("ok");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	pthread_t threads[WRITERS + READERS];
	pthread_rwlockattr_t attr;
	char line[64];
	uintptr_t i;

	if (argc < 4 || argc > 3 + DEVICES)
		return 2;
	log_name = argv[1];
	seed = strtoull(argv[2], NULL, 10);
	nr_devices = argc - 3;
	no_fua = without("fua");
	no_discards = without("discards");
	no_tasks = without("tasks");
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (i = 0; i < nr_devices; i++) {
		devices[i].name = argv[3 + i];
		pthread_rwlock_init(&devices[i].lock, &attr);
		open_device(&devices[i]);
	}
	for (i = 0; i < WRITERS; i++)
		start_writer(&writers[i], i);
	for (i = 0; i < WRITERS + READERS; i++) {
		if (pthread_create(&threads[i], NULL, i < WRITERS ? write_all : read_all,
				   i < WRITERS ? (void *)&writers[i] : (void *)(i - WRITERS)))
			die("thread");
	}
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n"))
		obey(line);
	over = true;
	for (i = 0; i < WRITERS + READERS; i++)
		pthread_join(threads[i], NULL);
	fprintf(stderr, "%llu things done, %llu of them failed, %llu times read\n",
		(unsigned long long)things, (unsigned long long)failures,
		(unsigned long long)reads);
	return 0;
}
