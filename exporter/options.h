/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the operator asked for: the command line, and `metrics { }` of a configuration. */
#ifndef SLUICE_EXPORTER_OPTIONS_H
#define SLUICE_EXPORTER_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "lib/listen.h"
#include "ports.h"

struct sl_exporter_options {
	bool help;
	struct sl_listen listen;
	struct sl_ports_wanted ports;
	gid_t group; /* of a Unix socket; -1: nobody's but the user's */
};

void sl_exporter_usage(FILE *out);

/*
 * Reads the command line and, if it names one, the configuration; the command line goes before
 * it. 0; or -EINVAL (usage), -EBADMSG (a value or the configuration), said on stderr.
 */
int sl_exporter_options_read(int argc, char **argv,
			     struct sl_exporter_options *options);

#endif /* SLUICE_EXPORTER_OPTIONS_H */
