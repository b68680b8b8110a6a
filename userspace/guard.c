// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"
#include "live.h"
#include "say.h"

/* Between two looks for signals, milliseconds. */
#define LOOK_MS 100

/* How long a guard may take to go when it is let go. */
#define END_MS 3000

/* What an owner tells a guard, one byte each; the answer is an errno, or 0. */
enum order {
	ORDER_SYNC = 1,
	ORDER_FREEZE,	  /* a file system */
	ORDER_SUSPEND,	  /* a device */
	ORDER_SUSPEND_FS, /* a device, and let device-mapper freeze what is on it */
	ORDER_DONE,	  /* a device goes on; the guard shall go */
};

/**
 * struct guard - one guard, as its owner sees it
 * @pid: its process
 * @sock: socket, -1: closed
 * @device: index of the device, or of one that the file system lies on
 * @fs: file system; NULL: it guards a device
 * @freezing: what it may fail with, for a sentence
 * @asked: an answer is to come
 * @err: the last answer
 * @held: frozen, or suspended
 */
struct guard {
	pid_t pid;
	int sock;
	size_t device;
	const struct mounted *fs;
	char *freezing;
	bool asked;
	int err;
	bool held;
};

/**
 * struct guards - all of one operation
 * @devices: devices
 * @nr_devices: how many; their guards come first
 * @list: guards
 * @nr: how many
 * @fs: file systems
 * @nr_fs: how many
 * @freeze: file systems are frozen
 * @poll: a place for each
 * @control: device-mapper
 * @forward: shared with the guards: see guards_forward()
 */
struct guards {
	struct guarded *devices;
	size_t nr_devices;
	struct guard *list;
	size_t nr;
	struct mounted *fs;
	size_t nr_fs;
	bool freeze;
	struct pollfd *poll;
	int control;
	volatile sig_atomic_t *forward;
};

/* -- in the guard ------------------------------------------------------------------------------ */

/* Whoever waits for the end of what we print must not wait for a guard that hangs. */
static void shed_files(const int *keep, size_t nr)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd, last = STDERR_FILENO;
	size_t i;

	for (fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++) {
		for (i = 0; i < nr && keep[i] != fd; i++)
			;
		if (i == nr)
			dup2(null, fd);
	}
	/* The gaps between those that are kept. */
	for (;;) {
		int next = -1;

		for (i = 0; i < nr; i++)
			if (keep[i] > last && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0)
			break;
		if (next > last + 1)
			close_range(last + 1, next - 1, 0);
		last = next;
	}
	close_range(last + 1, ~0U, 0);
}

/* Who is to put things right must neither be ended nor wait for memory. */
static int settle_in(const int *keep, size_t nr)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "-1000", 5) < 0) {
		/* A container may not. */
	}
	setsid();
	prctl(PR_SET_NAME, "qcowctl-guard", 0, 0, 0);
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	shed_files(keep, nr);
	return mlockall(MCL_CURRENT) ? errno : 0;
}

static void answer(int sock, int err)
{
	unsigned char byte = err > 0 && err < 256 ? err : err ? EIO : 0;

	if (send(sock, &byte, 1, MSG_NOSIGNAL) < 0) {
		/* Nobody is there any more: the next read tells. */
	}
}

