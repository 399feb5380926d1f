/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From one rule that matches to the next: the answer of a lookup decides, or
 * names a step that has conditions of its own or lets the packet go on.
 */
#ifndef SLUICE_XDP_SEARCH_H
#define SLUICE_XDP_SEARCH_H

#include "classify.h"
#include "counting.h"
#include "limit.h"
#include "log.h"
#include "maps.h"

static __always_inline bool open_tables(struct sl_tables *t)
{
	__u32 zero = 0;

	t->gen = &sl_gen;
	t->base = bpf_map_lookup_elem(&sl_tables, &zero);
	return t->base;
}

/*
 * Global, so that the verifier checks its loop once, by itself. The price is a
 * call (10 ns with return thunks), which only a miss in the cache pays.
 */
__noinline __u32 sl_find_answer(__u64 low, __u64 high, __u32 from)
{
	const struct sl_key key = { { low, high } };
	struct sl_tables t;
	__u32 position, answer = SL_MATCH_NONE;

	if (!sl_gen.words || sl_gen.dense || !open_tables(&t))
		return SL_MATCH_NONE;
	position = sl_first_match(&t, &key, from);
	if (position < SL_RULES_MAX)
		sl_table_u32(&t, sl_gen.answers + (__u64)position * 4, &answer);
	return answer;
}

/* This CPU's set of the cache that may hold the key's answer. */
static __always_inline __u64 *cache_set(__u64 set)
{
	__u64 cpu = bpf_get_smp_processor_id();
	__u32 zero = 0;
	__u8 *cache = bpf_map_lookup_elem(&sl_cache, &zero);

	SL_KEEP(cpu); /* compared and used in one register: see Linux 6.1 */
	if (!cache || cpu >= sl_gen.cache_cpus)
		return NULL;
	return (void *)(cache + (((__u64)cpu << (sl_gen.cache_bits & 31)) +
				 set) * (SL_CACHE_WAYS * sizeof(__u64)));
}

/* What the rules from `from` on say; `resume` is the number of that start. */
static __always_inline __u32 lookup(const struct sl_tables *t,
				    const struct sl_key *key, __u32 from,
				    __u32 resume)
{
	__u64 number = key->word[0] + resume * sl_gen.keys;
	struct sl_cache_place place;
	__u32 answer = SL_MATCH_NONE;
	__u64 *set;

	if (sl_gen.dense) {
		sl_table_u32(t, sl_gen.dense + number * 4, &answer);
		return answer;
	}
	if (!sl_gen.cache_bits)
		return sl_find_answer(key->word[0], key->word[1], from);
	place = sl_cache_place(&sl_gen, number);
	set = cache_set(place.set);
	if (!set)
		return sl_find_answer(key->word[0], 0, from); /* no such CPU */
	answer = sl_cache_find(set, place.tag);
	if (answer == SL_CACHE_MISS) {
		answer = sl_find_answer(key->word[0], 0, from) &
			 ((1u << SL_MATCH_BITS) - 1);
		sl_cache_put(set, place.tag, answer);
	}
	return answer;
}

/* A search that passes from rule to rule. */
struct search {
	struct sl_key key;
	__u32 answer;
	__u32 frame_bytes;
	__u32 live_src, live_dst; /* the live sets that hold the addresses */
	__u32 limited;		  /* the answer's rule refused the packet */
	__u32 dry;		  /* a probe: nothing is counted */
	__u32 family;
	__u64 src[2];		  /* for limiters per source */
	struct sl_log_rules logs; /* last: only set where some rule logs */
};

static __always_inline void search_begin(struct search *s, __u32 frame_bytes,
					 bool dry)
{
	s->live_src = s->live_dst = 0;
	if (!(sl_gen.flags & SL_GEN_STEPS))
		return; /* what follows is for steps */
	s->limited = 0;
	s->frame_bytes = frame_bytes;
	s->dry = dry;
	if (sl_gen.flags & SL_GEN_LOGS)
		sl_log_begin(&s->logs);
}

