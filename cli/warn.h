/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Warnings: what was asked for is done, and may not be what was meant. */
#ifndef SLUICE_CLI_WARN_H
#define SLUICE_CLI_WARN_H

struct sl_journal_about;

/*
 * "sluice: INTERFACE: warning: " and the text, a line on stderr; as a service, to the journal
 * with what it is about in fields (lib/journal.h). about->interface is not NULL.
 */
void cli_warn(const struct sl_journal_about *about, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* SLUICE_CLI_WARN_H */
