// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "fwdstats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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

static void tell(sl_fwdstats_failed failed, void *context, const char *what,
		 int err)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(-err));
	failed(context, text);
}

json_t *sl_fwdstats_ask(unsigned wait_ms, sl_fwdstats_failed failed,
			void *context)
{
	const struct timeval wait = { .tv_sec = wait_ms / 1000,
				      .tv_usec = (suseconds_t)(wait_ms % 1000) *
						 1000 };
	json_t *list = json_array();
	size_t n = 0;
	int *fds = NULL;
	int err = sl_fwdctl_connect(&fds, &n);

	/* EACCES: another user's, of whom nothing is known here. */
	if (err && err != -EACCES)
		tell(failed, context,
		     SL_FWDCTL_DIRECTORY ": find the forwarders", err);
	for (size_t i = 0; i < n; i++) {
		json_t *forwarder;

		if (wait_ms)
			setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &wait,
				   sizeof(wait));
		forwarder = forwarder_ask(fds[i], &err);
		if (forwarder)
			json_array_append_new(list, forwarder);
		else
			tell(failed, context, "forwarder: ask for statistics",
			     err);
		close(fds[i]);
	}
	free(fds);
	return list;
}
