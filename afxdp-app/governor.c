// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "governor.h"

void sl_governor_init(struct sl_governor *governor, uint64_t now_ns)
{
	*governor = (struct sl_governor){ .asleep_ns = now_ns,
					  .enough_ns = now_ns,
					  .stay_ns = SL_GOVERNOR_STAY_NS };
}

static uint64_t ppms(const struct sl_governor_sample *sample)
{
	return sample->packets * 1000000ull / sample->elapsed_ns;
}

static void rise(struct sl_governor *governor, uint64_t now_ns)
{
	uint64_t slept_ns = now_ns - governor->asleep_ns;

	/* Back within the time that staying would have bridged. */
	if (governor->transitions && slept_ns < governor->stay_ns)
		governor->stay_ns *= 2;
	else if (slept_ns >= SL_GOVERNOR_CALM_NS)
		governor->stay_ns = SL_GOVERNOR_STAY_NS;
	if (governor->stay_ns > SL_GOVERNOR_STAY_MAX_NS)
		governor->stay_ns = SL_GOVERNOR_STAY_MAX_NS;
	governor->polling = true;
	governor->enough_ns = now_ns;
	governor->transitions++;
}

static void fall(struct sl_governor *governor, uint64_t now_ns)
{
	governor->polling = false;
	governor->asleep_ns = now_ns;
	governor->transitions++;
}

/* Whether ksoftirqd needs this CPU, and not us instead of it. */
static bool yields(struct sl_governor *governor,
		   const struct sl_governor_sample *sample)
{
	uint32_t bound = governor->relieving ? SL_GOVERNOR_RELIEVED :
					       SL_GOVERNOR_PRESSED;

	governor->relieving = !sample->drives && sample->pressure >= bound;
	return governor->relieving;
}

bool sl_governor_step(struct sl_governor *governor,
		      const struct sl_governor_sample *sample)
{
	uint64_t rate = ppms(sample);
	bool yield = yields(governor, sample);

	if (rate >= SL_GOVERNOR_UP_PPMS)
		governor->high++;
	else
		governor->high = 0;
	if (rate >= SL_GOVERNOR_DOWN_PPMS)
		governor->enough_ns = sample->now_ns;

	if (governor->polling) {
		if (yield ||
		    sample->now_ns - governor->enough_ns >= governor->stay_ns)
			fall(governor, sample->now_ns);
	} else if (!yield) {
		/* Pressure without a yield is where NAPI is ours to run. */
		if (governor->high >= SL_GOVERNOR_RISE ||
		    (sample->packets &&
		     sample->pressure >= SL_GOVERNOR_PRESSED))
			rise(governor, sample->now_ns);
	}
	return governor->polling;
}
