// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "busy.h"
#include "handover.h"
#include "lib/config.h"
#include "lib/pressure.h"
#include "notify.h"
#include "options.h"
#include "privileges.h"
#include "requests.h"
#include "say.h"
#include "supervise.h"
#include "takeover.h"
#include "watch.h"

enum { EXIT_DONE, EXIT_INPUT, EXIT_USAGE, EXIT_SYSTEM };

#define WATCH_MS 1000ll

static long long clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

int sl_agent_config(const char *path, struct sl_config **config)
{
	struct sl_diags diags = { 0 };
	struct sl_config *new = NULL;
	int err = sl_config_read(path, &diags, &new);

	if (!err)
		err = sl_config_check_effective(new, &diags);
	sl_diags_print(&diags, stderr);
	sl_diags_fini(&diags);
	if (!err && !new->forwarder.given) {
		sl_fwd_say_of(path, "read the forwarder: there is none; add "
				    "'forwarder { wire IF IF }' or "
				    "'forwarder { route }'");
		err = -EINVAL;
	}
	if (err) {
		sl_config_free(new);
		return err;
	}
	*config = new;
	return 0;
}

/* Steps 2 to 7 of agent.h. */
static int forwarding_start(struct sl_agent *agent)
{
	int err = sl_fwd_open(&agent->fwd);

	if (!err)
		err = sl_supervise_start(agent);
	if (err)
		return err;
	sl_fwd_forget(&agent->fwd);
	sl_fwd_ifaces_tally_begin(agent->fwd.ifaces, agent->fwd.n_ifaces);
	err = sl_fwd_insert(&agent->fwd);
	if (err)
		sl_supervise_kill(agent);
	return err;
}

/*
 * The same with the sockets in `fwd`, which another data plane still uses, as far as it goes. They
 * are in the filter already, unless that was attached anew just now.
 */
static int forwarding_prepare(struct sl_agent *agent, struct sl_fwd *fwd,
			      int witness)
{
	int err = sl_supervise_prepare(agent, fwd, witness);

	if (!err)
		err = sl_fwd_insert(fwd);
	if (err)
		sl_supervise_drop(agent);
	return err;
}

/* What `poll adaptive` goes by, beside the packets. Without it the packets do. */
static void pressure_watch(struct sl_agent *agent)
{
	int err = 0;

	if (agent->fwd.config->poll != SL_POLL_ADAPTIVE)
		return;
	if (agent->pressure)
		err = sl_pressure_read(agent->pressure);
	else
		err = sl_pressure_open(&agent->pressure);
	if (!err)
		sl_supervise_pressure(agent);
}

/* Tells what runs now, when all of it does. */
static void forwarding_say(struct sl_agent *agent)
{
	sl_fwd_start_say(&agent->fwd);
	sl_fwd_watch_mtu(&agent->fwd);
	sl_fwd_busy_start(&agent->fwd, agent->plane.pid);
	sl_supervise_ports(agent);
	pressure_watch(agent);
	sl_notify_ready(agent);
}

static void fwd_init(const struct sl_agent *agent,
		     const struct sl_config *config, struct sl_fwd *fwd)
{
	*fwd = (struct sl_fwd){ .config_path = agent->options->config,
				.interfaces = config->interfaces,
				.n_interfaces = config->n_interfaces,
				.restarted = agent->restarted };
}

static int forwarder_prepare(struct sl_agent *agent)
{
	fwd_init(agent, agent->config, &agent->fwd);
	return sl_fwd_prepare(&agent->fwd, &agent->config->forwarder);
}

/* With the sockets of another agent, which has sent them. -EPIPE: it has ended since. */
static int forwarder_take(struct sl_agent *agent, int other)
{
	int record_fd, err;

	agent->fwd.restarted = true;
	err = forwarding_prepare(agent, &agent->fwd, other);
	if (err)
		return err;
	err = sl_takeover_record(other, &record_fd);
	if (err) {
		sl_supervise_drop(agent);
		return err;
	}
	err = sl_supervise_adopt(agent, record_fd);
	close(record_fd);
	return err;
}

/* Steps 1 to 7 with sockets of its own, or, with --takeover, those of another agent. */
static int forwarder_open(struct sl_agent *agent)
{
	int other = -1;
	int err = forwarder_prepare(agent);

	if (!err && agent->options->takeover)
		err = sl_takeover(agent, &other);
	if (!err && other >= 0) {
		err = forwarder_take(agent, other);
		sl_takeover_end(other, !err);
		if (err == -EPIPE) {
			sl_fwd_close(&agent->fwd);
			err = forwarder_prepare(agent);
			other = -1;
		}
	}
	if (!err && other < 0)
		err = forwarding_start(agent);
	agent->restarted = true;
	return err;
}

