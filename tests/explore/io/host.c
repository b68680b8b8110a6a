// SPDX-License-Identifier: GPL-2.0-only
/* Host files that a device opens by name. */
#include "host.h"

#define MOST_HOSTS 8

struct q2_host {
	struct store *store;
	bool writable;
	unsigned int locked; /* 0: not; 1: as a reader; 2: as a writer */
};

static struct store *stores[MOST_HOSTS];
static unsigned int nr_stores;
static unsigned int nr_open;

void host_add(struct store *store)
{
	if (nr_stores == MOST_HOSTS)
		explore_fail("more than %u host files", MOST_HOSTS);
	stores[nr_stores++] = store;
}

void host_check_closed(void)
{
	if (nr_open)
		explore_fail("%u host files are open yet", nr_open);
}

struct q2_host *q2_host_open(const char *path, bool write, struct q2_err *err)
{
	struct q2_host *host;
	unsigned int i;

	for (i = 0; i < nr_stores && strcmp(stores[i]->file.name, path); i++)
		;
	if (i == nr_stores)
		return ERR_PTR(q2_err_set(err, ENOENT, "%s: there is none", path));
	host = kzalloc(sizeof(*host), GFP_KERNEL);
	if (!host)
		return ERR_PTR(q2_err_set(err, ENOMEM, "%s: no memory", path));
	host->store = stores[i];
	host->writable = write;
	nr_open++;
	return host;
}

int q2_host_make_writable(struct q2_host *host, struct q2_err *err)
{
	explore_point("make writable", host->store->file.name, host);
	host->writable = true;
	return 0;
}

void q2_host_close(struct q2_host *host)
{
	nr_open--;
	kfree(host);
}

struct q2_file *q2_host_file(struct q2_host *host)
{
	return &host->store->file;
}

bool q2_host_is_device(const struct q2_host *host)
{
	return false;
}

u32 q2_host_align(const struct q2_host *host)
{
	return STORE_SECTOR;
}

u32 q2_host_mem_align(const struct q2_host *host)
{
	return STORE_SECTOR;
}

bool q2_host_is_direct(const struct q2_host *host)
{
	return true;
}

bool q2_host_has_cheap_holes(const struct q2_host *host)
{
	return true;
}

void q2_host_refresh(struct q2_host *host)
{
}

u64 q2_host_room(const struct q2_host *host, u64 end)
{
	return host->store->room - end;
}

int q2_host_compare(const struct q2_host *a, const struct q2_host *b)
{
	return a->store < b->store ? -1 : a->store > b->store;
}

int q2_host_lock(struct q2_host *host, bool write, struct q2_err *err)
{
	host->locked = max(host->locked, write ? 2U : 1U);
	return 0;
}

void q2_host_lock_less(struct q2_host *host)
{
	host->locked = min(host->locked, 1U);
}

bool q2_host_is_locked(const struct q2_host *host)
{
	return host->locked;
}
