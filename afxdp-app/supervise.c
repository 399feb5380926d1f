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
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "channel.h"
#include "lib/pressure.h"
#include "mirror.h"
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
/* From SIGKILL to its end, which waits for a disk or device in the kernel, and for its memory. */
#define KILL_MS 2000
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

static const struct sl_agent_plane none = { .channel = -1 };

/*
 * Waits for the end of its channel, which is that of its last thread, and reaps it: its wait
 * status. What is killed only then has one already, unless it did not keep to that. One that
 * does not end even so is left behind: it runs no code of its own any more.
 */
static int reap(struct sl_agent_plane *plane, int timeout_ms)
{
	struct pollfd end = { .fd = plane->channel };
	int status = W_EXITCODE(0, SIGKILL);
	pid_t ended = 0;

	poll(&end, 1, timeout_ms); /* for POLLHUP, which needs no asking */
	kill(plane->pid, SIGKILL);
	for (int ms = 0; !ended && ms < KILL_MS; ms++) {
		ended = waitpid(plane->pid, &status, WNOHANG);
		if (!ended)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 },
				  NULL);
	}
	if (!ended)
		sl_fwd_say_of(
			"data plane",
			"process %d does not end though it was killed; look at the disk or "
			"device that it waits for ('dmesg')",
			(int)plane->pid);
	close(plane->channel);
	*plane = none;
	return status;
}

static void plane_kill(struct sl_agent_plane *plane)
{
	if (!plane->pid)
		return;
	kill(plane->pid, SIGKILL);
	reap(plane, 0);
}

void sl_supervise_kill(struct sl_agent *agent)
{
	plane_kill(&agent->plane);
}

void sl_supervise_drop(struct sl_agent *agent)
{
	plane_kill(&agent->next);
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
	struct sl_agent_plane *plane = &agent->plane;
	int err = sl_channel_receive(plane->channel, timeout_ms, message, NULL);
	bool told = !err && message->type == SL_CHANNEL_REFUSED;

	if (!err && !told)
		return 0;
	if (told)
		refused_say(message);
	if (err == -ETIMEDOUT || err == -EPROTO) {
		sl_fwd_say_error("data plane", "wait for its answer", err,
				 "it is killed");
		plane_kill(plane);
		return err;
	}
	lost_say(reap(plane, told ? ANSWER_MS : 0), told);
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
	plane_kill(&agent->plane);
	return false;
}

