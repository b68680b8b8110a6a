// SPDX-License-Identifier: GPL-2.0-only
/*
 * chain TEMPLATE N DIR: N images DIR/0000 ..., copies of a template that names
 * the backing file "0000": each names the next one, the last none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	static unsigned char image[1 << 20];
	char path[4096], name[16];
	size_t size, at;
	FILE *f;
	int n, i;

	f = argc > 3 ? fopen(argv[1], "rb") : NULL;
	size = f ? fread(image, 1, sizeof(image), f) : 0;
	if (size < 112)
		return 2;
	fclose(f);
	at = image[14] << 8 | image[15];
	if (at + 4 > size || memcmp(image + at, "0000", 4))
		return 2;
	n = atoi(argv[2]);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%04d", i + 1);
		memcpy(image + at, name, 4);
		if (i == n - 1)
			memset(image + 8, 0, 12); /* no backing file */
		snprintf(path, sizeof(path), "%s/%04d", argv[3], i);
		f = fopen(path, "wb");
		if (!f || fwrite(image, 1, size, f) != size || fclose(f))
			return 2;
	}
	return 0;
}
