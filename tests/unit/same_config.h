/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_TEST_SAME_CONFIG_H
#define SLUICE_TEST_SAME_CONFIG_H

#include <stdbool.h>

struct sl_config;

/* Do they say the same, field by field? Positions in the text aside. */
bool same_config(const struct sl_config *a, const struct sl_config *b);

#endif /* SLUICE_TEST_SAME_CONFIG_H */
