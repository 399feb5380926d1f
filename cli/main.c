// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "help.h"
#include "pending.h"
#include "lib/config.h"
#include "lib/log.h"

const struct cli_command cli_commands[] = {
	{ "check", "FILE [--json]",
	  "parse and compile FILE; change nothing (no root needed)",
	  cli_check },
	{ "show", "[FILE] [--json]",
	  "the canonical configuration of FILE, or of what is loaded",
	  cli_show },
	{ "apply",
	  "FILE [--dry-run] [--confirm SECONDS] [--force] [--json] | --boot "
	  "[FILE] [--force] [--json]",
	  "make FILE the running configuration; show what that changes",
	  cli_apply },
	{ "confirm", "[--json]", "keep a change made with --confirm",
	  cli_confirm },
	{ "rollback",
	  "[NUMBER] [--dry-run] [--confirm SECONDS] [--force] [--json] | "
	  "--list [--json]",
	  "take back a change made with --confirm, or go back to one of the "
	  "last configurations",
	  cli_rollback },
	{ "down", "[IFACE...] [--json]",
	  "detach what Sluice attached, nothing else", cli_down },
	{ "status", "[IFACE...] [--json]", "what is attached where",
	  cli_status },
	{ "stats", "[IFACE...] [--watch[=SECONDS]] [--json]",
	  "counters by verdict, reason and rule", cli_stats },
	{ "ports", "[IFACE...] [--top N] [--json]",
	  "counters by TCP and UDP destination port", cli_ports },
	{ "top", "[IFACE...] [--interval SECONDS]",
	  "a live screen: rates by verdict, rule, port, source and queue",
	  cli_top },
	{ "set", "add|del|test|list NAME [PREFIX...] [--json]",
	  "change and ask live sets while the filter runs", cli_set },
	{ "log",
	  "[IFACE...] [--json | -w FILE.pcapng] [-c COUNT] [--rule NAME]",
	  "the packets that `log` rules sample, as they come", cli_log },
	{ "capture",
	  "[IFACE...] [-o FILE.pcapng | --json] [--all] [--rule NAME] "
	  "[--reason REASON] [--sample N] [-c COUNT] [--duration SECONDS] "
	  "[--size SIZE] [PCAP-FILTER...]",
	  "the packets that are dropped, or all, with rule and reason",
	  cli_capture },
	{ "export",
	  "--sflow COLLECTOR [--agent ADDRESS] [--counters SECONDS] "
	  "[--rule NAME] [IFACE...]",
	  "send what `log` rules sample to an sFlow collector, until it is "
	  "ended",
	  cli_export },
	{ "rule",
	  "add [-i IFACE] RULE... | del [-i IFACE] NAME... | list [IFACE] "
	  "[--owner WORD], each [--json]",
	  "rules that come and go while a configuration runs", cli_rule },
	{ "ext",
	  "load [-i IFACE] before|after N PROG.bpf.o | unload [-i IFACE] "
	  "before|after N | list [IFACE], each [--json]",
	  "your own BPF programs before and after the rules", cli_ext },
	{ "doctor", "[IFACE...] [--json]",
	  "what this kernel, card and queue can do, and why not; changes "
	  "nothing",
	  cli_doctor },
	{ "tune",
	  "plan|apply [-c FILE] [--set NAME=VALUE]... [--confirm SECONDS] "
	  "[IFACE...] | status|undo [IFACE...] | confirm, each [--json]",
	  "a card's interrupts, queues and polling: what to change, change it, "
	  "take it back",
	  cli_tune },
	{ "trace",
	  "[IFACE] [--duration S] [--deep] [--json] [--save FILE] [--html FILE] | "
	  "--compare A B [--json] [--html FILE]",
	  "interrupts, softirqs and polls per packet, as the kernel does them; "
	  "changes nothing",
	  cli_trace },
	{ "explain", "IFACE FILE.pcap|- | --live COUNT IFACE, each [--json]",
	  "what the loaded filter would do with each packet, and why",
	  cli_explain },
	{ "help", "[COMMAND]",
	  "how COMMAND is called, or what commands there are", cli_help },
	{ 0 }
};

int cli_fail(int err, const char *text)
{
	fprintf(stderr, "sluice: %s\n", text);
	return err == -EINVAL ? CLI_INPUT : CLI_SYSTEM;
}

int cli_read_config(const char *path, struct sl_config **config)
{
	struct sl_diags diags = { 0 };
	struct sl_config *read = NULL;
	int err = sl_config_read(path, &diags, &read);

	if (!err)
		err = sl_config_check_effective(read, &diags);
	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (err) {
		sl_config_free(read);
		if (err != -EINVAL)
			return cli_fail(err, strerror(-err));
		return CLI_INPUT;
	}
	*config = read;
	return CLI_OK;
}

int cli_write_json(struct json_t *object, FILE *file)
{
	int err = object ? json_dumpf(object, file, JSON_COMPACT) : -1;

	json_decref(object);
	return err || putc('\n', file) == EOF ? -EIO : 0;
}

int cli_print_json(struct json_t *object)
{
	if (cli_write_json(object, stdout) || fflush(stdout) != 0)
		return cli_fail(-EIO, "cannot write the answer");
	return CLI_OK;
}

/* `sluice COMMAND ... --help`, wherever an option may stand. */
static bool asks_help(const struct cli_command *command, int argc, char **argv)
{
	if (command->run == cli_help && argc > 3)
		return false; /* --complete, of such a line */
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	const char *name = argc > 1 ? argv[1] : "";

	if (argc < 2) {
		cli_help_print(stderr);
		return CLI_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	command = cli_help_find(name);
	if (!command)
		return cli_help_unknown(name);
	if (asks_help(command, argc, argv)) {
		cli_help_print_command(command, stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_SYSTEM;
	}
	sl_log_init();
	cli_pending_warn();
	return command->run(command, argc - 1, argv + 1);
}
