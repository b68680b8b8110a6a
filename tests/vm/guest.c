// SPDX-License-Identifier: GPL-2.0-only
/*
 * Process 1 of the guest: runs the command and carries what it says to the host.
 *
 * The ports of the virtio-serial device are, by number:
 *	1 standard output of the command	2 its standard error
 *	3 the kernel log from the first line	4 the host's orders and our verdict
 *
 * The verdict names how many bytes went into each port, so that the host knows when it has them
 * all; it then switches the machine off. The command gets pipes, not the ports: a port can be
 * opened only once, so /dev/stdout would fail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS "/run/vm/args"
#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define BUF_SIZE 65536

enum {
	OUT,
	ERR,
	LOG,
	CTL,
	PORTS
};

static int port[PORTS];
static unsigned long long sent[PORTS];
static char buf[BUF_SIZE];

/* The console is the one way left to tell the host; process 1 that ends panics the kernel, which
 * ends the VM. */
static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "vm-guest: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(1);
}

static void send_all(int p, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(port[p], data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("write to port %d", p + 1);
		data += n;
		len -= n;
		sent[p] += n;
	}
}

static void __attribute__((format(printf, 2, 3))) send_line(int p, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	send_all(p, line, n);
}

/* The driver makes the nodes some time after it has been loaded. */
static void open_ports(void)
{
	for (int p = 0; p < PORTS; p++) {
		char path[32];
		int tries = 0;

		snprintf(path, sizeof(path), "/dev/vport0p%d", p + 1);
		while ((port[p] = open(path, O_RDWR | O_CLOEXEC)) < 0) {
			if (tries++ == 3000)
				fail("%s", path);
			usleep(10000);
		}
	}
}

/* Passes on one portion of what FD, which does not block, holds. False once nobody can write to it
 * any more. */
static int relay(int fd, int p)
{
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		send_all(p, buf, n);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Passes on what FD holds now; a process left behind may go on writing for ever. */
static void relay_rest(int fd, int p)
{
	int left;
	ssize_t n;

	if (fd < 0 || ioctl(fd, FIONREAD, &left))
		return;
	while (left > 0 && (n = read(fd, buf, left < BUF_SIZE ? left : BUF_SIZE)) > 0) {
		send_all(p, buf, n);
		left -= n;
	}
}

/* A record of /dev/kmsg is "priority,sequence,microseconds,flags;text" and, after a newline, its
 * dictionary. */
static void relay_kmsg(int fd)
{
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf) - 1);
		unsigned long long usec = 0;
		char *text;

		if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue;
		if (n <= 0)
			return;
		buf[n] = '\0';
		text = strchr(buf, ';');
		if (!text)
			continue;
		sscanf(buf, "%*[^,],%*[^,],%llu", &usec);
		text[strcspn(text, "\n")] = '\0';
		send_line(LOG, "[%5llu.%06llu] ", usec / 1000000, usec % 1000000);
		send_all(LOG, text + 1, strlen(text + 1));
		send_all(LOG, "\n", 1);
	}
}

static unsigned long taint(void)
{
	unsigned long bits = 0;
	FILE *f = fopen("/proc/sys/kernel/tainted", "re");

	if (!f || fscanf(f, "%lu", &bits) != 1)
		fail("/proc/sys/kernel/tainted");
	fclose(f);
	return bits;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail("%s", path);
	close(fd);
}

/* Pages of /share that were written through a mapping. */
static void sync_share(void)
{
	int fd = open("/share", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		syncfs(fd);
		close(fd);
	}
}

/*
 * Two scans, because a pointer that moved during the first hides nothing from the second, after a
 * pause, because the scanner leaves out what is younger than five seconds.
 */
static void scan_leaks(void)
{
	FILE *f;
	char *line = NULL;
	size_t size = 0;

	if (access(KMEMLEAK, W_OK))
		return;
	sleep(6);
	write_file(KMEMLEAK, "scan");
	write_file(KMEMLEAK, "scan");
	f = fopen(KMEMLEAK, "re");
	if (!f)
		fail("%s", KMEMLEAK);
	while (getline(&line, &size, f) > 0)
		send_line(LOG, "kmemleak: %s", line);
	free(line);
	fclose(f);
}

