// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "devices.h"

#include <errno.h>
#include <net/if.h>

#include "compile.h"
#include "config.h"
#include "error.h"

int sl_devices_resolve(struct sl_compiled *compiled, const char *interface,
		       struct sl_error *error)
{
	for (size_t i = 0; i < compiled->n_rules; i++) {
		struct sl_compiled_rule *r = &compiled->rules[i];

		if (r->rule->verdict.action != SL_ACTION_REDIRECT)
			continue;
		r->step.ifindex = if_nametoindex(r->rule->verdict.device);
		if (!r->step.ifindex)
			return sl_error_set(error, -ENODEV,
					    "%s: rule \"%s\": redirect %s: no "
					    "such interface; `ip link` lists "
					    "those there are",
					    interface, r->rule->name,
					    r->rule->verdict.device);
	}
	return 0;
}
