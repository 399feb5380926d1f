// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plane.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "forwarder.h"
#include "handover.h"
#include "mirror.h"
#include "sandbox.h"
#include "say.h"
#include "stats.h"

/* How often the couriers are asked what they met. */
#define WATCH_MS 1000

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * Closes every descriptor that is not needed from here on: the agent's maps, signals and clients
 * are none of the data plane's.
 */
static int descriptors_close(const struct sl_fwd *fwd,
			     const struct sl_plane_start *start)
{
	int *keep = calloc(fwd->plan.n_ends + 2 * fwd->n_workers + 3,
			   sizeof(*keep));
	int from = STDERR_FILENO + 1;
	size_t n = 0;

	if (!keep)
		return -ENOMEM;
	keep[n++] = start->channel;
	keep[n++] = start->witness;
	keep[n++] = sl_fwd_say_fd();
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		keep[n++] = fwd->end_port[e]->xsk.fd;
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		keep[n++] = fwd->workers[w].stop_fd;
		keep[n++] = fwd->workers[w].umem.fd;
	}
	qsort(keep, n, sizeof(*keep), compare);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < from)
			continue;
		if (keep[i] > from)
			close_range((unsigned int)from,
				    (unsigned int)keep[i] - 1, 0);
		from = keep[i] + 1;
	}
	close_range((unsigned int)from, ~0u, 0);
	free(keep);
	return 0;
}

static int tell(int channel, enum sl_channel_type type)
{
	const struct sl_channel_message message = { .type = type };

	return sl_channel_send(channel, &message, -1);
}

static int sandbox_enter(const struct sl_fwd *fwd)
{
	bool landlock;
	int err = sl_sandbox_enter(&landlock);

	if (err)
		sl_fwd_say_error("data plane", "give up privileges", err, NULL);
	else if (!landlock && !fwd->restarted)
		sl_fwd_say(
			"data plane: this kernel has no Landlock; seccomp alone keeps it from files");
	return err;
}

static int threads_start(struct sl_fwd *fwd)
{
	int err = sl_fwd_stages_start(&fwd->stages);

	for (uint32_t w = 0; w < fwd->n_workers && !err; w++) {
		err = sl_fwd_worker_start(&fwd->workers[w]);
		if (err)
			sl_fwd_say_error("worker", "start the thread", err,
					 NULL);
	}
	return err;
}

static void refresh(struct sl_fwd *fwd)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		fwd->end_port[e]->ops->stats(fwd->end_port[e]);
}

static void moment(struct sl_fwd *fwd, struct sl_handover_stop *now)
{
	refresh(fwd);
	*now = (struct sl_handover_stop){ .ns = clock_ns() };
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_port *port = fwd->end_port[e];

		now->lost +=
			port->kernel.rx_dropped + port->kernel.rx_ring_full;
	}
}

static void handover_say(const struct sl_handover_stop *stop,
			 const struct sl_handover_stop *now)
{
	sl_fwd_say("handover: %llu us without a worker, %llu packets lost",
		   (unsigned long long)(now->ns - stop->ns) / 1000,
		   (unsigned long long)(now->lost - stop->lost));
}

/* Until the other one has stopped, or the agent has given it up, which is no failure of ours. */
static int standby(struct sl_fwd *fwd, int channel,
		   struct sl_handover_stop *stop)
{
	struct sl_channel_message message;
	int record_fd = -1;
	int err = sl_handover_map(fwd);

	if (!err)
		err = tell(channel, SL_CHANNEL_STANDBY);
	if (!err)
		err = sl_channel_receive(channel, -1, &message, &record_fd);
	if (err)
		return err;
	if (message.type != SL_CHANNEL_ADOPT)
		return -EPROTO;
	return sl_handover_adopt(fwd, record_fd, stop);
}

