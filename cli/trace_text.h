/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What `sluice trace` prints. */
#ifndef SLUICE_CLI_TRACE_TEXT_H
#define SLUICE_CLI_TRACE_TEXT_H

struct sl_trace;
struct sl_trace_comparison;

void cli_trace_print(const struct sl_trace *trace);
void cli_trace_print_comparison(const struct sl_trace_comparison *comparison,
				const char *a, const char *b);

#endif /* SLUICE_CLI_TRACE_TEXT_H */
