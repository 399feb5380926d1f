/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef SLUICE_DEVICES_H
#define SLUICE_DEVICES_H

struct sl_compiled;
struct sl_config;
struct sl_error;

/*
 * Finds what the rules of `interface` may send packets out of, in the caller's
 * network namespace: the devices that they redirect to, and, where one asks the
 * kernel's FIB, the interfaces of `config`; then its MAC address, too. 0, -ENODEV,
 * -ENOMEM or another -errno with a message; *compiled can only be freed then.
 */
int sl_devices_resolve(struct sl_compiled *compiled,
		       const struct sl_config *config, const char *interface,
		       struct sl_error *error);

#endif /* SLUICE_DEVICES_H */
