/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `limit`: does a packet conform to the rate? No map, no section: the same code
 * is compiled for the kernel and, by tests, for the host.
 *
 * A bucket is one word, the time up to which it is in debt (GCRA: ITU-T I.371,
 * annex A, the virtual scheduling algorithm). A packet costs a time, one
 * second divided by the rate; it conforms if its cost, put on top of the debt
 * (none if that time has passed), is within the burst, and then is. One
 * compare-and-exchange writes the word, so no CPU ever sees half of it, and
 * there is no lock. Who loses the race tries again with what the winner wrote,
 * SL_LIMIT_TRIES times in all; a packet that lost every time is refused, which
 * leaves its tokens to the next.
 *
 * Not per source, a CPU claims tokens in batches (10 us worth, at most a 16th
 * of the burst over all CPUs) and spends them from memory of its own. Claims
 * are paid for, so they never expire: what passes in a time t is at most
 * rate * t + burst + what the CPUs held when it began.
 *
 * The clock costs 37 ns here, jiffies 1 ns (BPF_PROG_TEST_RUN; the coarse clock
 * 17). So a CPU goes on with the time that it last read, within the jiffy, for
 * a number of packets that doubles (to SL_LIMIT_QUOTA_MAX) as long as they took
 * at most stale_ns, a 32nd of the burst, and falls to none when they took
 * longer. A clock that lags refuses what already conforms, which loses nothing:
 * the time that it did not see is unspent when it does, for a burst is longer.
 * And it may give a burst that much more. A refusal is remembered too, up to
 * when it can change (retry_ns), so a flood seldom looks at the bucket.
 *
 * A program that interrupts another on the same CPU (XDP in softirq, and
 * BPF_PROG_TEST_RUN) may undo what the other did to sl_limit_cpu: a batch, or
 * one reading of the clock.
 *
 * Per source, the buckets are the ways of a set-associative table. The source's
 * hash (keyed, so that nobody can aim at a line) picks the line and a tag of 24
 * bits; two sources that share both (one pair in 2^24 of a line) share a
 * bucket. A new source takes an idle way: a bucket without debt is the same as
 * none, so nothing is lost. If all ways are in debt it takes the one with the
 * least, and that is counted. A spoofed flood, whose sources owe one packet
 * each, so evicts its own; a source at its limit owes a whole burst and stays.
 * An evicted source is forgiven what it owed, less than anybody else in the
 * line. Refusing the newcomer instead would let a flood shut out everybody.
 *
 * Times wrap at 40 bits. A time ahead of now by more than any debt (window) is
 * one long past; an idle source may look indebted once in 2^40 units (13
 * days at 1,000 pps, 5 minutes at 5 Mpps) for as long as a burst.
 */
#ifndef SLUICE_XDP_LIMIT_H
#define SLUICE_XDP_LIMIT_H

#include "packet.h"
#include "sluice/limit.h"

/* The host's tests bring clocks of their own. */
#ifndef SL_LIMIT_CLOCK_NS
#define SL_LIMIT_CLOCK_NS() bpf_ktime_get_ns()
#define SL_LIMIT_JIFFIES() bpf_jiffies64()
#endif

/* A try is lost only to a CPU that paid in between, so a few do. */
#define SL_LIMIT_TRIES 4

/* One packet in 32 reads the clock: 1 ns each. A power of two, less one. */
#define SL_LIMIT_QUOTA_MAX 31

/* The time, late by no more than the limiter stands. */
static __always_inline __u64 sl_limit_now(const struct sl_limiter *l,
					  struct sl_limit_cpu *cpu)
{
	__u64 now, jiffies = SL_LIMIT_JIFFIES();
	__u32 left = cpu->left;

	if (left && jiffies == cpu->jiffies) {
		cpu->left = left - 1;
		return cpu->now_ns;
	}
	now = SL_LIMIT_CLOCK_NS();
	if (now - cpu->now_ns <= l->stale_ns)
		cpu->quota = (cpu->quota * 2 + 1) & SL_LIMIT_QUOTA_MAX;
	else
		cpu->quota = 0;
	cpu->left = cpu->quota;
	cpu->jiffies = jiffies;
	cpu->now_ns = now;
	return now;
}

static __always_inline __u64 sl_limit_cost(const struct sl_limiter *l,
					   __u64 tokens)
{
	return (tokens * l->mult) >> (l->cost_shift & 63);
}

/*
 * Claims a batch, or what the packet lacks if that is more. A refusal is
 * remembered up to when the smallest claim would succeed, so it is never wrong
 * for a packet of another size.
 */
static __always_inline bool sl_limit_claim(const struct sl_limiter *l,
					   struct sl_limit_cpu *cpu,
					   struct sl_limit_line *line,
					   __u64 tokens)
{
	__u64 credit = cpu->credit, take = tokens - credit;
	__u64 now = sl_limit_now(l, cpu), cost, tat;

	if (cpu->retry_ns > now)
		return false;
	if (take < l->batch)
		take = l->batch;
	cost = sl_limit_cost(l, take);
	tat = *(volatile __u64 *)&line->way[0];
#pragma GCC unroll 4
	for (int i = 0; i < SL_LIMIT_TRIES; i++) {
		__u64 start = tat > now ? tat : now, seen;

		if (start + cost > now + l->reach) {
			if (tat + l->batch_cost > now + l->reach)
				cpu->retry_ns = tat + l->batch_cost - l->reach;
			return false;
		}
		seen = __sync_val_compare_and_swap(&line->way[0], tat,
						   start + cost);
		if (seen == tat) {
			cpu->credit = credit + take - tokens;
			return true;
		}
		tat = seen;
	}
	return false;
}

