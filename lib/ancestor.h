/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The processes that this one descends from. */
#ifndef SLUICE_ANCESTOR_H
#define SLUICE_ANCESTOR_H

#include <sys/types.h>

#define SL_ANCESTORS_MAX 64 /* shells, sudo and multiplexers are a few */

/* Parent first, process 1 last, if there are not more. How many. */
int sl_ancestors(pid_t line[SL_ANCESTORS_MAX]);

#endif /* SLUICE_ANCESTOR_H */
