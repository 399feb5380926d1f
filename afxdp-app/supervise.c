// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "supervise.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"
#include "channel.h"
#include "options.h"
#include "plane.h"
#include "sandbox.h"
#include "say.h"

/* Opening a capture's file or an operator's object may wait for a disk. */
#define READY_MS 30000
/* It only reads counters; its main thread does nothing else. */
#define ANSWER_MS 5000
/* A second to drain, one for each stage's courier, and the end of the operator's stages. */
#define STOP_MS 5000
#define STOP_STAGE_MS 1000
/* Statistics of some thousand ports. What is longer is none of ours. */
#define TEXT_MAX (4 << 20)

static void refused_say(const struct sl_channel_message *message)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
						      message->value);

	sl_fwd_say_of(
		"data plane",
		"the system call %s (%d) is not allowed there: it was not carried out, and the "
		"data plane has ended; a stage that needs it makes it in init",
		name ? name : "?", message->value);
	free(name);
}

/*
 * Waits for the end of its channel, which is that of its last thread, and reaps it: its wait
 * status. What is killed only then has one already, unless it did not keep to that.
 */
static int reap(struct sl_agent *agent, int timeout_ms)
{
	struct pollfd end = { .fd = agent->channel };
	int status = 0;

	poll(&end, 1, timeout_ms); /* for POLLHUP, which needs no asking */
	kill(agent->plane, SIGKILL);
	while (waitpid(agent->plane, &status, 0) < 0 && errno == EINTR)
		;
	close(agent->channel);
	agent->channel = -1;
	agent->plane = 0;
	return status;
}

void sl_supervise_kill(struct sl_agent *agent)
{
	if (!agent->plane)
		return;
	kill(agent->plane, SIGKILL);
	reap(agent, 0);
}

/* It has ended by itself, which is no plan of ours; `told`: why was said. */
static void lost_say(int status, bool told)
{
	if (WIFSIGNALED(status))
		sl_fwd_say_of(
			"data plane",
			"ended by signal %d (%s); the rules' fallback applies, start "
			"the forwarder again",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!told)
		sl_fwd_say_of(
			"data plane",
			"ended with status %d; the rules' fallback applies, start the "
			"forwarder again",
			WEXITSTATUS(status));
}

/* The next answer of it. 0, or -errno: it has ended, or did not answer, and there is none. */
static int answer(struct sl_agent *agent, int timeout_ms,
		  struct sl_channel_message *message)
{
	int err = sl_channel_receive(agent->channel, timeout_ms, message, NULL);
	bool told = !err && message->type == SL_CHANNEL_REFUSED;

	if (!err && !told)
		return 0;
	if (told)
		refused_say(message);
	if (err == -ETIMEDOUT || err == -EPROTO) {
		sl_fwd_say_error("data plane", "wait for its answer", err,
				 "it is killed");
		sl_supervise_kill(agent);
		return err;
	}
	lost_say(reap(agent, told ? ANSWER_MS : 0), told);
	return -EPIPE;
}

bool sl_supervise_alive(struct sl_agent *agent)
{
	struct sl_channel_message message;
	int err = answer(agent, 0, &message);

	if (err)
		return false;
	/* Nothing was asked. */
	sl_fwd_say_of("data plane", "spoke unasked; it is killed");
	sl_supervise_kill(agent);
	return false;
}