static int plane_start(struct sl_fwd *fwd, const struct sl_plane_start *start)
{
	struct sl_handover_stop stop, now;
	int err = descriptors_close(fwd, start);

	if (!err)
		err = sl_fwd_stages_open(fwd);
	/* Else the first statistics would open /dev/urandom. */
	json_object_seed(0);
	if (!err)
		err = sandbox_enter(fwd);
	/* What another data plane has left is looked at without privileges. */
	if (!err && start->adopts)
		err = standby(fwd, start->channel, &stop);
	if (!err)
		err = threads_start(fwd);
	if (err)
		return err;
	if (start->adopts)
		moment(fwd, &now);
	err = sl_sandbox_seal(start->channel);
	if (err)
		sl_fwd_say_error("data plane", "install the seccomp filter",
				 err, "it needs CONFIG_SECCOMP_FILTER");
	if (!err && start->adopts)
		handover_say(&stop, &now);
	return err ? err : tell(start->channel, SL_CHANNEL_READY);
}

/*
 * What a zero-copy driver has taken, for reception or to send, comes back with the end of the
 * socket. So does a frame to send on a port without a link. In copy mode nothing holds a
 * frame for reception outside the rings, and one to send is back once the device has sent it:
 * what is missing there after the drain is not accounted for.
 */
static bool worker_account(const struct sl_fwd *fwd,
			   struct sl_fwd_worker *worker)
{
	char object[SL_FWD_END_NAME];
	bool whole = sl_umem_audit(&worker->umem);

	if (!whole)
		sl_fwd_say(
			"worker on CPU %d: ledger: %llu frames came back that were not out",
			worker->cpu,
			(unsigned long long)worker->umem.violations);
	for (uint32_t i = 0; i < worker->n_ports; i++) {
		struct sl_fwd_port *port = &worker->ports[i];

		port->unsent = port->tx_out;
		if (port->tx_out) {
			sl_fwd_say(
				"%s: %u frames were not sent within a second; is the other end "
				"receiving?",
				sl_fwd_end_name(fwd, port, object),
				port->tx_out);
			whole = whole && (port->xsk.zerocopy || port->down ||
					  !port->link);
		}
		if (!port->fill_out || port->xsk.zerocopy)
			continue;
		sl_fwd_say("%s: %u frames of the fill ring are missing",
			   sl_fwd_end_name(fwd, port, object), port->fill_out);
		whole = false;
	}
	if (worker->umem.count[SL_FRAME_RX] ||
	    worker->umem.count[SL_FRAME_STAGE])
		whole = false;
	return whole;
}

static void workers_stop(struct sl_fwd *fwd)
{
	for (uint32_t w = 0; w < fwd->n_workers; w++)
		sl_fwd_worker_stop(&fwd->workers[w]);
}

/* The sockets get no more packets by now. Takes every frame back; true if all are there. */
static bool plane_stop(struct sl_fwd *fwd)
{
	bool whole = true;

	workers_stop(fwd);
	sl_fwd_workers_drain(fwd->workers, fwd->n_workers);
	sl_fwd_stages_stop(&fwd->stages);
	refresh(fwd);
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		sl_fwd_worker_reclaim(&fwd->workers[w]);
		whole = worker_account(fwd, &fwd->workers[w]) && whole;
	}
	return whole;
}

/* 0 or -errno; `fd` is closed. */
static int stats_write(struct sl_fwd *fwd, bool json, bool accounted, int fd)
{
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int err;

	if (!out)
		return fd < 0 ? -EPROTO : -errno;
	err = sl_fwd_stats_print(fwd, json, accounted, out);
	return fclose(out) ? -EIO : err;
}

static void ports_set(struct sl_fwd *fwd,
		      const struct sl_channel_message *message)
{
	if (message->n > SL_CHANNEL_PORTS_MAX ||
	    message->first > fwd->plan.n_ends ||
	    message->n > fwd->plan.n_ends - message->first)
		return;
	for (uint32_t i = 0; i < message->n; i++) {
		struct sl_fwd_port *port = fwd->end_port[message->first + i];

		__atomic_store_n(&port->link,
				 message->port[i] & SL_CHANNEL_LINK,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&port->busy_poll,
				 message->port[i] & SL_CHANNEL_POLL,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&port->busy_seen,
				 message->port[i] & SL_CHANNEL_SEEN,
				 __ATOMIC_RELAXED);
		port->deferred = message->port[i] & SL_CHANNEL_DEFERRED;
	}
}

