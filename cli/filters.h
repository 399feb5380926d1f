/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The interfaces a command speaks of: those it names, or all of this network
 * namespace that have a Sluice filter.
 */
#ifndef SLUICE_CLI_FILTERS_H
#define SLUICE_CLI_FILTERS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/attach.h"
#include "lib/filter.h"

struct cli_filter {
	struct sl_attachment attachment;
	struct sl_filter filter;
	bool ours; /* else `filter` holds nothing: another's program, or none */
};

struct cli_filters {
	struct cli_filter *items;
	size_t n_items;
};

/* What a command says that finds none. */
#define CLI_NO_FILTER                                                           \
	"no filter is attached in this network namespace; `sluice apply FILE` " \
	"attaches one"

/* Also interfaces whose program is not Sluice's; else those are left out. */
#define CLI_FILTERS_ANY 1u

/*
 * names: n interface names, or none for all. With names, an interface without a
 * Sluice filter is an error unless CLI_FILTERS_ANY. CLI_OK and the caller
 * closes *filters, or the exit status, said on stderr.
 */
int cli_filters_open(char **names, int n, unsigned flags,
		     struct cli_filters *filters);

/*
 * The names of the interfaces that `arguments` name, or of all with a filter, to be
 * freed; NULL and the exit status, said on stderr. The filters are not held: a reload is to
 * free its previous generation.
 */
char (*cli_filters_names(char **arguments, int n_arguments, size_t *n,
			 int *status))[IF_NAMESIZE];

void cli_filters_close(struct cli_filters *filters);

#endif /* SLUICE_CLI_FILTERS_H */
