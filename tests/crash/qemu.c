// SPDX-License-Identifier: GPL-2.0-only
/* Running QEMU's tools. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "qemu.h"

extern char **environ;

const char *text(const char *fmt, ...)
{
	static char ring[1024][512];
	static unsigned int next;
	char *buf = ring[next++ % 1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(ring[0]), fmt, args);
	va_end(args);
	return buf;
}

int qemu_runv(bool fatal, const char *const *argv)
{
	posix_spawn_file_actions_t files;
	const char *log = text("%s/output", sim.dir);
	int status = 0, ret, i;
	pid_t pid;

	sim_count.qemu++;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	ret = posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (ret || waitpid(pid, &status, 0) < 0) {
		fprintf(stderr, "%s cannot be run: %s\n", argv[0], strerror(ret));
		exit(1);
	}
	ret = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	if (ret && (fatal || sim.verbose)) {
		u64 size;
		u8 *output = file_read(log, &size);

		fprintf(stderr, "status %d of", ret);
		for (i = 0; argv[i]; i++)
			fprintf(stderr, " %s", argv[i]);
		fprintf(stderr, ":\n%.*s\n", (int)min(size, 1500ULL), output);
		free(output);
	}
	unlink(log);
	if (ret && fatal)
		FAIL("%s failed", argv[0]);
	return ret;
}

int qemu_run(bool fatal, const char *program, ...)
{
	const char *argv[64] = {program};
	unsigned int n = 1;
	va_list args;

	va_start(args, program);
	while (n < 63 && (argv[n] = va_arg(args, const char *)))
		n++;
	va_end(args);
	return qemu_runv(fatal, argv);
}

u8 *file_read(const char *path, u64 *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	u8 *data;
	u64 got = 0;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	data = xalloc(st.st_size);
	while (got < (u64)st.st_size) {
		ssize_t n = read(fd, data + got, st.st_size - got);

		if (n <= 0) {
			perror(path);
			exit(1);
		}
		got += n;
	}
	close(fd);
	*size = got;
	return data;
}

void file_write(const char *path, const void *data, u64 size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	u64 done = 0;

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	while (done < size) {
		ssize_t n = write(fd, (const u8 *)data + done, size - done);

		if (n <= 0) {
			perror(path);
			exit(1);
		}
		done += n;
	}
	close(fd);
}