/* Return: 0: the socket has ended. */
static int take_order(int sock)
{
	unsigned char order;
	ssize_t n;

	do {
		n = read(sock, &order, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? order : 0;
}

static void guard_fs(int fd, int sock)
{
	bool frozen = false;
	int order, err;

	for (;;) {
		order = take_order(sock);
		err = EINVAL;
		if (order == ORDER_SYNC)
			err = syncfs(fd) ? errno : 0;
		else if (order == ORDER_FREEZE)
			err = ioctl(fd, FIFREEZE, 0) ? errno : 0;
		else if (!order)
			break;
		frozen |= order == ORDER_FREEZE && !err;
		answer(sock, err);
	}
	if (frozen)
		ioctl(fd, FITHAW, 0);
}

/* The kernel answers into @call: each time it is made anew. */
static void make_call(struct dm_ioctl *call, const struct dm_device *device, size_t size,
		      uint32_t flags)
{
	memset(call, 0, sizeof(*call));
	call->version[0] = DM_VERSION_MAJOR;
	call->data_size = size;
	call->data_start = sizeof(*call);
	call->flags = flags;
	call->dev = makedev(device->major, device->minor);
}

/* Return: 0 or a positive errno. */
static int tell(int control, unsigned long request, const struct dm_device *device, uint32_t flags)
{
	struct dm_ioctl call;

	make_call(&call, device, sizeof(call), flags);
	return ioctl(control, request, &call) ? errno : 0;
}

/**
 * struct load - a table to be loaded
 * @call: head
 * @spec: its only target
 * @params: table
 */
struct load {
	struct dm_ioctl call;
	struct dm_target_spec spec;
	char params[];
};

/* The table that the device has, of which only the length is missing. */
static struct load *make_load(const struct dm_device *device)
{
	size_t size = (sizeof(struct load) + strlen(device->table) + 1 + 7) & ~(size_t)7;
	struct load *load = xalloc(size);

	make_call(&load->call, device, size, 0);
	load->call.target_count = 1;
	load->spec.next = size - sizeof(load->call);
	strcpy(load->spec.target_type, DM_TARGET);
	strcpy(load->params, device->table);
	return load;
}

/* Page cache of the device itself: there may be no file system that writes it. */
static int sync_device(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 || fsync(fd) ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* The owner is gone, or has given up. @load: made beforehand, if the size may have changed. */
static void rescue(int control, const struct guarded *guarded, struct load *load, bool forward)
{
	const struct dm_device *device = guarded->device;
	bool clear = !forward;
	int sem;

	/*
	 * A load may wait for memory; this one may, for nobody has open a device whose size
	 * changes so, and no memory waits for it.
	 */
	if (load) {
		load->spec.length = guarded->size(guarded->arg);
		if (load->spec.length && load->spec.length != device->sectors)
			clear = ioctl(control, DM_TABLE_LOAD, load) != 0;
	}
	/* Before the resume, which would make it live. */
	if (clear)
		tell(control, DM_TABLE_CLEAR, device, 0);
	if (tell(control, DM_DEV_SUSPEND, device, 0) && !clear) {
		/* It was refused: then better without. */
		tell(control, DM_TABLE_CLEAR, device, 0);
		tell(control, DM_DEV_SUSPEND, device, 0);
	}
	/* What the owner would have waited for. */
	sem = guarded->cookie ? semget(guarded->cookie, 1, 0) : -1;
	if (sem >= 0)
		semctl(sem, 0, IPC_RMID);
}

static void guard_device(const struct guards *guards, const struct guarded *guarded,
			 struct load *load, const char *path, int sock)
{
	int order, err;

	for (;;) {
		order = take_order(sock);
		err = EINVAL;
		if (order == ORDER_SYNC)
			err = sync_device(path);
		else if (order == ORDER_SUSPEND)
			err = tell(guards->control, DM_DEV_SUSPEND, guarded->device,
				   DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG);
		else if (order == ORDER_SUSPEND_FS)
			err = tell(guards->control, DM_DEV_SUSPEND, guarded->device,
				   DM_SUSPEND_FLAG);
		else if (order == ORDER_DONE)
			return;
		else if (!order)
			break;
		answer(sock, err);
	}
	rescue(guards->control, guarded, load, *guards->forward);
}

static void __attribute__((noreturn))
be_guard(const struct guards *guards, const struct guard *guard, int sock)
{
	const struct guarded *guarded = &guards->devices[guard->device];
	int keep_fs[] = {sock, guard->fs ? guard->fs->fd : -1};
	int keep_device[] = {sock, guards->control, guarded->lock, guarded->keep};
	struct load *load;
	char *path;

	if (guard->fs) {
		answer(sock, settle_in(keep_fs, 2));
		guard_fs(guard->fs->fd, sock);
	} else {
		load = guarded->size ? make_load(guarded->device) : NULL;
		path = dm_path(guarded->device->name);
		answer(sock, settle_in(keep_device, 4));
		guard_device(guards, guarded, load, path, sock);
	}
	/* What the program does at its end is not ours to do. */
	_exit(0);
}

/* -- in the owner ------------------------------------------------------------------------------ */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static int start_one(struct guards *guards, struct guard *guard)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return errno;
	guard->pid = fork();
	if (!guard->pid)
		be_guard(guards, guard, pair[1]);
	close(pair[1]);
	guard->sock = pair[0];
	guard->asked = guard->pid > 0;
	return guard->pid < 0 ? errno : 0;
}

static void order(struct guard *guard, enum order what)
{
	unsigned char byte = what;

	guard->asked = send(guard->sock, &byte, 1, MSG_NOSIGNAL) == 1;
	guard->err = guard->asked ? 0 : ECHILD;
}

static void take_answer(struct guard *guard)
{
	unsigned char byte;
	ssize_t n = read(guard->sock, &byte, 1);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	guard->asked = false;
	guard->err = n == 1 ? byte : ECHILD;
}

/*
 * Wait for all answers, @ms milliseconds, 0: as long as it takes. @stop: until a signal comes.
 * Return: 0; ETIMEDOUT or EINTR if some are still to come.
 */
static int wait_for_answers(struct guards *guards, unsigned int ms, bool stop)
{
	uint64_t end = now_ms() + ms;
	size_t i, nr;

	for (;;) {
		uint64_t now = now_ms();
		int wait = LOOK_MS;

		for (i = 0, nr = 0; i < guards->nr; i++) {
			guards->poll[i] = (struct pollfd){.fd = -1, .events = POLLIN};
			if (guards->list[i].asked) {
				guards->poll[i].fd = guards->list[i].sock;
				nr++;
			}
		}
		if (!nr)
			return 0;
		if (ms && now >= end)
			return ETIMEDOUT;
		if (stop && live_interrupted())
			return EINTR;
		if (ms && end - now < LOOK_MS)
			wait = end - now;
		if (poll(guards->poll, guards->nr, wait) <= 0)
			continue;
		for (i = 0; i < guards->nr; i++)
			if (guards->poll[i].revents)
				take_answer(&guards->list[i]);
	}
}

/* How many file systems are right on a device. @held: of those that are frozen by us. */
static int count_fs(const struct guards *guards, size_t device, bool held)
{
	int nr = 0;
	size_t i;

	for (i = guards->nr_devices; i < guards->nr; i++)
		nr += guards->list[i].fs->on[device] && (!held || guards->list[i].held);
	return nr;
}

/* The first of the guards that failed or has not answered. */
static int find_trouble(const struct guards *guards, int err, const char *suspending,
			struct guard_trouble *trouble)
{
	size_t i;

	for (i = 0; i < guards->nr; i++) {
		const struct guard *guard = &guards->list[i];

		if (!guard->err && !guard->asked)
			continue;
		trouble->step = guard->fs ? guard->freezing : suspending;
		trouble->device = guard->device;
		trouble->err = guard->err ? guard->err : err;
		return trouble->err;
	}
	return 0;
}

struct guards *guards_start(const struct guarded *devices, size_t nr, bool freeze)
{
	struct guards *guards = xalloc(sizeof(*guards));
	struct guard_trouble trouble = {};
	char *control = dm_path("control");
	dev_t *numbers = xalloc(nr * sizeof(*numbers));
	size_t i;
	int err = 0;

	guards->devices = xalloc(nr * sizeof(*devices));
	memcpy(guards->devices, devices, nr * sizeof(*devices));
	guards->nr_devices = nr;
	guards->freeze = freeze;
	for (i = 0; i < nr; i++)
		numbers[i] = makedev(devices[i].device->major, devices[i].device->minor);
	if (freeze)
		guards->nr_fs = mounts_find(numbers, nr, &guards->fs);
	free(numbers);
	guards->nr = nr + guards->nr_fs;
	guards->list = xalloc(guards->nr * sizeof(*guards->list));
	guards->poll = xalloc(guards->nr * sizeof(*guards->poll));
	for (i = 0; i < guards->nr; i++) {
		struct guard *guard = &guards->list[i];

		guard->sock = -1;
		guard->device = i;
		if (i < nr)
			continue;
		guard->fs = &guards->fs[i - nr];
		guard->device = guard->fs->of;
		guard->freezing = xasprintf("freezing the file system on %s", guard->fs->point);
	}
	guards->control = open(control, O_RDWR | O_CLOEXEC);
	free(control);
	guards->forward = mmap(NULL, sizeof(*guards->forward), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guards->control < 0 || guards->forward == MAP_FAILED)
		err = errno;
	for (i = 0; i < guards->nr && !err; i++)
		err = start_one(guards, &guards->list[i]);
	if (!err)
		err = wait_for_answers(guards, 0, false);
	if (!err)
		err = find_trouble(guards, 0, "", &trouble);
	if (!err)
		return guards;
	say("%s: no process could be made to look after it: %s", devices[0].device->name,
	    strerror(err));
	guards_end(guards);
	return NULL;
}

int guards_sync(struct guards *guards, struct guard_trouble *trouble)
{
	size_t i;
	int err;

	for (i = 0; i < guards->nr; i++)
		if (guards->list[i].fs || !count_fs(guards, i, false))
			order(&guards->list[i], ORDER_SYNC);
	err = wait_for_answers(guards, 0, true);
	/* Whether everything could be written is for freezing to say. */
	for (i = 0; i < guards->nr && !err; i++)
		guards->list[i].err = 0;
	return err ? find_trouble(guards, err, "writing what is to be written", trouble) : 0;
}

int guards_freeze(struct guards *guards, unsigned int ms, struct guard_trouble *trouble)
{
	size_t i;
	int err;

	for (i = guards->nr_devices; i < guards->nr; i++)
		order(&guards->list[i], ORDER_FREEZE);
	err = wait_for_answers(guards, ms, true);
	for (i = guards->nr_devices; i < guards->nr; i++) {
		struct guard *guard = &guards->list[i];

		guard->held = !guard->asked && !guard->err;
		/*
		 * EBUSY: somebody else has frozen it, and may thaw it at any time. The others: it
		 * has no freezing of its own. device-mapper does what can be done, or says that it
		 * cannot.
		 */
		if (guard->err == EBUSY || guard->err == EOPNOTSUPP || guard->err == ENOTTY)
			guard->err = 0;
	}
	return find_trouble(guards, err, NULL, trouble);
}

/* Suspend those of which @fs says whether device-mapper is to freeze what is on them. */
static int suspend_those(struct guards *guards, bool fs, unsigned int ms,
			 struct guard_trouble *trouble)
{
	size_t i;
	int err;

	for (i = 0; i < guards->nr_devices; i++)
		if (fs == (guards->freeze && !count_fs(guards, i, true)))
			order(&guards->list[i], fs ? ORDER_SUSPEND_FS : ORDER_SUSPEND);
	err = wait_for_answers(guards, ms, ms);
	for (i = 0; i < guards->nr_devices; i++) {
		struct guard *guard = &guards->list[i];

		/* A guard that is gone cannot tell: then it is resumed all the same. */
		if (fs == (guards->freeze && !count_fs(guards, i, true)))
			guard->held = !guard->asked && (!guard->err || guard->err == ECHILD);
	}
	return find_trouble(guards, err, "suspending", trouble);
}

int guards_suspend(struct guards *guards, unsigned int ms, struct guard_trouble *trouble)
{
	size_t i;
	int err;

	for (i = 0; i < guards->nr_devices; i++)
		guards->list[i].held = false;
	/* What has to be frozen is, while the other devices can still be written. */
	err = suspend_those(guards, true, ms, trouble);
	return err ? err : suspend_those(guards, false, ms, trouble);
}

bool guards_suspended(const struct guards *guards, size_t device)
{
	return guards->list[device].held;
}

void guards_forward(struct guards *guards, bool on)
{
	*guards->forward = on;
	__sync_synchronize();
}

/* The end of the socket is the order to put things right. */
static void let_go(struct guard *guard)
{
	if (guard->sock < 0)
		return;
	if (!guard->fs && !guard->asked && guard->err != ECHILD)
		order(guard, ORDER_DONE);
	close(guard->sock);
	guard->sock = -1;
}

void guards_end(struct guards *guards)
{
	static const struct timespec moment = {.tv_nsec = 2000000};
	uint64_t end = now_ms() + END_MS;
	size_t i;

	if (!guards)
		return;
	for (i = 0; i < guards->nr; i++)
		let_go(&guards->list[i]);
	for (i = 0; i < guards->nr; i++) {
		struct guard *guard = &guards->list[i];

		while (guard->pid > 0 && !waitpid(guard->pid, NULL, WNOHANG) && now_ms() < end)
			nanosleep(&moment, NULL);
		free(guard->freezing);
	}
	if (guards->control >= 0)
		close(guards->control);
	if (guards->forward && guards->forward != MAP_FAILED)
		munmap((void *)guards->forward, sizeof(*guards->forward));
	mounts_free(guards->fs, guards->nr_fs);
	free(guards->devices);
	free(guards->list);
	free(guards->poll);
	free(guards);
}
