/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verbs and their options: one list makes parsing, help, usage errors and
 * completion.
 */
#ifndef QCOWCTL_OPTIONS_H
#define QCOWCTL_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* Keys of options that have no letter start here. */
#define OPT_LONG 256
/* Every verb has it without listing it. */
#define OPT_HELP 'h'

/**
 * struct option_spec - one option of a verb; a list ends with an empty one
 * @key: its letter, or a number from OPT_LONG on if it has none
 * @name: long name without dashes
 * @value: what its value is called in the help; NULL: a switch
 * @help: one or two lines; NULL: known, so that it can be refused by name, but not
 *        shown
 * @complete: how a shell completes the value: "file", "directory", "device",
 *            "either" (device or file), or the words themselves, separated by spaces; NULL: not at
 * all
 */
struct option_spec {
	int key;
	const char *name;
	const char *value;
	const char *help;
	const char *complete;
};

struct args;

/**
 * struct verb - one thing that qcowctl does
 * @name: as typed
 * @arguments: what follows the options, as the help shows it
 * @summary: one line without a full stop
 * @description: more lines for the verb's own help, or NULL
 * @options: its list
 * @complete: how a shell completes the arguments, as in &struct option_spec
 * @least: arguments needed
 * @most: arguments taken, -1 without limit
 * @usage_status: exit status of a usage error, 0 for STATUS_USAGE
 * @minus: the last argument may begin with a minus and a digit
 * @run: does it. Return: the exit status
 */
struct verb {
	const char *name;
	const char *arguments;
	const char *summary;
	const char *description;
	const struct option_spec *options;
	const char *complete;
	int least;
	int most;
	int usage_status;
	bool minus;
	int (*run)(const struct args *args);
};

/**
 * struct args - a parsed command line
 * @verb: the verb
 * @nr: arguments that are not options
 * @word: the arguments
 * @nr_given: options given
 * @given: options in the order given
 */
struct args {
	const struct verb *verb;
	int nr;
	char **word;
	int nr_given;
	struct given_option {
		int key;
		const char *value;
	} * given;
};

/**
 * options_parse() - parse what follows the verb
 * @verb: verb
 * @argc: words of @argv
 * @argv: words, the verb's name first; is permuted
 * @args: result, to be freed with options_free()
 *
 * --help is left to the caller: it is in @args and nothing else is judged then.
 *
 * Return: 0, or -1 after having said what is wrong.
 */
int options_parse(const struct verb *verb, int argc, char **argv, struct args *args);
void options_free(struct args *args);

/* Was the option given? */
bool args_has(const struct args *args, int key);

/* Its value, the last one given; NULL if it was not. */
const char *args_value(const struct args *args, int key);

/* The values of an option that may be given often: start with *@pos 0; NULL: no more. */
const char *args_next(const struct args *args, int key, int *pos);

/* Says @fmt and where the help is. Return: the exit status of a usage error. */
__attribute__((format(printf, 2, 3))) int usage_error(const struct verb *verb, const char *fmt,
						      ...);

/* The help of one verb. */
void options_help(FILE *out, const struct verb *verb);

/* What a shell needs to complete the verb: lines of tab-separated fields. */
void options_complete(FILE *out, const struct verb *verb);

#endif
