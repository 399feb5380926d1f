// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <getopt.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "pending.h"
#include "lib/config.h"
#include "lib/diag.h"
#include "lib/error.h"
#include "lib/jsontext.h"
#include "lib/observe.h"
#include "lib/pending.h"

static const char *how_text(const struct sl_attachment *a)
{
	switch (a->how) {
	case SL_ATTACHED_LINK:
		return "link";
	case SL_ATTACHED_NETLINK:
		return "netlink";
	case SL_ATTACHED_SHARED:
		return "shared";
	default:
		return "nothing";
	}
}

/* Unknown is not down. */
static bool is_down(const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_flags = IFF_UP };

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (fd < 0)
		return false;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		request.ifr_flags = IFF_UP;
	close(fd);
	return !(request.ifr_flags & IFF_UP);
}

static void print_text(const struct cli_filter *f)
{
	const struct sl_attachment *a = &f->attachment;

	if (!f->ours) {
		printf("%s: %s, program \"%s\" id %u: not Sluice's\n",
		       a->interface, sl_attachment_mode(a), a->prog_name,
		       a->prog_id);
		return;
	}
	printf("%s: %s, by %s, program \"%s\" id %u, ", a->interface,
	       sl_attachment_mode(a), how_text(a), a->prog_name, a->prog_id);
	if (!f->filter.gen.generation)
		printf("no configuration: counts and passes\n");
	else
		printf("generation %llu, %u rules, default %s\n",
		       (unsigned long long)f->filter.gen.generation,
		       f->filter.gen.n_rules,
		       sl_verdict_text(f->filter.gen.default_verdict));
	if (is_down(a->interface))
		printf("%s: the interface is down: it receives nothing; `ip "
		       "link set %s up`\n",
		       a->interface, a->interface);
}

static json_t *to_json(const struct cli_filter *f)
{
	const struct sl_attachment *a = &f->attachment;
	json_t *o = json_pack("{s:o, s:b, s:s, s:s, s:{s:I, s:s}}", "name",
			      sl_json_text(a->interface), "sluice", f->ours,
			      "attached", how_text(a), "mode",
			      sl_attachment_mode(a), "program", "id",
			      (json_int_t)a->prog_id, "name", a->prog_name);

	if (f->ours && o)
		json_object_update_new(
			o,
			json_pack("{s:I, s:I, s:s, s:b}", "generation",
				  (json_int_t)f->filter.gen.generation, "rules",
				  (json_int_t)f->filter.gen.n_rules, "default",
				  sl_verdict_text(f->filter.gen.default_verdict),
				  "frags", f->filter.frags));
	return o;
}

/*
 * The interfaces of a filter's configuration, and nothing else of it: rules and
 * sets may be long. NULL: none can be told.
 */
static struct sl_config *parse_interfaces(const struct sl_filter *filter)
{
	static const char keyword[] = "interface ";
	struct sl_diags diags = { 0 };
	struct sl_config *config = NULL;
	char *text = sl_filter_text(filter);
	size_t bytes = 0;

	/* The canonical form begins with them, each in a line. */
	while (text && !strncmp(text + bytes, keyword, sizeof(keyword) - 1))
		bytes += strcspn(text + bytes, "\n") + 1;
	if (bytes)
		sl_config_parse(text, bytes, "running", &diags, &config);
	sl_diags_fini(&diags);
	free(text);
	return config;
}

static void add_bare(const struct cli_filters *filters,
		     const struct cli_filter *f, const struct cli_filter **bare)
{
	struct sl_config *config = parse_interfaces(&f->filter);

	for (size_t i = 0; config && i < filters->n_items; i++) {
		const struct sl_attachment *a = &filters->items[i].attachment;

		if (!a->prog_id && sl_config_interface(config, a->interface))
			bare[i] = f;
	}
	sl_config_free(config);
}

/*
 * For each interface without an XDP program a filter whose configuration names
 * it, else NULL. Its own filter is gone: what netlink holds, anybody may take
 * off, and DPDK does so when it ends or fails to start. NULL: no memory.
 */
static const struct cli_filter **find_bare(const struct cli_filters *filters)
{
	const struct cli_filter **bare =
		calloc(filters->n_items + 1, sizeof(*bare));

	for (size_t i = 0; bare && i < filters->n_items; i++)
		if (filters->items[i].ours)
			add_bare(filters, &filters->items[i], bare);
	return bare;
}

static void print_bare(const struct sl_attachment *a,
		       const struct cli_filter *by)
{
	if (by)
		printf("%s: no XDP program, though the configuration on %s "
		       "names it: nothing is filtered here; `sluice apply "
		       "FILE` puts its filter back\n",
		       a->interface, by->attachment.interface);
	else
		printf("%s: no XDP program\n", a->interface);
}

static json_t *bare_to_json(const struct sl_attachment *a,
			    const struct cli_filter *by)
{
	return json_pack("{s:o, s:b, s:s, s:o}", "name",
			 sl_json_text(a->interface), "sluice", 0, "attached",
			 "nothing", "named_on",
			 sl_json_text(by->attachment.interface));
}

static void print_pending(const struct sl_pending *pending)
{
	char text[sizeof(pending->file) + sizeof(pending->who) + 256];

	cli_pending_print(pending, text, sizeof(text));
	puts(text);
}

static int print_all(const struct cli_filters *filters,
		     const struct sl_pending *pending, bool json, bool named)
{
	const struct cli_filter **bare = find_bare(filters);
	json_t *list = json ? json_array() : NULL;
	size_t shown = 0;

	if (!bare)
		return cli_fail(-ENOMEM, "out of memory");
	for (size_t i = 0; i < filters->n_items; i++) {
		const struct cli_filter *f = &filters->items[i];
		const struct sl_attachment *a = &f->attachment;

		if (!a->prog_id && !named && !bare[i])
			continue;
		shown++;
		if (!json && a->prog_id)
			print_text(f);
		else if (!json)
			print_bare(a, bare[i]);
		else if (a->prog_id)
			json_array_append_new(list, to_json(f));
		else if (bare[i])
			json_array_append_new(list, bare_to_json(a, bare[i]));
	}
	free(bare);
	if (json)
		return cli_print_json(json_pack("{s:o, s:o}", "interfaces",
						list, "unconfirmed",
						cli_pending_json(pending)));
	if (!shown)
		puts("no XDP program is attached in this network namespace; "
		     "`sluice apply FILE` attaches a filter");
	if (pending->waits)
		print_pending(pending);
	return CLI_OK;
}

int cli_status(const struct cli_command *command, int argc, char **argv)
{
	struct sl_error ignored;
	struct sl_pending pending;
	struct cli_filters filters;
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	sl_pending_open(false, &pending, &ignored);
	sl_pending_close(&pending);
	status = cli_filters_open(argv + optind, argc - optind, CLI_FILTERS_ANY,
				  &filters);
	if (status != CLI_OK)
		return status;
	status = print_all(&filters, &pending, json, argc > optind);
	cli_filters_close(&filters);
	return status;
}
