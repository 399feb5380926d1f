// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "forwarders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "lib/fwdctl.h"
#include "lib/fwdledger.h"

/* The agent's line, and the data plane's behind it, as one object; NULL: *err. */
static json_t *forwarder_ask(int fd, int *err)
{
	json_t *agent = NULL, *plane = NULL;
	char *line = NULL, *more = NULL;

	*err = sl_fwdctl_ask(fd, "{\"request\":\"stats\"}", &line);
	if (!*err) {
		json_t *bytes;

		agent = json_loads(line, 0, NULL);
		bytes = json_object_get(agent, "bytes");
		*err = json_is_integer(bytes) ?
			       sl_fwdctl_more(fd,
					      (size_t)json_integer_value(bytes),
					      &more) :
			       -EPROTO;
	}
	if (!*err)
		plane = json_loads(more, 0, NULL);
	if (!*err && (!plane || json_object_update_missing(agent, plane)))
		*err = -EPROTO;
	json_object_del(agent, "bytes");
	json_decref(plane);
	free(line);
	free(more);
	if (*err) {
		json_decref(agent);
		return NULL;
	}
	return agent;
}

json_t *cli_forwarders_ask(void)
{
	json_t *list = json_array();
	size_t n = 0;
	int *fds = NULL;
	int err = sl_fwdctl_connect(&fds, &n);

	/* EACCES: another user's, of whom nothing is known here. */
	if (err && err != -EACCES)
		fprintf(stderr, "%s: find the forwarders: %s\n",
			SL_FWDCTL_DIRECTORY, strerror(-err));
	for (size_t i = 0; i < n; i++) {
		json_t *forwarder = forwarder_ask(fds[i], &err);

		if (forwarder)
			json_array_append_new(list, forwarder);
		else
			fprintf(stderr, "forwarder: ask for statistics: %s\n",
				strerror(-err));
		close(fds[i]);
	}
	free(fds);
	return list;
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