/* Steps 10 and 11. True if all frames are accounted for. */
static bool forwarder_close(struct sl_agent *agent)
{
	bool whole = true;

	if (agent->plane.pid) {
		sl_fwd_remove(&agent->fwd);
		/* Which links are there decides what is waited for, and what is judged. */
		for (uint32_t i = 0; i < agent->fwd.n_ifaces; i++)
			sl_fwd_iface_check(&agent->fwd.ifaces[i]);
		sl_fwd_watch_links(&agent->fwd);
		sl_supervise_ports(agent);
		whole = sl_supervise_stop(agent);
	}
	sl_fwd_busy_stop(&agent->fwd);
	sl_fwd_close(&agent->fwd);
	return whole;
}

/*
 * The plan is what it was: the sockets stay. Until the old data plane is held a failure changes
 * nothing; from then on packets wait in the rings, and what can wait is done after that.
 */
static int forwarder_resume(struct sl_agent *agent, struct sl_fwd *next)
{
	struct sl_fwd last = agent->fwd;
	int record_fd, err;

	sl_handover_move(next, &last);
	err = forwarding_prepare(agent, next, -1);
	if (err) {
		sl_handover_move(&last, next);
		sl_fwd_close(next);
		return err;
	}
	agent->fwd = *next;
	/* To be given back even if this is the end. */
	agent->fwd.busy.held = last.busy.held;
	err = sl_supervise_hold(agent, &record_fd);
	if (!err) {
		err = sl_supervise_adopt(agent, record_fd);
		close(record_fd);
	} else {
		sl_supervise_drop(agent);
	}
	sl_supervise_bury(agent);
	/* The end of a promiscuous mode waits for grace periods, 16 ms each. */
	sl_fwd_close(&last);
	return err;
}

static bool has(const struct sl_fwd *fwd, int ifindex)
{
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		if (fwd->ifaces[i].ifindex == ifindex)
			return true;
	return false;
}

/* What was tried before is known: it need not end the forwarder once more. */
static int wish_check(const struct sl_agent *agent, const struct sl_fwd *next)
{
	const struct sl_fwd *fwd = &agent->fwd;
	char object[SL_FWD_END_NAME];

	if (next->config->zerocopy != SL_ZC_REQUIRE ||
	    fwd->config->zerocopy != SL_ZC_AUTO)
		return 0;
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];

		if (port->xsk.zerocopy ||
		    !has(next, fwd->ifaces[port->iface].ifindex))
			continue;
		sl_fwd_say_of(
			sl_fwd_end_name(fwd, port, object),
			"zero-copy require: it was asked for and not granted here: copy mode");
		return -EOPNOTSUPP;
	}
	return 0;
}

/*
 * Another configuration (its own if `config` is), or other sockets. 0, or -errno: with a data
 * plane all is as it was; without one the forwarder is at its end.
 */
static int forwarder_again(struct sl_agent *agent, struct sl_config *config)
{
	struct sl_fwd next;
	int err;

	fwd_init(agent, config, &next);
	sl_fwd_privileges_raise(true);
	err = sl_fwd_prepare(&next, &config->forwarder);
	if (!err)
		err = wish_check(agent, &next);
	if (err) {
		sl_fwd_close(&next);
		goto out;
	}
	/* Sockets whose NAPI has left them are not to be kept. */
	if (!agent->fwd.busy.left && sl_fwd_alike(&next, &agent->fwd) &&
	    !sl_handover_possible(&agent->fwd)) {
		err = forwarder_resume(agent, &next);
		if (err && agent->plane.pid)
			goto out;
	} else {
		sl_fwd_close(&next);
		forwarder_close(agent);
		fwd_init(agent, config, &agent->fwd);
		err = sl_fwd_prepare(&agent->fwd, &config->forwarder);
		if (!err)
			err = forwarding_start(agent);
	}
	if (config != agent->config) {
		/* What is left of the forwarder refers to the new one. */
		sl_config_free(agent->config);
		agent->config = config;
	}
	if (!err)
		forwarding_say(agent);
out:
	sl_fwd_privileges_raise(false);
	return err;
}

int sl_agent_reload(struct sl_agent *agent)
{
	struct sl_config *config = NULL;
	int err;

	sl_notify_reloading();
	err = sl_agent_config(agent->options->config, &config);
	if (!err) {
		err = forwarder_again(agent, config);
		if (err && agent->config != config)
			sl_config_free(config);
	}
	if (err && agent->plane.pid)
		sl_notify_ready(agent);
	return err;
}

enum verdict { GO_ON, ENDED, FAILED };

/* About once a second, and when a link changed. */
static enum verdict watch(struct sl_agent *agent)
{
	bool reopen = false;

	if (!sl_fwd_watch(&agent->fwd, &reopen)) {
		sl_fwd_say("every interface is gone");
		return FAILED;
	}
	if (!reopen)
		sl_fwd_busy_watch(&agent->fwd, agent->plane.pid);
	if ((reopen || agent->fwd.busy.left) &&
	    forwarder_again(agent, agent->config) && !agent->plane.pid)
		return FAILED;
	sl_supervise_ports(agent);
	sl_supervise_mirrors(agent);
	pressure_watch(agent);
	sl_notify_watch(agent);
	return agent->plane.pid ? GO_ON : FAILED;
}

