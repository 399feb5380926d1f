// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "requests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "options.h"
#include "supervise.h"
#include "takeover.h"
#include "lib/jsontext.h"

struct request {
	struct sl_agent *agent;
	const json_t *object;
	int client;
	char *answer; /* to be freed by who gets it */
	size_t bytes;
	const char *why; /* of a failure */
};

static int done(struct request *request)
{
	request->answer = strdup("{\"ok\":true}\n");
	if (!request->answer)
		return -ENOMEM;
	request->bytes = strlen(request->answer);
	return 0;
}

static json_t *interfaces(const struct sl_fwd *fwd)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:i}", "name",
					sl_json_text(fwd->ifaces[i].name),
					"ifindex", fwd->ifaces[i].ifindex));
	return list;
}

/*
 * A line of what the agent knows, with the size of what follows: the statistics of the data
 * plane as it wrote them, which the agent does not look into.
 */
static int stats(struct request *request)
{
	struct sl_agent *agent = request->agent;
	char *text = NULL, *line, *whole;
	size_t bytes = 0, used;
	json_t *object;
	int err = sl_supervise_text(agent, true, &text, &bytes);

	if (err)
		return err;
	object = json_pack("{s:i, s:o, s:o, s:I}", "pid", (int)getpid(),
			   "config", sl_json_text(agent->options->config),
			   "interfaces", interfaces(&agent->fwd), "bytes",
			   (json_int_t)bytes);
	line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	used = line ? strlen(line) : 0;
	whole = malloc(used + 1 + bytes);
	if (line && whole) {
		memcpy(whole, line, used);
		whole[used] = '\n';
		memcpy(whole + used + 1, text, bytes);
		request->answer = whole;
		request->bytes = used + 1 + bytes;
	} else {
		free(whole);
		err = -ENOMEM;
	}
	free(line);
	free(text);
	return err;
}

static int stop(struct request *request)
{
	request->agent->leave = true;
	/* Whoever asked sees the connection end when the forwarder has. */
	request->agent->stopper = dup(request->client);
	/* By hand, and at once: nobody serves clients any more. */
	return sl_takeover_line(request->client, "{\"ok\":true}\n") ? -EIO : 1;
}

static int reload(struct request *request)
{
	int err = sl_agent_reload(request->agent);

	if (!err)
		return done(request);
	request->why =
		request->agent->plane.pid ?
			"refused, and all goes on as before; standard error has the reason" :
			"failed, and the forwarder ends; standard error has the reason";
	return err;
}

static int handover(struct request *request)
{
	const char *plan =
		json_string_value(json_object_get(request->object, "plan"));

	return sl_takeover_serve(request->agent, request->client, plan,
				 &request->why);
}

static const struct {
	const char *name;
	int (*handle)(struct request *request);
} table[] = {
	{ "stats", stats },
	{ "stop", stop },
	{ "reload", reload },
	{ "handover", handover },
};

int sl_requests_handle(void *context, const json_t *object, int client,
		       char **answer, size_t *bytes, const char **why)
{
	const char *name =
		json_string_value(json_object_get(object, "request"));
	struct request request = { .agent = context,
				   .object = object,
				   .client = client };
	int err = -EINVAL;

	/* By another client, in this same round: nothing is left to be had, or handed over. */
	if (request.agent->leave || request.agent->handed ||
	    !request.agent->plane.pid) {
		*why = "it is about to end";
		return -ESHUTDOWN;
	}
	request.why =
		"no such request; there are stats, stop, reload and handover";
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (name && !strcmp(name, table[i].name)) {
			request.why = NULL;
			err = table[i].handle(&request);
		}
	*answer = request.answer;
	*bytes = request.bytes;
	*why = request.why;
	return err;
}
