// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "cli.h"
#include "filters.h"
#include "history.h"
#include "options.h"
#include "warn.h"
#include "lib/config.h"
#include "lib/doctor_nic.h"
#include "lib/error.h"
#include "lib/history.h"
#include "lib/journal.h"

/*
 * Not by our own call for want of a bpffs, of which attaching has told. What
 * netlink holds, anybody's netlink takes off: DPDK 22.11's does unasked.
 */
static void warn_held_elsewhere(const struct cli_filter *f)
{
	if (f->attachment.how == SL_ATTACHED_NETLINK &&
	    !(f->filter.gen.flags & SL_GEN_NETLINK))
		cli_warn(
			&(struct sl_journal_about){
				.interface = f->attachment.interface,
				.generation = f->filter.gen.generation },
			"another tool (`ip`, DPDK) attached its filter, and may "
			"take it off; DPDK does when it ends, or fails to start");
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
			cli_warn(
				&(struct sl_journal_about){
					.interface = name,
					.generation =
						f->filter.gen.generation },
				"the file does not name it; its filter runs on "
				"(generation %llu): `sluice down %s` takes it off",
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
			cli_warn(
				&(struct sl_journal_about){
					.interface = name, .rule = rule->name },
				"it takes VLAN tags off before the filter sees "
				"them, so rule \"%s\" does not match; `ethtool -K "
				"%s rxvlan off`",
				rule->name, name);
		sl_nic_fini(&nic);
	}
}

static int run_change(struct cli_change *change)
{
	int status = cli_change_run(change);

	if (status == CLI_OK) {
		warn_vlan(change->config);
		warn_others(change->config);
	}
	return status;
}

/* CLI_OK and change->config is the caller's. */
static int read_file(struct cli_change *change)
{
	int status = cli_read_config(change->file, &change->config);

	if (status != CLI_OK || change->config->n_interfaces)
		return status;
	fprintf(stderr,
		"sluice: %s: it names no interface; add `interface NAME` to "
		"say where it applies\n",
		change->file);
	sl_config_free(change->config);
	change->config = NULL;
	return CLI_INPUT;
}

static int apply_file(struct cli_change *change)
{
	int status = read_file(change);

	if (status != CLI_OK) {
		change->refused = true;
		return status;
	}
	status = run_change(change);
	sl_config_free(change->config);
	return status;
}

/*
 * What was confirmed last, without asking the guard: it ran. -1: there is none.
 * Else the exit status.
 */
static int apply_confirmed(struct cli_change *change)
{
	struct sl_error error = { "" };
	struct sl_history history;
	int status = -1, err = sl_history_open(false, &history, &error);

	if (err)
		cli_fail(err, error.text);
	else if (history.confirmed)
		status = cli_history_parse(&history, history.confirmed, change);
	if (status == CLI_OK) {
		change->force = true;
		status = run_change(change);
		sl_config_free(change->config);
	}
	sl_history_close(&history);
	return status;
}

/*
 * An exit status other than 0 makes the unit a failed one, which systemd shows;
 * what was attached stays.
 */
static int boot(struct cli_change *change)
{
	bool has_file = change->file;
	int kept, status = has_file ? apply_file(change) : CLI_OK;

	if (has_file && (status == CLI_OK || !change->refused))
		return status;
	if (has_file)
		fprintf(stderr,
			"sluice: %s is refused; what was confirmed last is "
			"kept\n",
			change->file);
	kept = apply_confirmed(change);
	if (kept == CLI_OK)
		return status;
	if (kept > 0)
		return kept;
	fputs("sluice: no configuration was ever confirmed, so nothing is "
	      "filtered; `sluice apply FILE` confirms one\n",
	      stderr);
	return has_file ? CLI_SYSTEM : CLI_OK;
}

/* As the history has it: whoever rolls back may stand elsewhere. */
static char *whole_path(const char *path)
{
	char *whole = realpath(path, NULL);

	return whole ? whole : strdup(path);
}

int cli_apply(const struct cli_command *command, int argc, char **argv)
{
	struct cli_change change = { .action = "apply" };
	const char *confirm = NULL;
	const struct cli_option options[] = {
		{ "json", .flag = &change.json },
		{ "dry-run", 'n', .flag = &change.dry_run },
		{ "force", .flag = &change.force },
		{ "boot", .flag = &change.boot },
		{ "confirm", .value = &confirm },
		{ 0 }
	};
	char *file = NULL;
	int status;

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (argc - optind > 1 || (argc == optind && !change.boot) ||
	    (change.boot && confirm))
		return cli_usage(command);
	if (confirm && cli_option_number("--confirm", confirm, CLI_CONFIRM_MAX,
					 &change.confirm_s) != CLI_OK)
		return CLI_USAGE;
	if (argc > optind) {
		file = whole_path(argv[optind]);
		if (!file)
			return cli_fail(-ENOMEM, "out of memory");
	}
	change.file = file;
	status = change.boot ? boot(&change) : apply_file(&change);
	free(file);
	return status;
}
