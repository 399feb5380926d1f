/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where `sluice capture` and `sluice explain --live` have their packets from. */
#ifndef SLUICE_CLI_CAPTURE_SOURCE_H
#define SLUICE_CLI_CAPTURE_SOURCE_H

#include <net/if.h>
#include <stddef.h>

struct sl_capture;
struct sl_capture_wish;

/*
 * Opens a tap or, where the kernel lets nobody tap, what `log` rules sample, if some rule
 * logs: said on stderr. CLI_OK and the caller closes *capture, or the exit status, said
 * there, too.
 */
int cli_capture_open(char (*interfaces)[IF_NAMESIZE], size_t n,
		     const struct sl_capture_wish *wish,
		     struct sl_capture **capture);

/* How many packets each interface has lost, if it has: on stderr. */
void cli_capture_report_lost(const struct sl_capture *capture,
			     char (*interfaces)[IF_NAMESIZE], size_t n);

#endif /* SLUICE_CLI_CAPTURE_SOURCE_H */
