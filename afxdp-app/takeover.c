// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "takeover.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "busy.h"
#include "handover.h"
#include "lib/fwdctl.h"
#include "privileges.h"
#include "say.h"
#include "supervise.h"

/* As long as a data plane may take to start, and to hear of it. */
#define STANDBY_MS 35000
/* The same to go on. */
#define RUNNING_MS 10000

#define STANDBY "{\"standby\":true}\n"
#define RUNNING "{\"running\":true}\n"

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
		sl_takeover_line(other, RUNNING);
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
		sl_fwd_tally_base_from(
			&fwd->ifaces[i].base,
			json_array_get(json_object_get(object, "before"), i));
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
	struct sl_fwdctl *found;
	size_t n;
	int err = sl_fwdctl_connect(0, &found, &n);

	if (err)
		return err;
	err = n == 1 ? found[0].fd : -ENOENT;
	if (err >= 0) {
		*fd = found[0].fd;
		free(found);
		return 0;
	}
	sl_fwdctl_close(found, n);
	return err;
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

/* The connection was closed on us. */
static bool ended(int err)
{
	if (err != -EPIPE && err != -ECONNRESET)
		return false;
	sl_fwd_say_of(
		"takeover",
		"not without a gap: the one that ran has ended; opening sockets anew");
	return true;
}

int sl_takeover(struct sl_agent *agent, int *other)
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
		err = sl_handover_receive(&agent->fwd, fd);
	if (!err) {
		*other = fd;
		return 0;
	}
	close(fd);
	if (err == -EPERM && why)
		err = stop_other(why);
	else if (ended(err))
		err = 0;
	else
		sl_fwd_say_error("takeover", "take over from the one that runs",
				 err, NULL);
	free(why);
	return err;
}

int sl_takeover_record(int other, int *record_fd)
{
	int err = sl_takeover_line(other, STANDBY);

	if (!err)
		err = sl_handover_record_receive(other, record_fd);
	if (ended(err))
		return -EPIPE;
	if (err)
		sl_fwd_say_error("takeover",
				 "go on where the other one stopped", err,
				 NULL);
	return err;
}

static long long clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

/*
 * The client's next line is `line`: 0. Or -EPIPE: it is gone; -EPROTO: another line; -ETIMEDOUT;
 * -ECANCELED: one of the other descriptors in `polls`, behind the client's, has something first.
 */
static int line_wait(struct pollfd *polls, nfds_t n, const char *line,
		     int timeout_ms)
{
	long long now = clock_ms(), end = now + timeout_ms;
	size_t got = 0, bytes = strlen(line);
	char text[32];

	while (got < bytes) {
		ssize_t more;

		if (now >= end || poll(polls, n, (int)(end - now)) < 1)
			return -ETIMEDOUT;
		for (nfds_t i = 1; i < n; i++)
			if (polls[i].revents)
				return -ECANCELED;
		more = recv(polls[0].fd, text + got, bytes - got, MSG_DONTWAIT);
		if (more <= 0)
			return -EPIPE;
		if (memcmp(text + got, line + got, (size_t)more))
			return -EPROTO;
		got += (size_t)more;
		now = clock_ms();
	}
	return 0;
}

/*
 * The new one stands by. Until then we forward, and a signal, or the end of our data plane, goes
 * first.
 */
static int standby_wait(const struct sl_agent *agent, int client)
{
	struct pollfd polls[] = {
		{ .fd = client, .events = POLLIN },
		{ .fd = agent->signals.signal_fd, .events = POLLIN },
		{ .fd = agent->plane.channel, .events = POLLIN },
	};

	return line_wait(polls, 3, STANDBY, STANDBY_MS);
}

/* The new one runs, or it has ended, with its data plane: true or false. */
static bool running_wait(int client)
{
	struct pollfd polls[] = { { .fd = client, .events = POLLIN } };

	/* One that is stuck has the sockets all the same, and two of us must not. */
	return line_wait(polls, 1, RUNNING, RUNNING_MS) != -EPIPE;
}

/* It came to nothing: a data plane of ours goes on where the last one stopped. */
static void go_on(struct sl_agent *agent, int record_fd)
{
	int err = sl_fwd_privileges_raise(true);

	if (!err)
		err = sl_supervise_prepare(agent, &agent->fwd, -1);
	if (!err)
		err = sl_supervise_adopt(agent, record_fd);
	sl_fwd_privileges_raise(false);
	/* A trial was of the last one; the next look begins it anew. */
	sl_fwd_busy_close(&agent->fwd);
	sl_fwd_say_of("handover",
		      err ? "the other one has ended, and going on failed" :
			    "the other one has ended; going on");
}

/* With it, where the counters of filters and devices stood when the sockets began. */
static int yes_send(const struct sl_agent *agent, int client)
{
	json_t *before = json_array();
	json_t *object;
	char *line = NULL, *whole;
	int err = -ENOMEM;

	for (uint32_t i = 0; i < agent->fwd.n_ifaces; i++)
		json_array_append_new(
			before,
			sl_fwd_tally_base_json(&agent->fwd.ifaces[i].base));
	object = json_pack("{s:b, s:o}", "ok", 1, "before", before);
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

/* Steps 5 to 8. */
static void hand_over(struct sl_agent *agent, int client)
{
	int record_fd;
	int err = sl_supervise_hold(agent, &record_fd);

	if (!err) {
		err = sl_handover_record_send(record_fd, client);
		sl_supervise_bury(agent);
		if (!err && running_wait(client))
			agent->handed = true;
		else
			go_on(agent, record_fd);
		close(record_fd);
	}
	sl_supervise_bury(agent);
}

int sl_takeover_serve(struct sl_agent *agent, int client, const char *plan,
		      const char **why)
{
	char *ours = sl_handover_describe(&agent->fwd);
	bool same = ours && plan && !strcmp(ours, plan);
	int err;

	free(ours);
	if (!same) {
		*why = "interfaces, queues, workers or version differ";
		return -EINVAL;
	}
	if (sl_handover_possible(&agent->fwd)) {
		*why = "this kernel does not map the rings of a bound socket; Linux 6.4 does";
		return -EOPNOTSUPP;
	}
	err = yes_send(agent, client);
	if (!err)
		err = sl_handover_send(&agent->fwd, client);
	if (!err)
		err = standby_wait(agent, client);
	if (err)
		sl_fwd_say_error("handover", "wait for the other one", err,
				 "nothing has changed");
	else
		hand_over(agent, client);
	return 1;
}
