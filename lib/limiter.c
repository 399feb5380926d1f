// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "limiter.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "config.h"

#define NS_PER_S 1000000000ull
#define RATE_MAX 1000000000000ull

/* A batch is worth this much time: one write to the shared word in 10 us. */
#define BATCHES_PER_S 100000
/* All CPUs' batches together are at most this part of the burst. */
#define BATCH_PART 16
#define BATCH_MAX (1u << 20)
/* The clock may lag by this part of the burst, or 1 ms. */
#define STALE_PART 32
#define STALE_MAX_NS 1000000

/* Tokens * mult stays in 64 bits up to 2^27 tokens. */
#define MULT_BITS 36
#define COST_SHIFT_MAX 40

/*
 * Per source: the smallest packet costs 512 units or more (so rounding costs
 * under 0.2 %), except where a unit would be under 1/16 ns; a burst and what
 * clocks lag (33 ms: three jiffies of the longest kind) fit half the range.
 */
#define UNITS_PER_NS 16
#define COST_UNITS_MIN 512
#define REACH_UNITS_MAX (1ull << (SL_LIMIT_TIME_BITS - 2))
#define REACH_NS_MAX (1ull << 60)
#define SLACK_NS (1ull << 25)
#define FRAME_BYTES_MIN 64

/* Half of the maps: the next configuration finds room beside this one. */
#define LIMITERS_WANTED_MAX (SL_LIMITERS_MAX / 2)
#define LINES_WANTED_MAX (SL_LIMITER_LINES_MAX / 2)

typedef unsigned __int128 u128;

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t sl_limiter_burst(const struct sl_action_spec *spec)
{
	if (spec->burst)
		return spec->burst;
	if (spec->rate.bits)
		return most(spec->rate.value / 80, 65536);
	return most(spec->rate.value / 10, 8);
}

uint32_t sl_limiter_lines(const struct sl_action_spec *spec)
{
	return spec->per_source ? SL_LIMITER_SOURCE_LINES : 1;
}

/* What `tokens` cost, in 2^-shift units of 2^unit_shift / 16 ns. */
static u128 cost(const struct sl_limiter *l, uint64_t tokens, unsigned shift)
{
	u128 units = (u128)tokens * NS_PER_S;

	if (l->flags & SL_LIMIT_BYTES)
		units *= 8;
	if (l->flags & SL_LIMIT_PER_SOURCE)
		units = units * UNITS_PER_NS >> l->unit_shift;
	return (units << shift) / l->rate;
}

/* The coarsest unit that COST_UNITS_MIN allows; coarser if the burst asks. */
static void choose_unit(struct sl_limiter *l)
{
	uint64_t smallest = l->flags & SL_LIMIT_BYTES ? FRAME_BYTES_MIN : 1;

	for (l->unit_shift = 0; l->unit_shift < 60; l->unit_shift++) {
		u128 reach = cost(l, l->burst, 0);

		if (cost(l, smallest, 0) < (u128)2 * COST_UNITS_MIN &&
		    reach + (SLACK_NS * UNITS_PER_NS >> l->unit_shift) <
			    REACH_UNITS_MAX)
			break;
	}
}

static void choose_cost(struct sl_limiter *l)
{
	l->cost_shift = 0;
	while (l->cost_shift < COST_SHIFT_MAX &&
	       cost(l, 1, l->cost_shift + 1) >> MULT_BITS == 0)
		l->cost_shift++;
	l->mult = (uint64_t)cost(l, 1, l->cost_shift);
}

static void choose_times(struct sl_limiter *l, unsigned cpus)
{
	uint64_t per_s = l->flags & SL_LIMIT_BYTES ? l->rate / 8 : l->rate;
	u128 reach = (u128)l->burst * l->mult >> l->cost_shift;
	u128 burst_ns = reach;

	l->reach = reach < REACH_NS_MAX ? (uint64_t)reach : REACH_NS_MAX;
	if (l->flags & SL_LIMIT_PER_SOURCE) {
		l->window = l->reach + 1 +
			    (SLACK_NS * UNITS_PER_NS >> l->unit_shift);
		burst_ns = (reach << l->unit_shift) / UNITS_PER_NS;
	} else {
		l->batch = least(per_s / BATCHES_PER_S,
				 l->burst / BATCH_PART / cpus);
		l->batch = most(least(l->batch, BATCH_MAX), 1);
		l->batch_cost = (l->batch * l->mult) >> l->cost_shift;
	}
	burst_ns /= STALE_PART;
	l->stale_ns = burst_ns < STALE_MAX_NS ? (uint64_t)burst_ns :
						STALE_MAX_NS;
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom generators). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The top `bits` of 64; more than 64 are all, under 0 none. */
static uint64_t mask(int bits)
{
	if (bits <= 0)
		return 0;
	return bits >= 64 ? ~0ull : ~0ull << (64 - bits);
}

static void choose_hash(struct sl_limiter *l, const struct sl_action_spec *spec,
			uint64_t secret)
{
	if (!spec->per_source)
		return;
	l->source4_bits = (uint32_t)spec->source4_bits;
	l->source6_bits = (uint32_t)spec->source6_bits;
	l->mask4 = mask(spec->source4_bits);
	l->mask6[0] = mask(spec->source6_bits);
	l->mask6[1] = mask(spec->source6_bits - 64);
	l->key = next_random(&secret) | 1;
	/* Odd: a product by 0 would make all sources one. */
	for (int i = 0; i < 4; i++)
		l->keys[i] = (uint32_t)next_random(&secret) | 1;
}

