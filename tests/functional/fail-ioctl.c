// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail-ioctl N COMMAND [ARG...]: run it, and let its N-th ioctl that changes a mapped
 * device fail with EIO before the kernel sees it.
 *
 * Counted are suspend and resume, loading and clearing a table, and messages to a
 * target. Says on standard error which one it was. The exit status is that of COMMAND;
 * 120 if it made fewer such calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *name_of(unsigned long request)
{
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

static void die(const char *what)
{
	perror(what);
	exit(121);
}

int main(int argc, char **argv)
{
	bool inside = false, failing = false;
	long nr = argc > 2 ? atol(argv[1]) : 0, seen = 0;
	struct user_regs_struct regs;
	int status, stop;
	pid_t pid;

	if (nr < 1)
		return 2;
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (stop = 0;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)stop) ||
		    waitpid(pid, &status, 0) < 0)
			die("ptrace");
		if (!WIFSTOPPED(status))
			break;
		stop = WSTOPSIG(status);
		if (stop != (SIGTRAP | 0x80)) {
			/* exec reports itself by a SIGTRAP; the rest is the command's. */
			if (stop == SIGTRAP)
				stop = 0;
			continue;
		}
		stop = 0;
		inside = !inside;
		if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
			die("PTRACE_GETREGS");
		if (inside && regs.orig_rax == SYS_ioctl && name_of(regs.rsi) && ++seen == nr) {
			fprintf(stderr, "fail-ioctl: %s\n", name_of(regs.rsi));
			failing = true;
			regs.orig_rax = -1;
			ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		} else if (!inside && failing) {
			failing = false;
			regs.rax = -EIO;
			ptrace(PTRACE_SETREGS, pid, NULL, &regs);
		}
	}
	if (seen < nr)
		return 120;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
