/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_FWDLEDGER_H
#define SLUICE_FWDLEDGER_H

#include <stdio.h>

struct json_t;

/*
 * The `ledger` of a forwarder's statistics (docs/forwarder.md) as a table: a column an
 * interface, and the rows in the order of a packet's way from the wire to the wire. What the
 * ledger does not know is "-". Each line begins with `indent`.
 */
void sl_fwdledger_print(const struct json_t *ledger, const char *indent,
			FILE *out);

#endif /* SLUICE_FWDLEDGER_H */
