// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "deferral.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "forwarder.h"
#include "lib/config.h"
#include "lib/error.h"
#include "lib/tune.h"
#include "say.h"

/*
 * The kernel's own example for preferred busy polling (Documentation/networking/napi.rst). At 100
 * kpps a poll then brings 20 packets or more; a packet waits 200 us at most for its poll where
 * nobody polls busily. Longer saves little: 20 are 1/20 of the polls.
 */
#define DEFER_DEFAULT 2u
#define TIMEOUT_DEFAULT_NS 200000u
/*
 * Of a device without rings that ethtool could tell of: veth. Its queue has 256 places, which a
 * sender in the kernel fills in some 50 us. With 200 us bursts of 300 packets overran it, 0.02 to
 * 0.2 % of them, and without deferral none. Packets that come evenly, 100 a millisecond, are 5 in
 * a poll then.
 */
#define TIMEOUT_SHORT_NS 50000u
/*
 * For `busy` where the worker runs NAPI itself. A poll that is not preferred (busy.h) ends with a
 * second one that finds what came meanwhile, so mostly nothing, and counts one down
 * (busy_poll_stop(), net/core/dev.c): at a million polls a second 10,000 leave 100 interrupts,
 * 1,000 ten times as many. A preferred one begins anew, and only a worker that is displaced counts.
 * With 2, e1000e in a guest had 22 to 27 for 1,000 packets, and has none now; virtio_net, not
 * preferred, 3.4 with 100, 0.16 now.
 * A packet waits for the worker's next poll, and while the worker is displaced 200 us at most; the
 * price is a timer that polls for up to 2 s then. Where nobody polls, packets would wait for it all
 * that time, not for 400 us (veth, 1,000 a second: 240 us in place of 20), so neither a port that
 * was refused nor `adaptive`, which sleeps, has it.
 */
#define DEFER_DRIVEN 10000u

#define OWNER_BYTES 32

static void owner(char text[OWNER_BYTES])
{
	snprintf(text, OWNER_BYTES, "forwarder %d", (int)getpid());
}

struct values {
	uint64_t defer, timeout_ns; /* both 0: none */
};

/*
 * In copy mode sendto() fills the device's own ring, and its room comes back by the NAPI that
 * would be deferred: a burst longer than the ring was dropped as tx_full (e1000e, 256 entries,
 * `busy`: 1,026 of 6,224, without deferral 0). In zero-copy mode the driver takes from our ring, and packets wait there.
 */
static bool costs(const struct sl_fwd *fwd, uint32_t iface)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		if (fwd->end_port[e]->iface == iface &&
		    !fwd->end_port[e]->xsk.zerocopy)
			return fwd->ifaces[iface].tx_ring;
	return false;
}

/* Whether a worker runs the NAPI of a queue of the interface, or is seen whether it does. */
static bool driven(const struct sl_fwd *fwd, uint32_t iface)
{
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++)
		if (fwd->end_port[e]->iface == iface &&
		    (fwd->end_port[e]->busy == SL_BUSY_TRIAL ||
		     fwd->end_port[e]->busy == SL_BUSY_SEEN))
			return true;
	return false;
}

/*
 * Unless it is told to, `sleep` does not defer, as latency goes first there, and no mode does where
 * it costs packets.
 */
static struct values values(const struct sl_fwd *fwd, uint32_t iface)
{
	const struct sl_forwarder *config = fwd->config;
	struct values v = { config->poll_defer, config->poll_timeout_ns };

	if (!v.defer && !v.timeout_ns &&
	    (config->poll == SL_POLL_SLEEP || costs(fwd, iface)))
		return v;
	if (!v.defer)
		v.defer = config->poll == SL_POLL_BUSY && driven(fwd, iface) ?
				  DEFER_DRIVEN :
				  DEFER_DEFAULT;
	if (!v.timeout_ns)
		v.timeout_ns = fwd->ifaces[iface].tx_ring ? TIMEOUT_DEFAULT_NS :
							    TIMEOUT_SHORT_NS;
	return v;
}

static void refused_say(struct sl_fwd *fwd, const char *name, int err,
			uint64_t now, const struct sl_error *error)
{
	if (fwd->busy.told_deferral)
		return;
	fwd->busy.told_deferral = true;
	if (err == -EBUSY)
		sl_fwd_say("%s: defer interrupts: `sluice tune` holds the "
			   "setting at %" PRIu64 ", which stays",
			   name, now);
	else if (error->text[0])
		sl_fwd_say_of(name, "defer interrupts: %s", error->text);
	else
		sl_fwd_say_error(name, "defer interrupts", err, NULL);
}

static void locked_say(struct sl_fwd *fwd, const struct sl_error *error)
{
	if (!fwd->busy.told_locked)
		sl_fwd_say_of("deferral", "%s; it is tried again", error->text);
	fwd->busy.told_locked = true;
}