static void pressure_set(struct sl_fwd *fwd,
			 const struct sl_channel_message *message)
{
	if (message->value >= 0 && (uint32_t)message->value < fwd->n_workers)
		__atomic_store_n(&fwd->workers[message->value].pressure,
				 (uint32_t)message->count, __ATOMIC_RELAXED);
}

/* The first worker that has not ended a round since this was asked last; -1: none. */
static int32_t workers_stuck(struct sl_fwd *fwd)
{
	int32_t stuck = -1;

	for (uint32_t w = fwd->n_workers; w-- > 0;) {
		struct sl_fwd_worker *worker = &fwd->workers[w];
		uint32_t rounds = __atomic_load_n(&worker->ledger.sequence,
						  __ATOMIC_RELAXED);

		if (rounds == worker->rounds_seen)
			stuck = (int32_t)w;
		worker->rounds_seen = rounds;
	}
	return stuck;
}

/* Carries a message out, and closes `fd`. True if it was the last one. */
static bool message_do(struct sl_fwd *fwd, int channel,
		       const struct sl_channel_message *message, int fd)
{
	struct sl_channel_message answer = { .type = SL_CHANNEL_DONE };
	struct sl_handover_stop stop;
	int32_t whole;

	switch (message->type) {
	case SL_CHANNEL_PORTS:
		ports_set(fwd, message);
		return false;
	case SL_CHANNEL_PRESSURE:
		pressure_set(fwd, message);
		return false;
	case SL_CHANNEL_MIRROR:
		if (message->first < fwd->stages.n)
			sl_fwd_mirror_move(&fwd->stages.stages[message->first],
					   message->value);
		return false;
	case SL_CHANNEL_TALLY:
		if (message->value >= 0 &&
		    (uint32_t)message->value < fwd->n_ifaces)
			fwd->ifaces[message->value].tally = message->tally;
		return false;
	case SL_CHANNEL_TURNS:
		answer.value = workers_stuck(fwd);
		break;
	case SL_CHANNEL_STATS:
		refresh(fwd);
		answer.value = stats_write(fwd, message->value,
					   sl_fwd_stats_accounted(fwd), fd);
		break;
	case SL_CHANNEL_STOP:
		whole = plane_stop(fwd);
		answer.value = stats_write(fwd, message->value, whole, fd);
		if (!answer.value)
			answer.value = whole;
		break;
	case SL_CHANNEL_HOLD:
		moment(fwd, &stop);
		workers_stop(fwd);
		answer.value = sl_handover_record(fwd, &stop, fd);
		break;
	default:
		answer.value = -EPROTO;
	}
	sl_channel_send(channel, &answer, -1);
	return message->type == SL_CHANNEL_STOP ||
	       message->type == SL_CHANNEL_HOLD;
}

static void plane_serve(struct sl_fwd *fwd, int channel)
{
	struct sl_channel_message message;
	bool last = false;

	while (!last) {
		int fd = -1;
		int err = sl_channel_receive(channel, WATCH_MS, &message, &fd);

		if (!err)
			last = message_do(fwd, channel, &message, fd);
		else if (err == -EPIPE)
			return; /* the agent is gone, and this process about to be */
		sl_fwd_stages_watch(&fwd->stages);
	}
	sl_fwd_stages_close(&fwd->stages);
}

void sl_plane_run(struct sl_fwd *fwd, const struct sl_plane_start *start)
{
	int err = plane_start(fwd, start);

	/* _exit(): what the agent has in its buffers is its own to print. */
	if (err)
		_exit(err == -EDOM ? SL_PLANE_INPUT : SL_PLANE_SYSTEM);
	plane_serve(fwd, start->channel);
	_exit(SL_PLANE_DONE);
}
