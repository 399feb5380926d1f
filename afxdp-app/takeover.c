// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "takeover.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent.h"
#include "handover.h"
#include "lib/fwdctl.h"
#include "privileges.h"
#include "say.h"
#include "supervise.h"

/* As long as a data plane may take to start, and to hear of it. */
#define RUNNING_MS 35000

int sl_takeover_line(int client, const char *line)
{
	size_t bytes = strlen(line);
	ssize_t n = send(client, line, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 ? -errno : (size_t)n == bytes ? 0 : -EIO;
}

void sl_takeover_end(int other, bool running)
{
	if (other < 0)
		return;
	if (running)
		sl_takeover_line(other, "{\"running\":true}\n");
	close(other);
}

/* 0: it handed over, the descriptors come next; -EPERM: it said no, and *why is to be freed. */
static int handover_ask(struct sl_fwd *fwd, int fd, const char *plan,
			char **why)
{
	json_t *object =
		json_pack("{s:s, s:s}", "request", "handover", "plan", plan);
	char *request = object ? json_dumps(object, JSON_COMPACT) : NULL;
	char *line = NULL;
	int err = request ? sl_fwdctl_ask(fd, request, &line) : -ENOMEM;

	json_decref(object);
	free(request);
	if (err)
		return err;
	object = json_loads(line, 0, NULL);
	free(line);
	if (!json_is_true(json_object_get(object, "ok"))) {
		const char *error =
			json_string_value(json_object_get(object, "error"));

		*why = strdup(error ? error : "it gave no reason");
		err = -EPERM;
	}
	for (uint32_t i = 0; i < fwd->n_ifaces && !err; i++)
		fwd->ifaces[i].forwarded_before =
			(uint64_t)json_integer_value(json_array_get(
				json_object_get(object, "forwarded_before"),
				i));
	json_decref(object);
	return err;
}

/* Has it stop, and waits until it has: it closes the connection at its end. */
static int stop_ask(int fd)
{
	char *line = NULL, more;
	int err = sl_fwdctl_ask(fd, "{\"request\":\"stop\"}", &line);

	free(line);
	if (err)
		return err;
	return recv(fd, &more, 1, 0) ? -ETIMEDOUT : 0;
}

/* A connection takes one request: another one for the next. */
static int only_connect(int *fd)
{
	size_t n;
	int *fds;
	int err = sl_fwdctl_connect(&fds, &n);

	if (err)
		return err;
	if (n == 1)
		*fd = fds[0];
	else
		while (n)
			close(fds[--n]);
	free(fds);
	return *fd >= 0 ? 0 : -ENOENT;
}

static int stop_other(const char *why)
{
	int fd = -1;
	int err = only_connect(&fd);

	if (!err)
		err = stop_ask(fd);
	if (fd >= 0)
		close(fd);
	if (err)
		sl_fwd_say_error(
			"takeover", "stop the one that runs", err,
			"stop it yourself, then start without --takeover");
	else
		sl_fwd_say_of("takeover",
			      "not without a gap: %s; stopped it instead", why);
	return err;
}

int sl_takeover(struct sl_agent *agent, int *record_fd, int *other)
{
	char *plan = NULL, *why = NULL;
	int fd = -1;
	int err = only_connect(&fd);

	if (err) {
		sl_fwd_say_error(
			"takeover", "find the one that runs", err,
			"there must be one in this network namespace; start without "
			"--takeover");
		return err;
	}
	plan = sl_handover_describe(&agent->fwd);
	err = plan ? handover_ask(&agent->fwd, fd, plan, &why) : -ENOMEM;
	free(plan);
	if (!err)
		err = sl_handover_receive(&agent->fwd, fd, record_fd);
	if (!err) {
		*other = fd;
		return 0;
	}
	close(fd);
	if (err == -EPERM && why)
		err = stop_other(why);
	else
		sl_fwd_say_error("takeover", "take over from the one that runs",
				 err, NULL);
	free(why);
	return err;
}

/* The new one runs, or it has ended: true or false. */
static bool running_wait(int client)
{
	struct pollfd readable = { .fd = client, .events = POLLIN };
	char byte;

	/* One that is stuck has the sockets all the same, and two of us must not. */
	if (poll(&readable, 1, RUNNING_MS) < 1)
		return true;
	return recv(client, &byte, 1, MSG_DONTWAIT) == 1;
}

/* It came to nothing: a data plane of ours goes on where the last one stopped. */
static int go_on(struct sl_agent *agent, int record_fd)
{
	int err = sl_fwd_privileges_raise(true);

	if (!err)
		err = sl_supervise_start(agent, record_fd);
	sl_fwd_privileges_raise(false);
	sl_fwd_say_of("handover", err ? "it failed, and so did going on" :
					"it failed; going on");
	return err;
}

/* With it, where the filters' counters stood when the sockets began. */
static int yes_send(const struct sl_agent *agent, int client)
{
	json_t *before = json_array();
	json_t *object;
	char *line = NULL, *whole;
	int err = -ENOMEM;

	for (uint32_t i = 0; i < agent->fwd.n_ifaces; i++)
		json_array_append_new(
			before, json_integer((json_int_t)agent->fwd.ifaces[i]
						     .forwarded_before));
	object = json_pack("{s:b, s:o}", "ok", 1, "forwarded_before", before);
	if (object)
		line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (line && asprintf(&whole, "%s\n", line) >= 0) {
		err = sl_takeover_line(client, whole);
		free(whole);
	}
	free(line);
	return err;
}

int sl_takeover_serve(struct sl_agent *agent, int client, const char *plan,
		      const char **why)
{
	char *ours = sl_handover_describe(&agent->fwd);
	bool same = ours && plan && !strcmp(ours, plan);
	int record_fd, err;

	free(ours);
	if (!same) {
		*why = "interfaces, queues, workers or version differ";
		return -EINVAL;
	}
	if (sl_handover_possible(&agent->fwd)) {
		*why = "this kernel does not map the rings of a bound socket; Linux 6.4 does";
		return -EOPNOTSUPP;
	}
	err = sl_supervise_hold(agent, &record_fd);
	if (err)
		return err;
	err = yes_send(agent, client);
	if (!err)
		err = sl_handover_send(&agent->fwd, record_fd, client);
	if (!err && running_wait(client))
		agent->handed = true;
	else
		go_on(agent, record_fd);
	close(record_fd);
	return 1;
}
