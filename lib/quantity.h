/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Numbers and numbers with units, from text and back. The readers return 0,
 * -EINVAL (not of this form) or -ERANGE (over 64 bits), and leave the output
 * alone on failure. The formatters write the largest unit that divides.
 */
#ifndef SLUICE_QUANTITY_H
#define SLUICE_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* Decimal, or hexadecimal with 0x. */
int sl_number_parse(const char *text, size_t length, uint64_t *value);

/* N[ns|us|ms|s|m|h|d], to nanoseconds; without a unit: seconds. */
int sl_duration_parse(const char *text, size_t length, uint64_t *ns);

/* N[K|M|G], powers of 1024, to bytes. */
int sl_size_parse(const char *text, size_t length, uint64_t *bytes);

/* N[k|M|G]pps or N[k|M|G]bps, powers of 1000. */
int sl_rate_parse(const char *text, size_t length, struct sl_rate *rate);

#define SL_QUANTITY_TEXT 32

void sl_duration_format(uint64_t ns, char text[SL_QUANTITY_TEXT]);
void sl_size_format(uint64_t bytes, char text[SL_QUANTITY_TEXT]);
void sl_rate_format(struct sl_rate rate, char text[SL_QUANTITY_TEXT]);

#endif /* SLUICE_QUANTITY_H */
