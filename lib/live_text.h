/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The running configuration with what its live sets hold by now. The text that
 * is kept beside the program has them empty: they change without it.
 */
#ifndef SLUICE_LIVE_TEXT_H
#define SLUICE_LIVE_TEXT_H

struct sl_filter;

/* The canonical text, to free(); NULL without a configuration or memory. */
char *sl_live_text(const struct sl_filter *filter);

#endif /* SLUICE_LIVE_TEXT_H */
