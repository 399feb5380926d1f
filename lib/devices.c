// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "devices.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compile.h"
#include "config.h"
#include "error.h"

/* Redirects to a device that the rule names. */
static int resolve_rules(struct sl_compiled *compiled, const char *interface,
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

/* The interface's MAC address, as struct sl_gen has it. */
static int read_mac(const char *interface, uint64_t *mac)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, interface, IF_NAMESIZE - 1);
	err = ioctl(fd, SIOCGIFHWADDR, &request) ? -errno : 0;
	close(fd);
	if (err)
		return err;
	for (int i = 0; i < 6; i++)
		*mac = *mac << 8 | (uint8_t)request.ifr_hwaddr.sa_data[i];
	*mac <<= 16;
	return 0;
}

/* All interfaces of the configuration: where the FIB may send packets. */
static int resolve_outs(struct sl_compiled *compiled,
			const struct sl_config *config, struct sl_error *error)
{
	uint32_t *outs = calloc(config->n_interfaces, sizeof(*outs));

	if (!outs)
		return sl_error_set(error, -ENOMEM, "out of memory");
	free(compiled->outs);
	compiled->outs = outs;
	compiled->n_outs = 0;
	for (size_t i = 0; i < config->n_interfaces; i++) {
		const char *name = config->interfaces[i].name;
		uint32_t ifindex = if_nametoindex(name);

		if (!ifindex)
			return sl_error_set(error, -ENODEV,
					    "%s: no such interface; `ip link` "
					    "lists those there are",
					    name);
		outs[compiled->n_outs++] = ifindex;
	}
	return 0;
}

int sl_devices_resolve(struct sl_compiled *compiled,
		       const struct sl_config *config, const char *interface,
		       struct sl_error *error)
{
	int err = resolve_rules(compiled, interface, error);
	uint64_t mac = 0;

	if (err || !(compiled->gen.flags & SL_GEN_FIB))
		return err;
	err = read_mac(interface, &mac);
	if (err)
		return sl_error_set(error, err, "%s: read its MAC address: %s",
				    interface, strerror(-err));
	compiled->gen.mac = mac;
	return resolve_outs(compiled, config, error);
}
