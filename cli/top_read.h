/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One reading of what the tab in view needs: the totals of every filter, and of the
 * rest only that, because all port counters of a busy box take tens of milliseconds.
 */
#ifndef SLUICE_CLI_TOP_READ_H
#define SLUICE_CLI_TOP_READ_H

#include "top_model.h"

struct top_sources;

struct top_reader {
	char **names; /* interfaces; those of no name are left out */
	int n_names;  /* 0: all that have a filter */
	struct top_sources *sources;
};

/*
 * Fills an empty reading, without rates. CLI_OK and the caller's to top_reading_fini(),
 * or an exit status, said on stderr, and there is nothing to free. Takes the process
 * to the initial mount namespace, as cli_filters_open() does.
 */
int top_read(const struct top_reader *reader, enum top_tab tab,
	     struct top_reading *reading);

#endif /* SLUICE_CLI_TOP_READ_H */
