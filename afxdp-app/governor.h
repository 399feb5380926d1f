/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `poll adaptive`: whether a worker sleeps between packets or looks for them all the time. A pure
 * function from what was and what is seen to what is done, so that recorded traffic can be
 * played to it (tests/unit/traces). The worker asks it about once a millisecond of work, and
 * after each sleep.
 *
 *               RISE windows at GOVERNOR_UP_PPMS, or
 *               pressure, where NAPI is ours to run
 *        SLEEP -----------------------------------------> POLL
 *              <-----------------------------------------
 *               below GOVERNOR_DOWN_PPMS, or no packet at all,
 *               for `stay_ns`; or pressure, where it is not
 *
 * Two thresholds keep a steady rate from going back and forth, at whichever it lies. What does
 * go back and forth (bursts with pauses between them) doubles stay_ns each time it comes back
 * soon, so the pauses are polled through; a long sleep forgets that.
 *
 * Pressure (lib/pressure.h) is softirq work that waits for the worker's CPU. Where a busy poll
 * runs NAPI in the worker, polling takes that work over, and the figure falls to 0 because of
 * it: so it never ends a POLL there. Elsewhere a worker that spins takes the CPU from
 * ksoftirqd, which brings it its packets: there it sleeps until the pressure is gone.
 */
#ifndef SLUICE_FWD_GOVERNOR_H
#define SLUICE_FWD_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Packets a millisecond. A packet that wakes a worker costs a system call, a wakeup and an
 * interrupt, some 8 us together; at 64 in a millisecond that is half a CPU, and a whole one
 * that polls answers sooner. Higher leaves more of the middle to sleep and its latency.
 */
#define SL_GOVERNOR_UP_PPMS 64u
/* Half of it: wider than the noise of a steady rate in windows of a millisecond. */
#define SL_GOVERNOR_DOWN_PPMS 32u
/* Windows in a row: one may be a single burst, a third would only come later. */
#define SL_GOVERNOR_RISE 2u
/*
 * How long it polls on without enough packets, at first and at most, and after what sleep it is
 * the first again. The first is some tens of sleeps' worth of wakeups; the most bounds what a
 * pattern that fools it burns, to a second after each burst.
 */
#define SL_GOVERNOR_STAY_NS 10000000ull
#define SL_GOVERNOR_STAY_MAX_NS 1000000000ull
#define SL_GOVERNOR_CALM_NS 2000000000ull
/* Thousandths. A CPU half of whose packets wait; and one where hardly any do. */
#define SL_GOVERNOR_PRESSED 500u
#define SL_GOVERNOR_RELIEVED 100u

struct sl_governor {
	bool polling;
	bool relieving; /* spun on a CPU that ksoftirqd needs: not before relief */
	uint32_t high;	    /* windows in a row over the upper threshold */
	uint64_t asleep_ns; /* when it last went to sleep */
	uint64_t enough_ns; /* when there last was traffic enough to poll */
	uint64_t stay_ns;
	uint64_t transitions; /* both ways */
};

/* What a worker saw between the last sample and this one. */
struct sl_governor_sample {
	uint64_t now_ns;     /* any clock that does not go back */
	uint64_t elapsed_ns; /* more than 0 */
	uint64_t packets;
	uint32_t pressure; /* of the worker's CPU, thousandths */
	bool drives; /* a busy poll runs NAPI here: at least one port was seen to */
};

/* The state to begin with: asleep. */
void sl_governor_init(struct sl_governor *governor, uint64_t now_ns);

/* Whether to poll from here on. No system call, no clock of its own. Any one thread. */
bool sl_governor_step(struct sl_governor *governor,
		      const struct sl_governor_sample *sample);

#endif /* SLUICE_FWD_GOVERNOR_H */
