// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pace.h"

#include "burst.h"

/* Two holds long; a shorter one takes a burst for load, a longer one notices load later. */
#define WINDOW_NS (2 * SL_PACE_HOLD_NS)
/* As many as a round brings: waiting for more saves little, a call is 1/64 a packet by now. */
#define KICK_BATCH SL_BURST
/* What bunches leave over: more would let a trickle behind them be kicked packet by packet. */
#define CREDIT_MAX (2 * KICK_BATCH)
/* Of packets that come at random one in 150 (e^-5) is so late; of bunches, each first one. */
#define PAUSE_PACKETS 5u
/* The timer's slack: a shorter nap would be mostly that. From 1.3 Mpps on it spins. */
#define NAP_MIN_NS 50000ull

_Static_assert(SL_PACE_BATCH *WINDOW_NS / SL_PACE_LOAD == SL_PACE_HOLD_NS,
	       "a window is a millisecond");

void sl_pace_add(struct sl_pace *pace, uint32_t packets, uint64_t now_ns)
{
	if (!packets)
		return;
	pace->window_packets += packets;
	pace->packet_ns = now_ns;
	pace->credit += packets;
	if (pace->credit > CREDIT_MAX)
		pace->credit = CREDIT_MAX;
}

bool sl_pace_holds(const struct sl_pace *pace, uint32_t pending,
		   uint64_t since_ns, uint64_t now_ns)
{
	uint64_t held_ns = now_ns - since_ns;

	if (!pace->loaded || pending >= KICK_BATCH ||
	    held_ns >= SL_PACE_HOLD_NS)
		return false;
	return pace->credit < SL_PACE_BATCH ||
	       (held_ns < pace->hold_ns &&
		now_ns - pace->packet_ns < pace->pause_ns);
}

void sl_pace_kicked(struct sl_pace *pace)
{
	pace->credit -= pace->credit < SL_PACE_BATCH ? pace->credit :
						       SL_PACE_BATCH;
}

/* How long so many packets take to come, at most SL_PACE_HOLD_NS. */
static uint64_t gather_ns(uint64_t packets, uint64_t per_ms)
{
	uint64_t ns = packets * WINDOW_NS / (per_ms + 1);

	return ns < SL_PACE_HOLD_NS ? ns : SL_PACE_HOLD_NS;
}

uint64_t sl_pace_measure(struct sl_pace *pace, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - pace->window_start_ns;
	uint64_t per_ms;

	if (elapsed_ns < WINDOW_NS)
		return 0;
	per_ms = pace->window_packets * WINDOW_NS / elapsed_ns;
	pace->loaded = per_ms >=
		       (pace->loaded ? SL_PACE_LOAD_LEFT : SL_PACE_LOAD);
	pace->hold_ns = gather_ns(SL_PACE_BATCH, per_ms);
	pace->pause_ns = gather_ns(PAUSE_PACKETS, per_ms);
	/* Twice as many: a nap costs a wakeup besides. */
	pace->nap_ns = gather_ns(KICK_BATCH, per_ms);
	if (pace->nap_ns < NAP_MIN_NS)
		pace->nap_ns = 0;
	pace->seen = pace->window_packets;
	pace->window_start_ns = now_ns;
	pace->window_packets = 0;
	return elapsed_ns;
}