/* What one wake-up brought. */
static enum verdict events_do(struct sl_agent *agent, struct pollfd *polls)
{
	if (polls[2].revents && !sl_supervise_alive(agent))
		return FAILED;
	sl_control_serve(&agent->control, polls + 3);
	if (agent->leave || agent->handed)
		return ENDED;
	return agent->plane.pid ? GO_ON : FAILED;
}

struct timers {
	long long end, watch, stats, look; /* of the clock; 0: never */
};

/* A trial of busy polling is looked at a while after it began. */
static void timers_trial(struct timers *timers, const struct sl_agent *agent)
{
	if (!sl_fwd_busy_tried(&agent->fwd))
		timers->look = 0;
	else if (!timers->look)
		timers->look = clock_ms() + SL_FWD_BUSY_LOOK_MS;
}

static int timers_wait(const struct timers *timers)
{
	long long now = clock_ms(), wake = timers->watch;

	if (timers->look && timers->look < wake)
		wake = timers->look;
	if (timers->end && timers->end < wake)
		wake = timers->end;
	if (timers->stats && timers->stats < wake)
		wake = timers->stats;
	return wake > now ? (int)(wake - now) : 0;
}

static enum verdict timers_do(struct sl_agent *agent, struct timers *timers,
			      const struct sl_fwd_events *events)
{
	long long now = clock_ms();
	enum verdict verdict = GO_ON;

	if (events->statistics || (timers->stats && now >= timers->stats))
		sl_supervise_stats(agent);
	if (timers->stats && now >= timers->stats)
		timers->stats = now + agent->options->stats_s * 1000ll;
	if (events->stop || (timers->end && now >= timers->end))
		return ENDED;
	/* What is wrong in the file was said, and changes nothing. */
	if (events->reload && sl_agent_reload(agent) && !agent->plane.pid)
		return FAILED;
	if (timers->look && now >= timers->look) {
		timers->look = 0;
		sl_fwd_busy_look(&agent->fwd);
		sl_supervise_ports(agent);
	}
	if (events->link || now >= timers->watch) {
		verdict = watch(agent);
		timers->watch = now + WATCH_MS;
	}
	return verdict;
}

/* Step 9. */
static enum verdict forward(struct sl_agent *agent)
{
	const struct sl_fwd_options *options = agent->options;
	struct pollfd polls[3 + SL_CONTROL_POLLS];
	long long now = clock_ms();
	struct timers timers = { .watch = now };
	enum verdict verdict = GO_ON;

	if (options->duration_s)
		timers.end = now + options->duration_s * 1000ll;
	if (options->stats_s)
		timers.stats = now + options->stats_s * 1000ll;
	while (verdict == GO_ON) {
		struct sl_fwd_events events;

		polls[0] = (struct pollfd){ .fd = agent->signals.signal_fd,
					    .events = POLLIN };
		polls[1] = (struct pollfd){ .fd = agent->signals.link_fd,
					    .events = POLLIN };
		polls[2] = (struct pollfd){ .fd = agent->plane.channel,
					    .events = POLLIN };
		sl_control_polls(&agent->control, polls + 3);
		timers_trial(&timers, agent);
		if (poll(polls, 3 + SL_CONTROL_POLLS, timers_wait(&timers)) < 0)
			continue; /* EINTR, ENOMEM: nothing in `polls` to act on */
		sl_fwd_signals_read(&agent->signals, &events);
		verdict = events_do(agent, polls);
		if (verdict == GO_ON)
			verdict = timers_do(agent, &timers, &events);
	}
	return verdict;
}

static int agent_start(struct sl_agent *agent)
{
	int err = forwarder_open(agent);

	if (err)
		return err;
	err = sl_control_open(&agent->control, sl_requests_handle, agent);
	if (err)
		/* It forwards without one; a signal stops it, SIGUSR1 prints. */
		sl_fwd_say_error(
			"control socket", "open", err,
			"stats, reload and handover by it are not to be had");
	err = sl_fwd_privileges_reduce();
	if (err)
		sl_fwd_say_error("privileges", "give up capabilities", err,
				 NULL);
	else
		forwarding_say(agent);
	return err;
}

int sl_agent_run(const struct sl_fwd_options *options, struct sl_config *config)
{
	struct sl_agent agent = { .options = options,
				  .config = config,
				  .plane.channel = -1,
				  .next.channel = -1,
				  .last.channel = -1,
				  .stopper = -1,
				  .control.fd = -1 };
	int status = EXIT_SYSTEM;
	int err = sl_fwd_signals_open(&agent.signals);

	if (err) {
		sl_fwd_say_error("signals", "take over", err, NULL);
		sl_config_free(config);
		return EXIT_SYSTEM;
	}
	err = agent_start(&agent);
	if (err == -EDOM)
		status = EXIT_INPUT;
	else if (!err && forward(&agent) == ENDED)
		status = EXIT_DONE;
	sl_notify_stopping();
	if (!forwarder_close(&agent))
		status = EXIT_SYSTEM;
	sl_control_close(&agent.control);
	sl_pressure_close(agent.pressure);
	sl_fwd_signals_close(&agent.signals);
	sl_config_free(agent.config);
	if (agent.stopper >= 0)
		close(agent.stopper);
	return status;
}
