/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the forwarders that run in this network namespace say of themselves, over their
 * control sockets (lib/fwdctl.h). One that does not answer is left out, which is said.
 */
#ifndef SLUICE_CLI_FORWARDERS_H
#define SLUICE_CLI_FORWARDERS_H

struct json_t;

/*
 * A list with an object for each: "pid", "config", "interfaces", and the keys of
 * docs/forwarder.md. To be dropped by the caller; NULL without memory.
 */
struct json_t *cli_forwarders_ask(void);

/* Their ledgers, as text. */
void cli_forwarders_print(const struct json_t *list);

#endif /* SLUICE_CLI_FORWARDERS_H */