int sl_limiter_init(struct sl_limiter *l, const char *name,
		    const struct sl_action_spec *spec, unsigned cpus,
		    uint64_t secret)
{
	if (!spec->rate.value)
		return -EINVAL;
	if (spec->rate.value > RATE_MAX || strlen(name) >= sizeof(l->name))
		return -ERANGE;
	*l = (struct sl_limiter){ .rate = spec->rate.value,
				  .burst = sl_limiter_burst(spec),
				  .line_shift = 64 };
	memcpy(l->name, name, strlen(name));
	if (spec->rate.bits)
		l->flags |= SL_LIMIT_BYTES;
	if (spec->per_source)
		l->flags |= SL_LIMIT_PER_SOURCE;
	for (uint32_t n = sl_limiter_lines(spec); n > 1; n /= 2)
		l->line_shift--;
	if (spec->per_source)
		choose_unit(l);
	choose_cost(l);
	choose_times(l, cpus ? cpus : 1);
	choose_hash(l, spec, secret);
	return 0;
}

static uint32_t lines_of(const struct sl_limiter *l)
{
	return l->name[0] ? 1u << (64 - l->line_shift) : 0;
}

/* Do their buckets mean the same? Then all but the keys and `line` is equal. */
static bool same(const struct sl_limiter *a, const struct sl_limiter *b)
{
	return strcmp(a->name, b->name) == 0 && a->flags == b->flags &&
	       a->rate == b->rate && a->burst == b->burst &&
	       a->batch == b->batch && a->line_shift == b->line_shift &&
	       a->source4_bits == b->source4_bits &&
	       a->source6_bits == b->source6_bits;
}

static bool overlap(const struct sl_limiter *l, uint32_t line, uint32_t n)
{
	return l->line < line + n && line < l->line + lines_of(l);
}

/* The end of something in `used` among n lines from `line` on; 0: nothing. */
static uint32_t taken_to(const struct sl_limiter used[SL_LIMITERS_MAX],
			 uint32_t line, uint32_t n)
{
	for (size_t i = 0; i < SL_LIMITERS_MAX; i++)
		if (used[i].name[0] && overlap(&used[i], line, n))
			return used[i].line + lines_of(&used[i]);
	return 0;
}

static int place(struct sl_limiter used[SL_LIMITERS_MAX], uint32_t n_lines,
		 struct sl_limiter_want *want)
{
	uint32_t slot = 0, line = 0, end, n = lines_of(&want->limiter);

	while (slot < SL_LIMITERS_MAX && used[slot].name[0])
		slot++;
	if (slot == SL_LIMITERS_MAX)
		return -ENOSPC;
	while (line + n <= n_lines && (end = taken_to(used, line, n)) != 0)
		line = end;
	if (line + n > n_lines)
		return -ENOSPC;
	want->limiter.line = line;
	want->slot = slot;
	want->fresh = true;
	used[slot] = want->limiter;
	return 0;
}

uint32_t sl_limiter_find(const struct sl_limiter table[SL_LIMITERS_MAX],
			 const struct sl_limiter *limiter)
{
	uint32_t slot = 0;

	while (slot < SL_LIMITERS_MAX && !same(&table[slot], limiter))
		slot++;
	return slot;
}

int sl_limiters_place(const struct sl_limiter table[SL_LIMITERS_MAX],
		      uint32_t n_lines, struct sl_limiter_want *wanted,
		      size_t n_wanted)
{
	struct sl_limiter used[SL_LIMITERS_MAX];
	int err = 0;

	memcpy(used, table, sizeof(used));
	for (size_t i = 0; i < n_wanted && !err; i++) {
		uint32_t slot = sl_limiter_find(table, &wanted[i].limiter);

		if (slot == SL_LIMITERS_MAX) {
			err = place(used, n_lines, &wanted[i]);
			continue;
		}
		wanted[i].limiter = table[slot];
		wanted[i].slot = slot;
		wanted[i].fresh = false;
	}
	return err;
}

#define REMEDY                                                               \
	"; let fewer limit rules match more each (sets of addresses, lists " \
	"of ports)"

const char *sl_limiter_count(struct sl_limiter_sum *sum, uint32_t lines)
{
	_Static_assert(LIMITERS_WANTED_MAX == 64, "as the text says");
	_Static_assert(SL_LIMITER_SOURCE_LINES * sizeof(struct sl_limit_line) ==
				       1 << 20 &&
			       LINES_WANTED_MAX *
					       sizeof(struct sl_limit_line) ==
				       32 << 20,
		       "as the text says");

	if (sum->n_limiters == LIMITERS_WANTED_MAX)
		return "there are 64 limit rules before it, the most that a "
		       "configuration may have" REMEDY;
	if (sum->n_lines + lines > LINES_WANTED_MAX)
		return "with it the buckets of the limit rules are over 32 MiB, "
		       "the most that they may take; one `per source` takes "
		       "1 MiB" REMEDY;
	sum->n_limiters++;
	sum->n_lines += lines;
	return NULL;
}

const struct sl_rule *sl_limiter_count_rules(const struct sl_config *config,
					     struct sl_limiter_sum *sum,
					     const char **why)
{
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct sl_action_spec *spec = &config->rules[i].verdict;

		if (spec->action != SL_ACTION_LIMIT)
			continue;
		*why = sl_limiter_count(sum, sl_limiter_lines(spec));
		if (*why)
			return &config->rules[i];
	}
	return NULL;
}
