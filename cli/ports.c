// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "filters.h"
#include "options.h"
#include "lib/jsontext.h"
#include "lib/observe.h"

#define TOP_DEFAULT 20

struct port {
	const char *interface;
	struct sl_port_count count;
};

struct ports {
	struct port *items;
	size_t n_items;
};

static int by_packets(const void *a, const void *b)
{
	const struct port *x = a, *y = b;

	return sl_port_count_compare(&x->count, &y->count);
}

/* Adds the ports of one filter on which something was seen. */
static int add_filter(const struct cli_filter *f, struct ports *ports)
{
	struct sl_counter(*counters)[65536] =
		calloc(SL_PORT_PROTOS, sizeof(*counters));
	struct port *grown;
	int err = counters ? sl_ports_read(&f->filter, counters) : -ENOMEM;

	grown = err ? NULL :
		      reallocarray(ports->items,
				   ports->n_items + SL_PORT_PROTOS * 65536UL,
				   sizeof(*grown));
	if (!grown) {
		free(counters);
		return cli_fail(err, strerror(err ? -err : ENOMEM));
	}
	ports->items = grown;
	for (unsigned proto = 0; proto < SL_PORT_PROTOS; proto++)
		for (unsigned number = 0; number < 65536; number++)
			if (counters[proto][number].packets)
				ports->items[ports->n_items++] = (struct port){
					f->attachment.interface,
					{ (uint8_t)proto, (uint16_t)number,
					  counters[proto][number] }
				};
	free(counters);
	return CLI_OK;
}

static int print_json(const struct ports *ports, size_t top)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ports->n_items && i < top; i++) {
		const struct port *p = &ports->items[i];

		json_array_append_new(
			list,
			json_pack("{s:o, s:s, s:s, s:i, s:I, s:I}", "interface",
				  sl_json_text(p->interface), "proto",
				  sl_port_proto_text(p->count.proto),
				  "direction", "destination", "port",
				  (int)p->count.port, "packets",
				  (json_int_t)p->count.counter.packets, "bytes",
				  (json_int_t)p->count.counter.bytes));
	}
	return cli_print_json(json_pack("{s:o}", "ports", list));
}

static void print_text(const struct ports *ports, size_t top)
{
	printf("%-15s %-5s %6s %16s %18s\n", "interface", "proto", "port",
	       "packets", "bytes");
	for (size_t i = 0; i < ports->n_items && i < top; i++) {
		const struct port *p = &ports->items[i];

		printf("%-15s %-5s %6u %16llu %18llu\n", p->interface,
		       sl_port_proto_text(p->count.proto), p->count.port,
		       (unsigned long long)p->count.counter.packets,
		       (unsigned long long)p->count.counter.bytes);
	}
	if (ports->n_items > top)
		printf("... and %zu more; --top N shows more\n",
		       ports->n_items - top);
}

static int show(char **names, int n, size_t top, bool json)
{
	struct cli_filters filters;
	struct ports ports = { 0 };
	int status = cli_filters_open(names, n, 0, &filters);

	if (status != CLI_OK)
		return status;
	for (size_t i = 0; i < filters.n_items && status == CLI_OK; i++)
		status = add_filter(&filters.items[i], &ports);
	if (status == CLI_OK) {
		if (ports.n_items)
			qsort(ports.items, ports.n_items, sizeof(*ports.items),
			      by_packets);
		if (json)
			status = print_json(&ports, top ? top : ports.n_items);
		else if (filters.n_items)
			print_text(&ports, top ? top : TOP_DEFAULT);
		else
			puts(CLI_NO_FILTER);
	}
	free(ports.items);
	cli_filters_close(&filters);
	return status;
}

int cli_ports(const struct cli_command *command, int argc, char **argv)
{
	const char *top_text = NULL;
	unsigned long top = 0;
	bool json = false;
	const struct cli_option options[] = { { "json", .flag = &json },
					      { "top", .value = &top_text },
					      { 0 } };

	if (cli_options_read(command, options, argc, argv) != CLI_OK)
		return CLI_USAGE;
	if (top_text &&
	    cli_option_number("--top", top_text, ULONG_MAX, &top) != CLI_OK)
		return CLI_USAGE;
	return show(argv + optind, argc - optind, top, json);
}
