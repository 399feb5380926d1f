// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <getopt.h>
#include <stdio.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "lib/observe.h"

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
}

static json_t *to_json(const struct cli_filter *f)
{
	const struct sl_attachment *a = &f->attachment;
	json_t *o = json_pack("{s:s, s:b, s:s, s:s, s:{s:I, s:s}}", "name",
			      a->interface, "sluice", f->ours, "attached",
			      how_text(a), "mode", sl_attachment_mode(a),
			      "program", "id", (json_int_t)a->prog_id, "name",
			      a->prog_name);

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

static int print_all(const struct cli_filters *filters, bool json, bool named)
{
	json_t *list = json ? json_array() : NULL;
	size_t shown = 0;

	for (size_t i = 0; i < filters->n_items; i++) {
		const struct cli_filter *f = &filters->items[i];

		if (!f->attachment.prog_id) {
			if (!json && named)
				printf("%s: no XDP program\n",
				       f->attachment.interface);
			shown += named;
			continue;
		}
		shown++;
		if (json)
			json_array_append_new(list, to_json(f));
		else
			print_text(f);
	}
	if (json)
		return cli_print_json(json_pack("{s:o}", "interfaces", list));
	if (!shown)
		puts("no XDP program is attached in this network namespace; "
		     "`sluice apply FILE` attaches a filter");
	return CLI_OK;
}

int cli_status(const struct cli_command *command, int argc, char **argv)
{
	struct cli_filters filters;
	bool json;
	int status;

	if (cli_json_option(command, argc, argv, &json) != CLI_OK)
		return CLI_USAGE;
	status = cli_filters_open(argv + optind, argc - optind, CLI_FILTERS_ANY,
				  &filters);
	if (status != CLI_OK)
		return status;
	status = print_all(&filters, json, argc > optind);
	cli_filters_close(&filters);
	return status;
}