/* One setting at one place. 1: it holds `value`; 0: another; or -errno. */
static int hold(struct sl_fwd *fwd, const char *name,
		const struct sl_tune_key *key, uint64_t value)
{
	struct sl_error error = { 0 };
	char who[OWNER_BYTES];
	uint64_t now = 0;
	int err;

	owner(who);
	err = sl_tune_hold(name, key, value, who, &now, &error);
	if (!err)
		return 1;
	if (err == -EOPNOTSUPP && key->unit != SL_TUNE_INTERFACE)
		return err;
	if (err == -EAGAIN) {
		locked_say(fwd, &error);
		return err;
	}
	refused_say(fwd, name, err, now, &error);
	return err == -EBUSY ? now == value : err;
}

/* Both settings of a queue's NAPI, or of the interface. The same. */
static int hold_both(struct sl_fwd *fwd, const char *name,
		     struct sl_tune_key key, const struct values *v)
{
	int timeout, defer;

	key.setting = SL_TUNE_FLUSH;
	timeout = hold(fwd, name, &key, v->timeout_ns);
	if (timeout < 0)
		return timeout;
	key.setting = SL_TUNE_DEFER;
	defer = hold(fwd, name, &key, v->defer);
	return defer < 0 ? defer : defer && timeout;
}

static int iface_hold(struct sl_fwd *fwd, uint32_t i, const struct values *v)
{
	const struct sl_fwd_iface *iface = &fwd->ifaces[i];
	struct sl_tune_key key = { .unit = SL_TUNE_RX };
	int all = 1;

	for (key.queue = 0; key.queue < iface->rx_queues; key.queue++) {
		int held = hold_both(fwd, iface->name, key, v);

		if (held == -EOPNOTSUPP) {
			key = (struct sl_tune_key){ .unit = SL_TUNE_INTERFACE };
			return hold_both(fwd, iface->name, key, v);
		}
		if (held < 0)
			return held;
		all = all && held;
	}
	return all;
}

static bool all_defer(const struct sl_fwd *fwd)
{
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		if (!values(fwd, i).defer)
			return false;
	return true;
}

/* What others have left. 0, or -EAGAIN. */
static int left_release(struct sl_fwd *fwd)
{
	struct sl_error error = { 0 };
	char who[OWNER_BYTES];
	int err;

	owner(who);
	/* Before anything of ours a PID may have been another's, as in a container. */
	err = sl_tune_release_dead(fwd->restarted ? NULL : who, &error);
	if (err == -EAGAIN) {
		locked_say(fwd, &error);
		return err;
	}
	if (err)
		sl_fwd_say_of("deferral", "give back what is left: %s",
			      error.text);
	if (fwd->restarted && !all_defer(fwd))
		sl_fwd_deferral_release(fwd);
	fwd->busy.released = true;
	return 0;
}

/* False: the lock is another's, for this and for all others. */
static bool iface_defer(struct sl_fwd *fwd, uint32_t i)
{
	struct sl_fwd_iface *iface = &fwd->ifaces[i];
	const struct values v = values(fwd, i);
	int held;

	if (iface->gone || !iface->up) {
		iface->deferred = iface->asked = false;
		return true;
	}
	if (iface->asked && iface->defer == v.defer)
		return true;
	iface->asked = true;
	iface->defer = v.defer;
	if (!v.defer) {
		if (fwd->config->poll != SL_POLL_SLEEP && !fwd->restarted)
			sl_fwd_say(
				"%s: interrupts not deferred: in copy mode that takes room to "
				"send; 'defer' or 'timeout' does it all the same",
				iface->name);
		return true;
	}
	fwd->busy.held = true;
	held = iface_hold(fwd, i, &v);
	iface->asked = held != -EAGAIN;
	iface->deferred = held > 0;
	if (iface->deferred && !fwd->restarted)
		sl_fwd_say("%s: interrupts deferred: %" PRIu64
			   " empty polls, %" PRIu64 " us",
			   iface->name, v.defer, v.timeout_ns / 1000);
	return iface->asked;
}

void sl_fwd_deferral_hold(struct sl_fwd *fwd)
{
	if (!fwd->busy.released && left_release(fwd))
		return;
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		if (!iface_defer(fwd, i))
			return;
}

void sl_fwd_deferral_release(struct sl_fwd *fwd)
{
	struct sl_error error = { 0 };
	char who[OWNER_BYTES];
	int err;

	owner(who);
	err = sl_tune_release(who, &error);
	/* Else once more at the end. */
	fwd->busy.held = err;
	if (err)
		sl_fwd_say_of("deferral", "give back: %s", error.text);
	for (uint32_t i = 0; i < fwd->n_ifaces; i++)
		fwd->ifaces[i].deferred = fwd->ifaces[i].asked = false;
}
