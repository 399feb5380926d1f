// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "fwdstats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "fwdctl.h"

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

static void tell(sl_fwdstats_failed failed, void *context, int pid,
		 const char *what, int err)
{
	char text[160];

	snprintf(text, sizeof(text), "forwarder %d: %s: %s", pid, what,
		 strerror(-err));
	failed(context, text);
}

json_t *sl_fwdstats_ask(unsigned wait_ms, sl_fwdstats_failed failed,
			void *context)
{
	json_t *list = json_array();
	struct sl_fwdctl *found = NULL;
	size_t n = 0;
	int err = sl_fwdctl_connect(wait_ms, &found, &n);

	/* EACCES: another user's, of whom nothing is known here. */
	if (err && err != -EACCES) {
		char text[160];

		snprintf(text, sizeof(text),
			 SL_FWDCTL_DIRECTORY ": find the forwarders: %s",
			 strerror(-err));
		failed(context, text);
	}
	for (size_t i = 0; i < n; i++) {
		json_t *forwarder = NULL;

		err = found[i].fd;
		if (err >= 0)
			forwarder = forwarder_ask(found[i].fd, &err);
		if (forwarder)
			json_array_append_new(list, forwarder);
		else
			tell(failed, context, found[i].pid,
			     found[i].fd < 0 ? "connect to it" :
					       "ask for statistics",
			     err);
	}
	sl_fwdctl_close(found, n);
	return list;
}
