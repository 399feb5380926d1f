/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the forwarders that run in this network namespace say of themselves, over their control
 * sockets (fwdctl.h).
 */
#ifndef SLUICE_FWDSTATS_H
#define SLUICE_FWDSTATS_H

struct json_t;

/* Told of a forwarder that does not answer, and is left out. */
typedef void (*sl_fwdstats_failed)(void *context, const char *text);

/*
 * A list with an object for each: "pid", "config", "interfaces", and the keys of
 * docs/forwarder.md. To be dropped by the caller; NULL without memory. `wait_ms` is how long a
 * forwarder may be silent; 0: as long as one that stops may take (fwdctl.h).
 */
struct json_t *sl_fwdstats_ask(unsigned wait_ms, sl_fwdstats_failed failed,
			       void *context);

#endif /* SLUICE_FWDSTATS_H */
