/* SPDX-License-Identifier: GPL-2.0-only */
/* The verbs, each in the file of its name: verb-NAME.c. */
#ifndef QCOWCTL_VERBS_H
#define QCOWCTL_VERBS_H

#include "options.h"

extern const struct verb verb_attach;
extern const struct verb verb_check;
extern const struct verb verb_commit;
extern const struct verb verb_create;
extern const struct verb verb_detach;
extern const struct verb verb_info;
extern const struct verb verb_job;
extern const struct verb verb_list;
extern const struct verb verb_map;
extern const struct verb verb_rebase;
extern const struct verb verb_resize;
extern const struct verb verb_snapshot;
extern const struct verb verb_status;
extern const struct verb verb_stream;

#endif
