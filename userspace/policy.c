// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy.h"
#include "say.h"

#define CONFIG "/etc/qcowctl.conf"
#define ENVIRONMENT "QCOWCTL_ALLOW"

/* A file, or a directory: with all below it or only with what is right in it. */
struct allowed {
	char *path; /* resolved */
	bool tree;
};

struct policy {
	struct allowed *allowed;
	unsigned int nr_allowed;
	char *top; /* directory of the top image, for the sentence; NULL: it is not trusted */
};

static void allow(struct policy *policy, char *resolved, bool tree)
{
	policy->allowed =
		xrealloc(policy->allowed, policy->nr_allowed + 1, sizeof(*policy->allowed));
	policy->allowed[policy->nr_allowed++] = (struct allowed){resolved, tree};
}

/* What is not there allows nothing; who typed it now wants to know. */
static int allow_option(struct policy *policy, const char *path)
{
	char *resolved = policy_resolve(path);

	if (!resolved)
		return say("--allow %s: %s", path, strerror(errno));
	allow(policy, resolved, true);
	return 0;
}

static void allow_quietly(struct policy *policy, const char *path)
{
	char *resolved = *path == '/' ? policy_resolve(path) : NULL;

	if (resolved)
		allow(policy, resolved, true);
}

static void allow_environment(struct policy *policy)
{
	const char *value = getenv(ENVIRONMENT);
	size_t len;

	for (; value && *value; value += len + (value[len] == ':')) {
		char *path;

		len = strcspn(value, ":");
		path = xstrndup(value, len);
		allow_quietly(policy, path);
		free(path);
	}
}

static char *strip(char *s)
{
	size_t len;

	s += strspn(s, " \t\n");
	len = strlen(s);
	while (len && strchr(" \t\n", s[len - 1]))
		s[--len] = '\0';
	return s;
}

/* Lines "allow = PATH"; # starts a comment line. */
static int allow_config(struct policy *policy)
{
	char *line = NULL, *key, *value;
	unsigned int nr = 0;
	size_t size = 0;
	int ret = 0;
	FILE *in = fopen(CONFIG, "re");

	if (!in)
		return errno == ENOENT ? 0 : say("%s: %s", CONFIG, strerror(errno));
	while (!ret && getline(&line, &size, in) >= 0) {
		nr++;
		key = strip(line);
		if (!*key || *key == '#')
			continue;
		value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		if (!value || strcmp(strip(key), "allow"))
			ret = say("%s, line %u: only \"allow = /DIRECTORY\" is known here", CONFIG,
				  nr);
		else if (*strip(value) != '/')
			ret = say("%s, line %u: the directory must start with /", CONFIG, nr);
		else
			allow_quietly(policy, strip(value));
	}
	free(line);
	fclose(in);
	return ret;
}

struct policy *policy_new(const struct args *args, int key)
{
	struct policy *policy = xalloc(sizeof(*policy));
	const char *path;
	int pos = 0, ret;

	ret = allow_config(policy);
	allow_environment(policy);
	while (!ret && (path = args_next(args, key, &pos)))
		ret = allow_option(policy, path);
	if (!ret)
		return policy;
	policy_free(policy);
	return NULL;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	while (policy->nr_allowed)
		free(policy->allowed[--policy->nr_allowed].path);
	free(policy->allowed);
	free(policy->top);
	free(policy);
}

/* The directory of an absolute path without a slash at its end. */
static char *directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? xstrdup("/") : xstrndup(path, slash - path);
}

/*
 * Trust a directory because the image at the top is there. Not one of devices,
 * which holds everybody's disks; and the root without what is below it, or that
 * would be everything. Return: whether it is trusted.
 */
static bool trust(struct policy *policy, char *dir)
{
	if (!strcmp(dir, "/dev") || !strcmp(dir, "/dev/mapper")) {
		free(dir);
		return false;
	}
	allow(policy, dir, strcmp(dir, "/"));
	return true;
}

int policy_trust_top(struct policy *policy, const char *place)
{
	char *resolved = policy_resolve(place);

	if (!resolved)
		return say("%s: %s", place, strerror(errno));
	trust(policy, directory(resolved));
	free(resolved);
	/* Relative names start where the link stands, if the image was given by one. */
	free(policy->top);
	policy->top = trust(policy, directory(place)) ? directory(place) : NULL;
	return 0;
}

/* Is @path the file or directory @place, or in it, or anywhere below it? */
static bool within(const char *path, const char *place, bool tree)
{
	size_t len = strlen(place);

	if (len && place[len - 1] == '/')
		len--;
	if (strncmp(path, place, len) || (path[len] && path[len] != '/'))
		return false;
	return tree || !path[len] || !strchr(path + len + 1, '/');
}

char *policy_resolve(const char *path)
{
	char *target = realpath(path, NULL), *parent, *resolved, *place;
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!target || stat(target, &st) || !S_ISBLK(st.st_mode))
		return target;
	parent = slash ? xstrndup(path, slash == path ? 1 : slash - path) : xstrdup(".");
	place = realpath(parent, NULL);
	free(parent);
	if (!place || !within(place, "/dev", true)) {
		free(place);
		return target;
	}
	resolved = xasprintf("%s/%s", place, slash ? slash + 1 : path);
	free(place);
	free(target);
	return resolved;
}

int policy_judge(const struct policy *policy, const char *image, const char *name,
		 const char *resolved)
{
	char *parent;
	unsigned int i;

	for (i = 0; i < policy->nr_allowed; i++)
		if (within(resolved, policy->allowed[i].path, policy->allowed[i].tree))
			return 0;
	parent = directory(resolved);
	say("%s names the backing file \"%s\", which is %s, outside %s; if that is meant, allow it "
	    "with --allow %s (or \"allow = %s\" in " CONFIG ")",
	    image, name, resolved, policy->top ? policy->top : "what is allowed", parent, parent);
	free(parent);
	return -1;
}
