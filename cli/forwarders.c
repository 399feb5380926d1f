// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "forwarders.h"

#include <stdio.h>

#include <jansson.h>

#include "lib/fwdledger.h"
#include "lib/fwdstats.h"

static void failed(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "%s\n", text);
}

json_t *cli_forwarders_ask(void)
{
	return sl_fwdstats_ask(0, failed, NULL);
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void ledger_print(const json_t *forwarder)
{
	json_t *ledger = json_object_get(forwarder, "ledger");
	const char *config =
		json_string_value(json_object_get(forwarder, "config"));

	printf("forwarder %lld (%s):\n", number(forwarder, "pid"),
	       config ? config : "?");
	sl_fwdledger_print(ledger, "  ", stdout);
}

void cli_forwarders_print(const json_t *list)
{
	json_t *forwarder;
	size_t i;

	json_array_foreach(list, i, forwarder) ledger_print(forwarder);
}
