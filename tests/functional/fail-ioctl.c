// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail-ioctl N COMMAND [ARG...]: run it, and let its N-th ioctl that changes a mapped
 * device or a file system fail with EIO before the kernel sees it.
 *
 * fail-ioctl -k N COMMAND [ARG...]: let SIGKILL end COMMAND right before that ioctl.
 *
 * fail-ioctl -w MS COMMAND [ARG...]: let MS milliseconds go by before every second
 * question for the table or the status of a mapped device; says so first.
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
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum {
	FAIL,
	KILL,
	WAIT
} mode = FAIL;
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

/* Only ioctls stop a process: emulation is slow enough. */
static void stop_at_ioctls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("PR_SET_SECCOMP");
}

static void at_ioctl(pid_t pid)
{
	struct user_regs_struct regs;

	/* One that was killed meanwhile has none any more. */
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
		return;
	if (mode == WAIT) {
		if (is_question(regs.rsi) && !(++seen % 2)) {
			fprintf(stderr, "fail-ioctl: waits\n");
			usleep(nr * 1000);
		}
		return;
	}
	if (!name_of(regs.rsi) || ++seen != nr)
		return;
	fprintf(stderr, "fail-ioctl: %s\n", name_of(regs.rsi));
	if (mode == KILL) {
		kill(command, SIGKILL);
		return;
	}
	/* No such call: the kernel does nothing, and returns what is there. */
	regs.orig_rax = -1;
	regs.rax = -EIO;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

/* Follow them all. Return: how the command ended. */
static int follow(void)
{
	int status, how = 0, stop;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			if (pid == command)
				how = status;
			continue;
		}
		stop = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			at_ioctl(pid);
		/* exec, a new process and its start report themselves so. */
		if (stop == SIGTRAP || stop == SIGSTOP)
			stop = 0;
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)stop);
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
		stop_at_ioctls();
		execvp(argv[2], argv + 2);
		die(argv[2]);
	}
	if (command < 0 || waitpid(command, &status, 0) < 0)
		die("fork");
	if (ptrace(PTRACE_SETOPTIONS, command, NULL,
		   PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
			   PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE) ||
	    ptrace(PTRACE_CONT, command, NULL, NULL))
		die("ptrace");
	status = follow();
	if (mode != WAIT && seen < nr)
		return 120;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