/* The source's hash: its line in the top bits, its tag in bits 16 to 39. */
static __always_inline __u64 sl_limit_hash(const struct sl_limiter *l,
					   const __u64 src[2], __u32 family)
{
	bool ip6 = family == SL_FAMILY_IP6;
	__u64 a = src[0] & (ip6 ? l->mask6[0] : l->mask4);
	__u64 b = ip6 ? src[1] & l->mask6[1] : 0;
	__u64 h;

	/* NH (RFC 4418, 5.2) of the four words, then multiply-shift. */
	h = (__u64)((__u32)(a >> 32) + l->keys[0]) * ((__u32)a + l->keys[1]);
	h += (__u64)((__u32)(b >> 32) + l->keys[2]) * ((__u32)b + l->keys[3]);
	h += (__u64)family << 33;
	return (h ^ h >> 32) * l->key;
}

/*
 * The line of sl_limit_lines that sl_limit_conforms() needs. *hash is for it,
 * too. A packet that is not IP has the source 0 of a family of its own.
 */
static __always_inline __u32 sl_limit_locate(const struct sl_limiter *l,
					     const __u64 src[2], __u32 family,
					     __u64 *hash)
{
	*hash = 0;
	if (!(l->flags & SL_LIMIT_PER_SOURCE))
		return l->line;
	*hash = sl_limit_hash(l, src, family);
	/* Two shifts, because one by 64 (a single line) is undefined. */
	return l->line + (__u32)(*hash >> 1 >> ((l->line_shift - 1) & 63));
}

/* A word's debt; where it cannot be one, none. */
static __always_inline __u64 sl_limit_debt(const struct sl_limiter *l,
					   __u64 word, __u64 time)
{
	__u64 debt = (word - time) & SL_LIMIT_TIME_MASK;

	/* No branch: a flood of sources would mispredict it (10 ns a packet). */
	return debt & ~((__s64)(l->window - debt) >> 63);
}

/* The index of the way of this tag, else of the one with the least debt. */
static __always_inline __u32 sl_limit_find(const struct sl_limiter *l,
					   const struct sl_limit_line *line,
					   __u64 tag, __u64 time)
{
	__s64 least = (__s64)(~0ull >> 1);

#pragma GCC unroll 8
	for (__u32 i = 0; i < SL_LIMIT_WAYS; i++) {
		__u64 word = *(const volatile __u64 *)&line->way[i];
		__s64 less;

		if (word >> SL_LIMIT_TIME_BITS == tag)
			return i;
		less = (__s64)(sl_limit_debt(l, word, time) * SL_LIMIT_WAYS +
			       i) -
		       least;
		least += less & (less >> 63);
	}
	return (__u32)least & (SL_LIMIT_WAYS - 1);
}

static __always_inline bool sl_limit_source(const struct sl_limiter *l,
					    struct sl_limit_cpu *cpu,
					    struct sl_limit_line *line,
					    __u64 hash, __u64 tokens)
{
	__u64 time = sl_limit_now(l, cpu) * 16 >> (l->unit_shift & 63);
	__u64 tag = hash << 24 >> SL_LIMIT_TIME_BITS;
	__u64 cost = sl_limit_cost(l, tokens);
	__u32 index = sl_limit_find(l, line, tag, time);
	__u64 *way = &line->way[index & (SL_LIMIT_WAYS - 1)];
	__u64 word = *(volatile __u64 *)way;

#pragma GCC unroll 4
	for (int i = 0; i < SL_LIMIT_TRIES; i++) {
		__u64 debt = sl_limit_debt(l, word, time), evicted = 0;
		__u64 next = tag << SL_LIMIT_TIME_BITS, seen;

		if (word >> SL_LIMIT_TIME_BITS != tag) {
			evicted = debt;
			debt = 0;
		}
		if (debt + cost > l->reach)
			return false;
		next |= (time + debt + cost) & SL_LIMIT_TIME_MASK;
		seen = __sync_val_compare_and_swap(way, word, next);
		if (seen == word) {
			if (evicted)
				cpu->evicted++;
			return true;
		}
		/*
		 * Another source has just taken this way: let the packet pass
		 * unrecorded, as if it had been evicted at once.
		 */
		if (seen >> SL_LIMIT_TIME_BITS != tag)
			return true;
		word = seen;
	}
	return false;
}

/*
 * True: the packet conforms, and is paid for; go on with the next rule. False:
 * drop it. `cpu` is the entry of sl_limit_cpus of the limiter's slot, `line`
 * that of sl_limit_locate(), which also gave `hash`.
 */
static __always_inline bool sl_limit_conforms(const struct sl_limiter *l,
					      struct sl_limit_cpu *cpu,
					      struct sl_limit_line *line,
					      __u64 hash, __u32 frame_bytes)
{
	__u64 tokens = l->flags & SL_LIMIT_BYTES ? frame_bytes : 1;
	__u64 credit = cpu->credit;

	if (l->flags & SL_LIMIT_PER_SOURCE)
		return sl_limit_source(l, cpu, line, hash, tokens);
	if (credit < tokens)
		return sl_limit_claim(l, cpu, line, tokens);
	cpu->credit = credit - tokens;
	return true;
}

#endif /* SLUICE_XDP_LIMIT_H */
