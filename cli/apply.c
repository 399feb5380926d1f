// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "applied.h"
#include "cli.h"
#include "filters.h"
#include "options.h"
#include "lib/apply.h"
#include "lib/config.h"
#include "lib/doctor_nic.h"
#include "lib/error.h"

/*
 * Not by our own call for want of a bpffs, of which attaching has told. What
 * netlink holds, anybody's netlink takes off: DPDK 22.11's does unasked.
 */
static void warn_held_elsewhere(const struct cli_filter *f)
{
	if (f->attachment.how == SL_ATTACHED_NETLINK &&
	    !(f->filter.gen.flags & SL_GEN_NETLINK))
		fprintf(stderr,
			"sluice: %s: warning: another tool (`ip`, DPDK) "
			"attached its filter, and may take it off; DPDK does "
			"when it ends, or fails to start\n",
			f->attachment.interface);
}

/* Filters that run on, because the file no longer names their interface. */
static void warn_others(const struct sl_config *config)
{
	struct cli_filters filters;

	if (cli_filters_open(NULL, 0, 0, &filters) != CLI_OK)
		return;
	for (size_t i = 0; i < filters.n_items; i++) {
		const struct cli_filter *f = &filters.items[i];
		const char *name = f->attachment.interface;

		if (sl_config_interface(config, name))
			warn_held_elsewhere(f);
		else if (f->filter.gen.generation)
			fprintf(stderr,
				"sluice: %s: warning: the file does not name "
				"it; its filter runs on (generation %llu): "
				"`sluice down %s` takes it off\n",
				name,
				(unsigned long long)f->filter.gen.generation,
				name);
	}
	cli_filters_close(&filters);
}

/* A rule that judges what arrives on `interface` by its VLAN tag, or NULL. */
static const struct sl_rule *find_vlan_rule(const struct sl_config *config,
					    const char *interface)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct sl_rule *rule = &config->rules[i];

		if (rule->options.written & (SL_OPT_VLAN | SL_OPT_INNER_VLAN) &&
		    (!rule->on || strcmp(rule->on, interface) == 0))
			return rule;
	}
	return NULL;
}

/* Rules that wait for a tag which the card has taken off by then. */
static void warn_vlan(const struct sl_config *config)
{
	for (size_t i = 0; i < config->n_interfaces; i++) {
		const char *name = config->interfaces[i].name;
		const struct sl_rule *rule = find_vlan_rule(config, name);
		struct sl_nic nic = { .ifindex = (int)if_nametoindex(name) };

		if (!rule)
			continue;
		snprintf(nic.name, sizeof(nic.name), "%s", name);
		sl_nic_read_ethtool(&nic);
		if (nic.offload.rx_vlan)
			fprintf(stderr,
				"sluice: %s: warning: it takes VLAN tags off "
				"before the filter sees them, so rule \"%s\" "
				"does not match; `ethtool -K %s rxvlan off`\n",
				name, rule->name, name);
		sl_nic_fini(&nic);
	}
}

static int apply(struct sl_config *config, bool dry_run, bool json)
{
	struct sl_applied *applied =
		calloc(config->n_interfaces + 1, sizeof(*applied));
	struct sl_error error = { "" };
	int err, status = CLI_OK;

	if (!applied)
		return cli_fail(-ENOMEM, "out of memory");
	err = sl_apply(config, dry_run, applied, &error);
	if (err)
		status = cli_fail(err == -ENODEV ? -EINVAL : err, error.text);
	else if (json)
		status = cli_print_json(json_pack(
			"{s:b, s:o}", "dry_run", dry_run, "interfaces",
			cli_applied_json(applied, config->n_interfaces)));
	else
		cli_applied_print(applied, config->n_interfaces, dry_run);
	if (!err) {
		warn_vlan(config);
		warn_others(config);
	}
	free(applied);
	return status;
}

int cli_apply(const struct cli_command *command, int argc, char **argv)
{
	bool json = false, dry_run = false;
	const struct cli_option options[] = { { "json", .flag = &json },
					      { "dry-run", 'n',
						.flag = &dry_run },
					      { 0 } };
	struct sl_config *config;
	int status;

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (argc - optind != 1)
		return cli_usage(command);
	status = cli_read_config(argv[optind], &config);
	if (status != CLI_OK)
		return status;
	if (config->n_interfaces == 0) {
		fprintf(stderr,
			"sluice: %s: it names no interface; add `interface "
			"NAME` to say where it applies\n",
			argv[optind]);
		status = CLI_INPUT;
	} else {
		status = apply(config, dry_run, json);
	}
	sl_config_free(config);
	return status;
}
