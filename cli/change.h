/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Making a configuration the one that runs, safely: what `apply`, `rollback` and
 * a boot have in common. change.c begins with how.
 */
#ifndef SLUICE_CLI_CHANGE_H
#define SLUICE_CLI_CHANGE_H

#include <stdbool.h>

struct sl_config;

struct cli_change {
	const char *action;	  /* for the audit line */
	const char *file;	  /* where it comes from, with its whole path */
	struct sl_config *config; /* live rules are added to it */
	unsigned long confirm_s;  /* 0: it stays */
	bool dry_run, json;
	bool force; /* also if it cuts the operator off */
	bool boot;  /* interfaces may not be there yet; nobody is logged in */
	/* Where the configuration refuses: nothing was changed. */
	bool refused;
};

/* The exit status; what there is to say is said. */
int cli_change_run(struct cli_change *change);

#endif /* SLUICE_CLI_CHANGE_H */
