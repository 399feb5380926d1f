/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_DEVICES_H
#define SLUICE_DEVICES_H

struct sl_compiled;
struct sl_error;

/*
 * Finds the devices that the rules of `interface` redirect to, in the caller's
 * network namespace. 0, or -ENODEV with a message.
 */
int sl_devices_resolve(struct sl_compiled *compiled, const char *interface,
		       struct sl_error *error);

#endif /* SLUICE_DEVICES_H */
