/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is decided by a request's lines. libmicrohttpd has parsed them; these few look at
 * values that a client chose. Pure; any thread.
 */
#ifndef SLUICE_EXPORTER_REQUEST_H
#define SLUICE_EXPORTER_REQUEST_H

#include <stdbool.h>

#include "channel.h"

/*
 * May a request that came to a loopback address say this Host (NULL: it says none)? A web page
 * can have its own name resolve to 127.0.0.1 and then read what answers there; a browser always
 * says the name. So only addresses and "localhost" are taken.
 */
bool sl_request_host_local(const char *host);

/*
 * Which text an Accept line (NULL: none) asks for: OpenMetrics, unless it names text/plain and
 * not application/openmetrics-text.
 */
enum sl_text sl_request_text(const char *accept);

#endif /* SLUICE_EXPORTER_REQUEST_H */
