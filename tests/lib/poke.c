// SPDX-License-Identifier: GPL-2.0-only
/*
 * poke FILE OFFSET BYTES VALUE [OFFSET BYTES VALUE]...
 * peek FILE OFFSET BYTES
 *
 * Write big-endian numbers into a file, or print one. Called "peek" it reads.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t number(const char *text)
{
	char *end;
	/* bash prints numbers from 2^63 on as negative ones */
	uint64_t n = *text == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);

	if (*text && !*end)
		return n;
	fprintf(stderr, "poke: %s: not a number\n", text);
	exit(2);
}

static int peek(const char *path, uint64_t offset, size_t bytes)
{
	unsigned char buf[8];
	uint64_t value = 0;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || pread(fd, buf, bytes, offset) != (ssize_t)bytes) {
		perror(path);
		return 1;
	}
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | buf[i];
	/* signed, as bash calculates */
	printf("%lld\n", (long long)value);
	return 0;
}

static int poke(const char *path, uint64_t offset, size_t bytes, uint64_t value)
{
	unsigned char buf[8];
	int fd = open(path, O_WRONLY);

	for (size_t i = bytes; i--; value >>= 8)
		buf[i] = value;
	if (fd < 0 || pwrite(fd, buf, bytes, offset) != (ssize_t)bytes) {
		perror(path);
		return 1;
	}
	return close(fd);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	int reads = !strcmp(name ? name + 1 : argv[0], "peek");

	if (reads ? argc != 4 : argc < 5 || (argc - 2) % 3) {
		fprintf(stderr,
			"usage: peek FILE OFFSET BYTES | poke FILE OFFSET BYTES VALUE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i += 3) {
		uint64_t bytes = number(argv[i + 1]);

		if (!bytes || bytes > 8) {
			fprintf(stderr, "poke: 1 to 8 bytes, not %s\n", argv[i + 1]);
			return 2;
		}
		if (reads)
			return peek(argv[1], number(argv[i]), bytes);
		if (poke(argv[1], number(argv[i]), bytes, number(argv[i + 2])))
			return 1;
	}
	return 0;
}
