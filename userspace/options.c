// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "say.h"

#define HELP_COLUMN 28

static size_t count(const struct option_spec *spec)
{
	size_t n = 0;

	while (spec[n].name)
		n++;
	return n;
}

int options_parse(const struct verb *verb, int argc, char **argv, struct args *args)
{
	const struct option_spec *spec = verb->options;
	size_t nr = count(spec), i;
	struct option *longs = xalloc((nr + 2) * sizeof(*longs));
	char *letters = xalloc(2 * nr + 4), *p = letters;
	int key, ret = 0, words = argc;

	*args = (struct args){.verb = verb};
	args->given = xalloc(argc * sizeof(*args->given));
	*p++ = ':'; /* a missing value is told apart from an unknown option */
	for (i = 0; i < nr; i++) {
		longs[i] = (struct option){spec[i].name, spec[i].value ? required_argument : 0,
					   NULL, spec[i].key};
		if (spec[i].key >= OPT_LONG)
			continue;
		*p++ = spec[i].key;
		if (spec[i].value)
			*p++ = ':';
	}
	longs[nr] = (struct option){"help", 0, NULL, OPT_HELP};
	*p++ = OPT_HELP;

	opterr = 0;
	optind = 0;
	/* As in qemu-img: "-1G" at the end is no option. */
	if (verb->minus && words > 1 && argv[words - 1][0] == '-' && argv[words - 1][1] >= '0' &&
	    argv[words - 1][1] <= '9')
		words--;
	while ((key = getopt_long(words, argv, letters, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];

		if (key == ':') {
			usage_error(verb, "%s: option %s needs a value", verb->name, word);
			ret = -1;
			break;
		}
		if (key == '?') {
			if (optopt && optopt < OPT_LONG && strncmp(word, "--", 2))
				usage_error(verb, "%s: there is no option -%c", verb->name, optopt);
			else if (optopt)
				usage_error(verb, "%s: option %s takes no value", verb->name, word);
			else
				usage_error(verb, "%s: there is no option %s", verb->name, word);
			ret = -1;
			break;
		}
		args->given[args->nr_given++] = (struct given_option){key, optarg};
	}
	free(longs);
	free(letters);
	args->nr = argc - optind;
	args->word = argv + optind;
	if (!ret && !args_has(args, OPT_HELP)) {
		if (args->nr < verb->least) {
			usage_error(verb, "%s: %s missing", verb->name,
				    args->nr ? "an argument is" : "arguments are");
			ret = -1;
		} else if (verb->most >= 0 && args->nr > verb->most) {
			usage_error(verb, "%s: \"%s\" is one argument too many", verb->name,
				    args->word[verb->most]);
			ret = -1;
		}
	}
	if (ret)
		options_free(args);
	return ret;
}

void options_free(struct args *args)
{
	free(args->given);
	args->given = NULL;
}

const char *args_next(const struct args *args, int key, int *pos)
{
	while (*pos < args->nr_given) {
		const struct given_option *given = &args->given[(*pos)++];

		if (given->key == key)
			return given->value ? given->value : "";
	}
	return NULL;
}

const char *args_value(const struct args *args, int key)
{
	const char *last = NULL, *value;
	int pos = 0;

	while ((value = args_next(args, key, &pos)))
		last = value;
	return last;
}

bool args_has(const struct args *args, int key)
{
	return args_value(args, key) != NULL;
}

int usage_error(const struct verb *verb, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len >= 0) {
		say("%s", text);
		free(text);
	}
	if (verb)
		fprintf(stderr,
			"Usage: qcowctl %s [OPTION]... %s\n"
			"\"qcowctl %s --help\" tells more.\n",
			verb->name, verb->arguments, verb->name);
	else
		fputs("\"qcowctl --help\" tells more.\n", stderr);
	return verb && verb->usage_status ? verb->usage_status : STATUS_USAGE;
}

static void help_option(FILE *out, const struct option_spec *spec)
{
	const char *line = spec->help, *end;
	int column;

	column = spec->key < OPT_LONG ? fprintf(out, "  -%c, ", spec->key) : fprintf(out, "      ");
	column += fprintf(out, "--%s%s%s", spec->name, spec->value ? " " : "",
			  spec->value ? spec->value : "");
	for (; line; line = *end ? end + 1 : NULL) {
		if (column >= HELP_COLUMN) {
			fputc('\n', out);
			column = 0;
		}
		end = strchrnul(line, '\n');
		fprintf(out, "%*s%.*s", HELP_COLUMN - column, "", (int)(end - line), line);
		column = HELP_COLUMN;
	}
	fputc('\n', out);
}

static const struct option_spec help_spec = {OPT_HELP, "help", NULL, "show this"};

void options_help(FILE *out, const struct verb *verb)
{
	const struct option_spec *spec;

	fprintf(out, "Usage: qcowctl %s [OPTION]... %s\n%s.\n", verb->name, verb->arguments,
		verb->summary);
	if (verb->description)
		fprintf(out, "\n%s\n", verb->description);
	fputs("\nOptions:\n", out);
	for (spec = verb->options; spec->name; spec++)
		if (spec->help)
			help_option(out, spec);
	help_option(out, &help_spec);
}

void options_complete(FILE *out, const struct verb *verb)
{
	const struct option_spec *spec;

	fprintf(out, "%s\tverb\t%s\n", verb->name, verb->complete ? verb->complete : "");
	for (spec = verb->options; spec->name; spec++) {
		const char *kind = spec->value ? "value" : "switch";
		const char *how = spec->complete ? spec->complete : "";

		if (!spec->help)
			continue;
		fprintf(out, "%s\t%s\t--%s\t%s\n", verb->name, kind, spec->name, how);
		if (spec->key < OPT_LONG)
			fprintf(out, "%s\t%s\t-%c\t%s\n", verb->name, kind, spec->key, how);
	}
	fprintf(out, "%s\tswitch\t--help\t\n", verb->name);
}
