// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "escape.h"
#include "say.h"

/* Device-mapper's DM_NAME_LEN, NUL included. */
#define NAME_MAX_BYTES 128

/*
 * Bytes of the UTF-8 character at @s, 0 if it is none; its code into @code.
 * Overlong forms, surrogates and what lies above U+10FFFF are none.
 */
static size_t utf8_decode(const unsigned char *s, unsigned int *code)
{
	static const unsigned int least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len, i;

	*code = s[0];
	if (s[0] < 0x80)
		return 1;
	if ((s[0] & 0xe0) == 0xc0)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if ((s[0] & 0xf8) == 0xf0)
		len = 4;
	else
		return 0;
	*code = s[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}

/*
 * Does a terminal merely show the character? No: controls, and the format
 * characters that turn text around or break lines.
 */
static bool shown(unsigned int code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	return !(code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
		 (code >= 0x2066 && code <= 0x2069));
}

void escape_put(FILE *out, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned int code;
	size_t len, i;

	while (*s) {
		len = utf8_decode(s, &code);
		if (len && shown(code))
			fwrite(s, 1, len, out);
		else if (*s == '\n')
			fputs("\\n", out);
		else if (*s == '\t')
			fputs("\\t", out);
		else
			for (i = 0; i < (len ? len : 1); i++)
				fprintf(out, "\\x%02x", s[i]);
		s += len ? len : 1;
	}
}

void escape_json_put(FILE *out, const char *json)
{
	const unsigned char *s = (const unsigned char *)json;
	unsigned int code;
	size_t len;

	for (; *s; s += len) {
		len = utf8_decode(s, &code);
		if (!len)
			len = 1;
		if (code == '\n' || shown(code))
			fwrite(s, 1, len, out);
		else
			fprintf(out, "\\u%04x", code);
	}
}

char *escape_visible(const char *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		escape_put(out, s);
		if (fclose(out))
			text = NULL;
	}
	return text ? text : xstrdup("?");
}

size_t escape_width(const char *visible)
{
	size_t width = 0;

	for (; *visible; visible++)
		width += (*visible & 0xc0) != 0x80;
	return width;
}

char *escape_utf8(const char *str)
{
	const unsigned char *s = (const unsigned char *)str;
	char *text = xalloc(3 * strlen(str) + 1), *p = text;
	unsigned int code;
	size_t len;

	while (*s) {
		len = utf8_decode(s, &code);
		if (len) {
			memcpy(p, s, len);
			p += len;
		} else {
			memcpy(p, "\xef\xbf\xbd", 3);
			p += 3;
		}
		s += len ? len : 1;
	}
	*p = '\0';
	return text;
}

/* What the kernel's isspace() says, whatever the locale. */
static bool table_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

void escape_table_put(FILE *out, const char *word)
{
	for (; *word; word++) {
		unsigned char c = *word;

		if (table_space(c) || c < 0x20 || c == 0x7f || c == '\\' || c == '%' || c == '#')
			fprintf(out, "%%%02X", c);
		else
			fputc(c, out);
	}
}

char *escape_table(const char *word)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out)
		escape_table_put(out, word);
	if (!out || fclose(out)) {
		say("out of memory");
		exit(STATUS_FAILED);
	}
	return text;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t escape_table_split(const char *line, char ***words)
{
	char *buf = xalloc(strlen(line) + 1);
	size_t nr = 0, len;

	*words = NULL;
	for (;;) {
		while (table_space(*line))
			line++;
		if (!*line)
			break;
		for (len = 0; *line && !table_space(*line); line++) {
			if (*line == '%' && hex_digit(line[1]) >= 0 && hex_digit(line[2]) >= 0) {
				buf[len++] = hex_digit(line[1]) << 4 | hex_digit(line[2]);
				line += 2;
			} else {
				buf[len++] = *line;
			}
		}
		*words = xrealloc(*words, nr + 1, sizeof(**words));
		(*words)[nr++] = xstrndup(buf, len);
	}
	free(buf);
	return nr;
}

void escape_words_free(char **words, size_t nr)
{
	while (nr)
		free(words[--nr]);
	free(words);
}

static bool name_byte_ok(unsigned char c)
{
	return c < 0x80 && (isalnum(c) || strchr("+-._", c));
}

bool escape_name_ok(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!name_byte_ok(name[i]))
			return false;
	return i && i < NAME_MAX_BYTES && strcmp(name, ".") && strcmp(name, "..") &&
	       strcmp(name, "control");
}

char *escape_name_from(const char *path)
{
	static const char *const suffixes[] = {".qcow2", ".qcow", ".img", ".raw"};
	const char *base = strrchr(path, '/');
	size_t len, cut, i;
	char *name;

	base = base ? base + 1 : path;
	len = strlen(base);
	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		cut = strlen(suffixes[i]);
		if (len > cut && !strcasecmp(base + len - cut, suffixes[i])) {
			len -= cut;
			break;
		}
	}
	/* Room is left for "-9999" where the name is taken. */
	if (len > NAME_MAX_BYTES - 6)
		len = NAME_MAX_BYTES - 6;
	name = xstrndup(base, len);
	for (i = 0; i < len; i++)
		if (!name_byte_ok(name[i]))
			name[i] = '_';
	if (name[0] == '-' || name[0] == '.')
		name[0] = '_';
	if (!escape_name_ok(name)) {
		free(name);
		name = xstrdup("qcow2");
	}
	return name;
}
