/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The port counters that are shown: of 131,072 those that counted most, and those chosen.
 */
#ifndef SLUICE_EXPORTER_PORTS_H
#define SLUICE_EXPORTER_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/observe.h"

#define SL_PORTS_DEFAULT 20
#define SL_PORTS_CHOSEN 64

struct sl_ports_wanted {
	uint32_t top; /* how many; 0: none */
	struct {
		uint8_t proto;
		uint16_t port;
	} chosen[SL_PORTS_CHOSEN];
	size_t n_chosen;
};

struct sl_top {
	struct sl_port_count
		*ports; /* most packets first, then those chosen beside them */
	size_t n;
};

/* "tcp/443", as it is chosen. 0; -EINVAL, or -ENOSPC when there are too many. */
int sl_ports_choose(struct sl_ports_wanted *wanted, const char *text);

/* Out of all of an interface's counters. 0 and the caller's to free(), or -ENOMEM. */
int sl_top_take(const struct sl_ports_wanted *wanted,
		struct sl_counter counters[SL_PORT_PROTOS][65536],
		struct sl_top *top);

#endif /* SLUICE_EXPORTER_PORTS_H */