static _Noreturn void child(struct sl_agent *agent, pid_t parent,
			    const int ends[2], int record_fd)
{
	/* The agent may have ended before the kernel was told. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(SL_PLANE_SYSTEM);
	sl_plane_run(&agent->fwd, ends[1], record_fd);
}

/* It came to its end before READY: it has said why, unless a signal was the end. */
static int failed(int status)
{
	if (WIFSIGNALED(status)) {
		lost_say(status, false);
		return -EIO;
	}
	return WEXITSTATUS(status) == SL_PLANE_INPUT ? -EDOM : -EIO;
}

int sl_supervise_start(struct sl_agent *agent, int record_fd)
{
	struct sl_channel_message message;
	pid_t parent = getpid();
	int ends[2];
	int err = sl_channel_open(ends);

	if (err) {
		sl_fwd_say_error("data plane", "open its channel", err, NULL);
		return err;
	}
	fflush(NULL);
	agent->plane = fork();
	if (!agent->plane)
		child(agent, parent, ends, record_fd);
	close(ends[1]);
	agent->channel = ends[0];
	if (agent->plane < 0) {
		err = -errno;
		sl_fwd_say_error("data plane", "start its process", err, NULL);
		agent->plane = 0;
		close(agent->channel);
		agent->channel = -1;
		return err;
	}
	err = sl_channel_receive(agent->channel, READY_MS, &message, NULL);
	if (!err && message.type == SL_CHANNEL_READY)
		return 0;
	if (!err && message.type == SL_CHANNEL_REFUSED)
		refused_say(&message);
	else if (err == -ETIMEDOUT)
		sl_fwd_say_error("data plane", "wait for its start", err,
				 "a stage may hang in init; it is killed");
	return failed(reap(agent, 0));
}

static uint8_t port_flags(const struct sl_fwd_port *port)
{
	return (uint8_t)((port->link ? SL_CHANNEL_LINK : 0) |
			 (port->busy_poll ? SL_CHANNEL_POLL : 0));
}

void sl_supervise_ports(struct sl_agent *agent)
{
	const struct sl_fwd *fwd = &agent->fwd;

	for (uint32_t first = 0; agent->plane && first < fwd->plan.n_ends;
	     first += SL_CHANNEL_PORTS_MAX) {
		struct sl_channel_message message = {
			.type = SL_CHANNEL_PORTS,
			.first = first,
			.n = fwd->plan.n_ends - first,
		};

		if (message.n > SL_CHANNEL_PORTS_MAX)
			message.n = SL_CHANNEL_PORTS_MAX;
		for (uint32_t i = 0; i < message.n; i++)
			message.port[i] = port_flags(fwd->end_port[first + i]);
		/* If it does not read, its next answer tells; if it is gone, the channel. */
		sl_channel_send(agent->channel, &message, -1);
	}
}

/* What statistics set against what came in. */
static void forwarded_tell(struct sl_agent *agent)
{
	for (uint32_t i = 0; i < agent->fwd.n_ifaces; i++) {
		struct sl_fwd_iface *iface = &agent->fwd.ifaces[i];
		struct sl_channel_message message = {
			.type = SL_CHANNEL_FORWARDED, .value = (int32_t)i
		};

		sl_fwd_iface_tally(iface);
		message.count = iface->forwarded;
		message.n = iface->counted;
		sl_channel_send(agent->channel, &message, -1);
	}
}

/* Asks with a file in memory for what is to be written; its value, or -errno. */
static int ask(struct sl_agent *agent, enum sl_channel_type type, int value,
	       int timeout_ms, int *file)
{
	struct sl_channel_message message = { .type = type, .value = value };
	int fd = memfd_create("sluice-answer", MFD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	forwarded_tell(agent);
	err = sl_channel_send(agent->channel, &message, fd);
	if (!err)
		err = answer(agent, timeout_ms, &message);
	if (!err && message.type != SL_CHANNEL_DONE)
		err = -EPROTO;
	if (err) {
		close(fd);
		return err;
	}
	*file = fd;
	return message.value;
}

/* The content of `file`, which is closed. */
static int text_read(int file, char **text, size_t *bytes)
{
	struct stat status;
	size_t done = 0;
	char *new = NULL;
	int err = fstat(file, &status) ? -errno : 0;

	if (!err && (status.st_size < 0 || status.st_size > TEXT_MAX))
		err = -EMSGSIZE;
	if (!err) {
		new = malloc((size_t)status.st_size + 1);
		err = new ? 0 : -ENOMEM;
	}
	while (!err && done < (size_t)status.st_size) {
		ssize_t n = pread(file, new + done,
				  (size_t)status.st_size - done, (off_t)done);

		if (n <= 0)
			err = n ? -errno : -EPROTO;
		else
			done += (size_t)n;
	}
	close(file);
	if (err) {
		free(new);
		return err;
	}
	new[done] = '\0';
	*text = new;
	*bytes = done;
	return 0;
}

int sl_supervise_text(struct sl_agent *agent, bool json, char **text,
		      size_t *bytes)
{
	int file = -1;
	int err = agent->plane ?
			  ask(agent, SL_CHANNEL_STATS, json, ANSWER_MS, &file) :
			  -EPIPE;

	if (!err)
		return text_read(file, text, bytes);
	if (file >= 0)
		close(file);
	return err < 0 ? err : -EPROTO;
}

/* Prints what is in `file` and closes it. */
static int text_print(int file)
{
	char *text;
	size_t bytes;
	int err = text_read(file, &text, &bytes);

	if (err)
		return err;
	if (fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout))
		err = -EIO;
	free(text);
	return err;
}

static void print_say(int err)
{
	if (err)
		sl_fwd_say_error("standard output", "print statistics", err,
				 NULL);
}

void sl_supervise_stats(struct sl_agent *agent)
{
	int file = -1;
	int err = agent->plane ? ask(agent, SL_CHANNEL_STATS,
				     agent->options->json, ANSWER_MS, &file) :
				 -EPIPE;

	if (file >= 0)
		err = text_print(file);
	print_say(err);
}

static int stop_ms(const struct sl_agent *agent)
{
	return STOP_MS + STOP_STAGE_MS * (int)agent->fwd.config->n_stages;
}

bool sl_supervise_stop(struct sl_agent *agent)
{
	int file = -1;
	int whole = ask(agent, SL_CHANNEL_STOP, agent->options->json,
			stop_ms(agent), &file);

	if (file >= 0)
		print_say(text_print(file));
	if (agent->plane)
		reap(agent, stop_ms(agent));
	return whole == 1;
}

int sl_supervise_hold(struct sl_agent *agent, int *record_fd)
{
	int file = -1;
	int err = ask(agent, SL_CHANNEL_HOLD, 0, ANSWER_MS, &file);

	if (err && file >= 0)
		close(file);
	else if (!err)
		*record_fd = file;
	/* A courier may still write what the next one's goes on with: milliseconds, or a slow disk. */
	if (agent->plane)
		reap(agent, stop_ms(agent));
	return err > 0 ? -EPROTO : err;
}
