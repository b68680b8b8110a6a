// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail-ioctl N COMMAND [ARG...]: run it, and let its N-th ioctl that changes a mapped
 * device or a file system fail with EIO before the kernel sees it.
 *
 * fail-ioctl -k N COMMAND [ARG...]: let SIGKILL end COMMAND right before that ioctl.
 *
 * fail-ioctl -w MS COMMAND [ARG...]: let MS milliseconds go by before every second
 * question for the table or the status of a mapped device.
 *
 * Counted are suspend and resume, loading and clearing a table, messages to a target,
 * freezing and thawing, whether COMMAND does it or a process that it made: with -k it is
 * COMMAND that ends, and its processes go on. Says on standard error which one it was.
 * Returns when all of these processes have ended. The exit status is that of COMMAND;
 * 120 if fewer such calls were made.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROCESSES_MOST 64

/* A process that is followed; @pid 0: a free place. */
static struct process {
	pid_t pid;
	bool inside;
	bool failing;
} processes[PROCESSES_MOST];

static enum { FAIL, KILL, WAIT } mode = FAIL;
static long nr, seen;
static pid_t command;

static const char *name_of(unsigned long request)
{
	if (request == FIFREEZE)
		return "freeze";
	if (request == FITHAW)
		return "thaw";
	if (_IOC_TYPE(request) != DM_IOCTL)
		return NULL;
	switch (_IOC_NR(request)) {
	case DM_DEV_SUSPEND_CMD:
		return "suspend or resume";
	case DM_TABLE_LOAD_CMD:
		return "load";
	case DM_TABLE_CLEAR_CMD:
		return "clear";
	case DM_TARGET_MSG_CMD:
		return "message";
	default:
		return NULL;
	}
}

static bool is_question(unsigned long request)
{
	return _IOC_TYPE(request) == DM_IOCTL && _IOC_NR(request) == DM_TABLE_STATUS_CMD;
}

static void die(const char *what)
{
	perror(what);
	exit(121);
}

static struct process *find(pid_t pid)
{
	struct process *p, *place = NULL;

	for (p = processes; p < processes + PROCESSES_MOST; p++) {
		if (p->pid == pid)
			return p;
		if (!p->pid && !place)
			place = p;
	}
	if (!place) {
		fprintf(stderr, "fail-ioctl: more than %d processes\n", PROCESSES_MOST);
		exit(121);
	}
	memset(place, 0, sizeof(*place));
	place->pid = pid;
	return place;
}

/* The kernel shall not see it. */
static void skip(struct process *p, struct user_regs_struct *regs)
{
	p->failing = true;
	regs->orig_rax = -1;
	ptrace(PTRACE_SETREGS, p->pid, NULL, regs);
}

static void enter(struct process *p, struct user_regs_struct *regs)
{
	if (mode == WAIT) {
		if (is_question(regs->rsi) && !(++seen % 2))
			usleep(nr * 1000);
		return;
	}
	if (!name_of(regs->rsi) || ++seen != nr)
		return;
	fprintf(stderr, "fail-ioctl: %s\n", name_of(regs->rsi));
	if (mode == KILL)
		kill(command, SIGKILL);
	else
		skip(p, regs);
}

static void at_system_call(struct process *p)
{
	struct user_regs_struct regs;

	p->inside = !p->inside;
	/* One that was killed meanwhile has none any more. */
	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs))
		return;
	if (p->inside && regs.orig_rax == SYS_ioctl) {
		enter(p, &regs);
	} else if (!p->inside && p->failing) {
		p->failing = false;
		regs.rax = -EIO;
		ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
	}
}

/* Follow them all. Return: how the command ended. */
static int follow(void)
{
	int status, how = 0, stop;
	struct process *p;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		p = find(pid);
		if (!WIFSTOPPED(status)) {
			if (pid == command)
				how = status;
			p->pid = 0;
			continue;
		}
		stop = WSTOPSIG(status);
		if (stop == (SIGTRAP | 0x80)) {
			at_system_call(p);
			stop = 0;
		} else if (stop == SIGTRAP || stop == SIGSTOP) {
			/* exec, a new process and its start report themselves so. */
			stop = 0;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)stop);
	}
	return how;
}

int main(int argc, char **argv)
{
	int status;

	if (argc > 1 && !strcmp(argv[1], "-k"))
		mode = KILL;
	else if (argc > 1 && !strcmp(argv[1], "-w"))
		mode = WAIT;
	if (mode != FAIL) {
		argc--;
		argv++;
	}
	nr = argc > 2 ? atol(argv[1]) : 0;
	if (nr < 1)
		return 2;
	command = fork();
	if (!command) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	if (command < 0 || waitpid(command, &status, 0) < 0)
		die("fork");
	if (ptrace(PTRACE_SETOPTIONS, command, NULL,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
			   PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE) ||
	    ptrace(PTRACE_SYSCALL, command, NULL, NULL))
		die("ptrace");
	status = follow();
	if (mode != WAIT && seen < nr)
		return 120;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
