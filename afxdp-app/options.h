/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line of sluice-fwd. */
#ifndef SLUICE_FWD_OPTIONS_H
#define SLUICE_FWD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct sl_fwd_options {
	const char *config; /* points into argv */
	const char *ctl;    /* likewise: ask one that runs, and that is all */
	bool json;
	bool help;
	bool takeover;	  /* go on with the sockets of one that runs */
	uint32_t stats_s; /* print statistics that often; 0: at the end only */
	uint32_t duration_s; /* 0: until a signal */
};

/* 0, or -EINVAL with a message on standard error; then *options is unchanged. */
int sl_fwd_options_parse(int argc, char **argv, struct sl_fwd_options *options);

void sl_fwd_options_usage(FILE *out);

#endif /* SLUICE_FWD_OPTIONS_H */