/* ARGS holds the words of the command, each with a NUL after it. */
static char **read_args(void)
{
	static char *args;
	size_t len = 0, size = 0, argc = 0;
	char **argv;
	int c;
	FILE *f = fopen(ARGS, "re");

	if (!f)
		fail("%s", ARGS);
	while ((c = getc(f)) != EOF) {
		if (len == size) {
			size = size ? size * 2 : 4096;
			args = realloc(args, size);
			if (!args)
				fail("arguments");
		}
		args[len++] = c;
		argc += !c;
	}
	fclose(f);
	argv = calloc(argc + 1, sizeof(*argv));
	if (!argv || !argc)
		fail("arguments");
	for (size_t i = 0, at = 0; i < argc; i++) {
		argv[i] = args + at;
		at += strlen(args + at) + 1;
	}
	return argv;
}

static void __attribute__((noreturn)) exec_command(char **argv, const int *out, const int *err)
{
	sigset_t none;
	int in = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(in, 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	if (chdir("/share") && chdir("/root"))
		_exit(126);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Takes in every child that ended, ours and orphans. True once the command is among them; *STATUS
 * as a shell has it. */
static int reap(pid_t command, int *status)
{
	int wstatus, done = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		done = 1;
		*status = WIFSIGNALED(wstatus) ? 128 + WTERMSIG(wstatus) : WEXITSTATUS(wstatus);
	}
	return done;
}

/* What the host may ask: the stacks of blocked tasks and of all CPUs, before it ends a VM that
 * takes too long. */
static void obey(void)
{
	char order[16];
	ssize_t n = read(port[CTL], order, sizeof(order));

	if (n <= 0)
		return;
	write_file("/proc/sysrq-trigger", "w");
	write_file("/proc/sysrq-trigger", "l");
}

int main(void)
{
	int out[2], err[2], kmsg, chld, status = 0, done = 0;
	unsigned long before;
	char **argv = read_args();
	sigset_t set;
	pid_t pid;

	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LANG", "C.UTF-8", 1);
	/* No udevd runs: libdevmapper is to make the nodes itself. */
	setenv("DM_DISABLE_UDEV", "1", 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	chld = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (chld < 0 || kmsg < 0)
		fail("/dev/kmsg");
	open_ports();
	/* Only the reading ends do not block: the command shall find ordinary pipes. */
	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || fcntl(out[0], F_SETFL, O_NONBLOCK) ||
	    fcntl(err[0], F_SETFL, O_NONBLOCK))
		fail("pipe");
	before = taint();
	send_line(CTL, "ready\n");

	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		exec_command(argv, out, err);
	}
	close(out[1]);
	close(err[1]);

	while (!done) {
		struct pollfd fds[] = {
			{.fd = out[0], .events = POLLIN},    {.fd = err[0], .events = POLLIN},
			{.fd = kmsg, .events = POLLIN},	     {.fd = chld, .events = POLLIN},
			{.fd = port[CTL], .events = POLLIN},
		};
		struct signalfd_siginfo info;

		if (poll(fds, 5, -1) < 0 && errno != EINTR)
			fail("poll");
		if (fds[3].revents) {
			while (read(chld, &info, sizeof(info)) > 0)
				;
			done = reap(pid, &status);
		}
		if (fds[0].revents && !relay(out[0], OUT))
			out[0] = -1;
		if (fds[1].revents && !relay(err[0], ERR))
			err[0] = -1;
		relay_kmsg(kmsg);
		if (fds[4].revents & POLLIN)
			obey();
	}
	relay_rest(out[0], OUT);
	relay_rest(err[0], ERR);
	sync_share();
	scan_leaks();
	relay_kmsg(kmsg);
	send_line(CTL, "exit %d %llu %llu %llu %lu %lu\n", status, sent[OUT], sent[ERR], sent[LOG],
		  before, taint());
	for (;;)
		pause();
}