static _Noreturn void child(struct sl_fwd *fwd, pid_t parent,
			    const struct sl_plane_start *start)
{
	/* The agent may have ended before the kernel was told. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(SL_PLANE_SYSTEM);
	sl_plane_run(fwd, start);
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

/* 0 and *plane, or -errno, said, and none. `start` but for its channel. */
static int plane_fork(struct sl_fwd *fwd, struct sl_plane_start *start,
		      struct sl_agent_plane *plane)
{
	pid_t pid, parent = getpid();
	int ends[2];
	int err = sl_channel_open(ends);

	if (err) {
		sl_fwd_say_error("data plane", "open its channel", err, NULL);
		return err;
	}
	start->channel = ends[1];
	fflush(NULL);
	pid = fork();
	if (!pid)
		child(fwd, parent, start);
	err = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (err) {
		sl_fwd_say_error("data plane", "start its process", err, NULL);
		close(ends[0]);
		return err;
	}
	*plane = (struct sl_agent_plane){
		.pid = pid,
		.channel = ends[0],
		.stop_ms = STOP_MS + STOP_STAGE_MS * (int)fwd->config->n_stages,
	};
	return 0;
}

/* Its first message: 0, or -errno, said, and there is none. */
static int plane_wait(struct sl_agent_plane *plane, enum sl_channel_type type,
		      int timeout_ms)
{
	struct sl_channel_message message;
	int err =
		sl_channel_receive(plane->channel, timeout_ms, &message, NULL);

	if (!err && message.type == type)
		return 0;
	if (!err && message.type == SL_CHANNEL_REFUSED)
		refused_say(&message);
	else if (err == -ETIMEDOUT)
		sl_fwd_say_error("data plane", "wait for its start", err,
				 "a stage may hang in init; it is killed");
	return failed(reap(plane, err ? 0 : ANSWER_MS));
}

int sl_supervise_start(struct sl_agent *agent)
{
	struct sl_plane_start start = { .witness = -1 };
	int err = plane_fork(&agent->fwd, &start, &agent->plane);

	return err ? err :
		     plane_wait(&agent->plane, SL_CHANNEL_READY, READY_MS);
}

int sl_supervise_prepare(struct sl_agent *agent, struct sl_fwd *fwd,
			 int witness)
{
	struct sl_plane_start start = { .adopts = true, .witness = witness };
	int err = plane_fork(fwd, &start, &agent->next);

	return err ? err :
		     plane_wait(&agent->next, SL_CHANNEL_STANDBY, READY_MS);
}

int sl_supervise_adopt(struct sl_agent *agent, int record_fd)
{
	const struct sl_channel_message message = { .type = SL_CHANNEL_ADOPT };
	int err = sl_channel_send(agent->next.channel, &message, record_fd);

	if (err && err != -EPIPE) {
		sl_fwd_say_error("data plane", "send it the record", err, NULL);
		plane_kill(&agent->next);
		return err;
	}
	/* If it is gone, its end says why. */
	err = plane_wait(&agent->next, SL_CHANNEL_READY, ANSWER_MS);
	if (err)
		return err;
	agent->plane = agent->next;
	agent->next = none;
	return 0;
}

static uint8_t port_flags(const struct sl_fwd *fwd,
			  const struct sl_fwd_port *port)
{
	return (uint8_t)((port->link ? SL_CHANNEL_LINK : 0) |
			 (port->busy_poll ? SL_CHANNEL_POLL : 0) |
			 (port->busy_seen ? SL_CHANNEL_SEEN : 0) |
			 (fwd->ifaces[port->iface].deferred ?
				  SL_CHANNEL_DEFERRED :
				  0));
}

void sl_supervise_ports(struct sl_agent *agent)
{
	const struct sl_fwd *fwd = &agent->fwd;

	for (uint32_t first = 0; agent->plane.pid && first < fwd->plan.n_ends;
	     first += SL_CHANNEL_PORTS_MAX) {
		struct sl_channel_message message = {
			.type = SL_CHANNEL_PORTS,
			.first = first,
			.n = fwd->plan.n_ends - first,
		};

		if (message.n > SL_CHANNEL_PORTS_MAX)
			message.n = SL_CHANNEL_PORTS_MAX;
		for (uint32_t i = 0; i < message.n; i++)
			message.port[i] =
				port_flags(fwd, fwd->end_port[first + i]);
		/* If it does not read, its next answer tells; if it is gone, the channel. */
		sl_channel_send(agent->plane.channel, &message, -1);
	}
}

void sl_supervise_pressure(struct sl_agent *agent)
{
	const struct sl_fwd *fwd = &agent->fwd;

	for (uint32_t w = 0; agent->plane.pid && w < fwd->n_workers; w++) {
		double share = sl_pressure_get(agent->pressure,
					       (uint32_t)fwd->workers[w].cpu)
				       .pressure;
		const struct sl_channel_message message = {
			.type = SL_CHANNEL_PRESSURE,
			.value = (int32_t)w,
			.count = (uint64_t)(share * 1000)
		};

		sl_channel_send(agent->plane.channel, &message, -1);
	}
}

void sl_supervise_mirrors(struct sl_agent *agent)
{
	const struct sl_fwd *fwd = &agent->fwd;

	for (size_t i = 0; agent->plane.pid && i < fwd->config->n_stages; i++) {
		const struct sl_channel_message message = {
			.type = SL_CHANNEL_MIRROR,
			.value = fwd->mirrors[i].ifindex,
			.first = (uint32_t)i,
		};

		if (message.value)
			sl_channel_send(agent->plane.channel, &message, -1);
	}
}

int sl_supervise_stuck(struct sl_agent *agent, int *worker)
{
	struct sl_channel_message message = { .type = SL_CHANNEL_TURNS };
	int err = sl_channel_send(agent->plane.channel, &message, -1);

	if (!err)
		err = answer(agent, ANSWER_MS, &message);
	if (!err)
		*worker = message.value;
	return err;
}

/* What statistics set against what came in. */
static void tallies_tell(struct sl_agent *agent)
{
	for (uint32_t i = 0; i < agent->fwd.n_ifaces; i++) {
		struct sl_fwd_iface *iface = &agent->fwd.ifaces[i];
		struct sl_channel_message message = { .type = SL_CHANNEL_TALLY,
						      .value = (int32_t)i };

		sl_fwd_iface_tally(iface);
		message.tally = iface->tally;
		sl_channel_send(agent->plane.channel, &message, -1);
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
	tallies_tell(agent);
	err = sl_channel_send(agent->plane.channel, &message, fd);
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
	int err = agent->plane.pid ?
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
	int err = agent->plane.pid ?
			  ask(agent, SL_CHANNEL_STATS, agent->options->json,
			      ANSWER_MS, &file) :
			  -EPIPE;

	if (file >= 0)
		err = text_print(file);
	print_say(err);
}

bool sl_supervise_stop(struct sl_agent *agent)
{
	int file = -1;
	int whole = ask(agent, SL_CHANNEL_STOP, agent->options->json,
			agent->plane.stop_ms, &file);

	if (file >= 0)
		print_say(text_print(file));
	if (agent->plane.pid)
		reap(&agent->plane, agent->plane.stop_ms);
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
	agent->last = agent->plane;
	agent->plane = none;
	return err > 0 ? -EPROTO : err;
}

void sl_supervise_bury(struct sl_agent *agent)
{
	if (agent->last.pid)
		reap(&agent->last, agent->last.stop_ms);
}
