/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What may be asked of a running forwarder over its control socket; docs/forwarder.md lists it.
 * A handler for control.h, `context` the agent.
 */
#ifndef SLUICE_FWD_REQUESTS_H
#define SLUICE_FWD_REQUESTS_H

#include <jansson.h>
#include <stddef.h>

int sl_requests_handle(void *context, const json_t *request, int client,
		       char **answer, size_t *bytes, const char **why);

#endif /* SLUICE_FWD_REQUESTS_H */