static __always_inline const struct sl_step *step_at(const struct sl_tables *t,
						     __u32 answer)
{
	return (const void *)sl_table_at(
		t, sl_gen.steps +
			   (__u64)SL_MATCH_ID(answer) * sizeof(struct sl_step));
}

static __always_inline bool live_holds(__u32 wanted, __u32 found, bool not )
{
	return !wanted || !(wanted & found) == not ;
}

/* The conditions that are not in the tables. */
static __always_inline bool step_holds(const struct search *s,
				       const struct sl_step *step)
{
	if (sl_gen.flags & SL_GEN_LIVE) {
		if ((step->live_src || step->live_dst) &&
		    s->family == SL_FAMILY_NONE)
			return false;
		if (!live_holds(step->live_src, s->live_src,
				step->flags & SL_STEP_NOT_SRC) ||
		    !live_holds(step->live_dst, s->live_dst,
				step->flags & SL_STEP_NOT_DST))
			return false;
	}
	/* To a jiffy, which does: the exact clock costs 30 ns. */
	if (sl_gen.flags & SL_GEN_EXPIRES && step->expires_ns &&
	    bpf_ktime_get_coarse_ns() >= step->expires_ns)
		return false;
	return true;
}

/*
 * Is a packet of this source (as in struct sl_packet) over the limiter's rate?
 * If not, it pays. Global for the same reason as sl_find_answer().
 */
__noinline __u32 sl_limit_refuses(__u64 high, __u64 low, __u32 family,
				  __u32 limiter, __u32 frame_bytes)
{
	const __u64 src[2] = { high, low };
	struct sl_limit_line *line;
	struct sl_limit_cpu *cpu;
	struct sl_limiter *l;
	__u64 hash;
	__u32 key;

	if (!(sl_gen.flags & SL_GEN_LIMITS))
		return 0;
	l = bpf_map_lookup_elem(&sl_limiters, &limiter);
	cpu = bpf_map_lookup_elem(&sl_limit_cpus, &limiter);
	if (!l || !cpu)
		return 0; /* cannot be: the loader gave the slot */
	key = sl_limit_locate(l, src, family, &hash);
	line = bpf_map_lookup_elem(&sl_limit_lines, &key);
	return line && !sl_limit_conforms(l, cpu, line, hash, frame_bytes);
}

/* A limit rule counts what it refuses or, observing, would refuse. */
static __always_inline bool limit_ends(struct search *s,
				       const struct sl_step *step)
{
	if (!sl_limit_refuses(s->src[0], s->src[1], s->family, step->limiter,
			      s->frame_bytes))
		return false;
	if (!(step->flags & SL_STEP_OBSERVE)) {
		s->limited = 1;
		return true;
	}
	count_rule(step->slot, s->frame_bytes);
	return false;
}

/* Does the search end at this step, whose conditions hold? */
static __always_inline bool step_ends(struct search *s,
				      const struct sl_step *step)
{
	__u64 number;

	if (step->action == SL_STEP_VERDICT &&
	    !(step->flags & SL_STEP_OBSERVE)) {
		s->answer = SL_MATCH(SL_MATCH_VERDICT, SL_MATCH_ID(s->answer));
		return true;
	}
	if (s->dry)
		return false;
	if (sl_gen.flags & SL_GEN_LIMITS && step->action == SL_STEP_LIMIT)
		return limit_ends(s, step);
	number = count_rule(step->slot, s->frame_bytes);
	if (sl_gen.flags & SL_GEN_LOGS &&
	    sl_log_takes(step, number, sl_gen.nonce))
		sl_log_note(&s->logs, step->slot);
	return false;
}

/* One step of the search, for bpf_loop(): 1 ends it. */
static long take_step(__u32 turn __attribute__((unused)), struct search *s)
{
	const struct sl_step *step;
	struct sl_tables t;

	if (SL_MATCH_KIND(s->answer) != SL_MATCH_STEP || !open_tables(&t))
		return 1;
	step = step_at(&t, s->answer);
	if (!step || (step_holds(s, step) && step_ends(s, step)))
		return 1;
	s->answer = lookup(&t, &s->key, step->from, step->resume);
	return 0;
}

#endif /* SLUICE_XDP_SEARCH_H */
