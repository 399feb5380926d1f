/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Facts -> the first rule that matches (SL_MATCH_*): the lookup in the tables
 * that lib/compile.c makes.
 *
 *   fields -> classes       sl_locate(): tries and arrays, folded into groups
 *   classes -> key          one number
 *   key -> answer           dense: an array; else the cache, and on a miss
 *   classes -> answer       sl_first_match(): the conjunction of bit vectors
 *
 * No map and no section here: the tables are a pointer and the constants a
 * struct, so the host compiles the same code for tests and fuzzers. In the
 * kernel struct sl_gen is frozen, so the verifier knows its values and cuts
 * what these rules do not use.
 */
#ifndef SLUICE_XDP_CLASSIFY_H
#define SLUICE_XDP_CLASSIFY_H

#include "packet.h"

struct sl_tables {
	const volatile struct sl_gen *gen;
	const __u8 *base;
};

static __always_inline const __u8 *sl_table_at(const struct sl_tables *t,
					       __u64 offset)
{
	/* What the compare teaches must hold of the register that is added. */
	SL_KEEP(offset);
	if (offset > t->gen->table_last)
		return NULL;
	return t->base + offset;
}

/*
 * The loads say false for an offset that is not in the tables, which the
 * compiler never makes: the verifier then has one path to follow behind each
 * load, not one for the value and one for its stand-in.
 */
static __always_inline bool sl_table_u32(const struct sl_tables *t,
					 __u64 offset, __u32 *value)
{
	const __u8 *p = sl_table_at(t, offset);

	if (!p)
		return false;
	*value = *(const __u32 *)p;
	return true;
}

/*
 * One step down a trie: *entry is the offset of a node, and becomes the next
 * one's or a leaf (SL_TRIE_LEAF | class).
 */
static __always_inline bool sl_trie_step(const struct sl_tables *t,
					 __u32 *entry, const __u64 address[2],
					 bool two_words)
{
	const struct sl_trie_node *n = (const void *)sl_table_at(t, *entry);
	__u64 word;

	if (!n)
		return false;
	if ((address[0] ^ n->key[0]) & n->mask[0] ||
	    (two_words && (address[1] ^ n->key[1]) & n->mask[1])) {
		*entry = SL_TRIE_LEAF | n->miss;
		return true;
	}
	word = two_words && n->word ? address[1] : address[0];
	*entry = ((const __u32 *)(n + 1))[(word >> n->shift) & n->index_mask];
	return true;
}

static __always_inline bool sl_trie_lookup(const struct sl_tables *t,
					   __u32 root, const __u64 address[2],
					   bool ip6, __u32 *class_id)
{
	__u32 entry = root;

	for (int i = 0; i < (ip6 ? SL_TRIE_DEPTH6 : SL_TRIE_DEPTH_MAC); i++) {
		if (!sl_trie_step(t, &entry, address, ip6))
			return false;
		if (entry & SL_TRIE_LEAF)
			break;
	}
	*class_id = entry & ~SL_TRIE_LEAF;
	return true;
}

/* Entry `at` of the IPv4 array that begins at `offset`: see sluice/abi.h. */
static __always_inline __u64 sl_array4_entry(const struct sl_tables *t,
					     bool narrow, __u32 offset,
					     __u64 at)
{
	/* The verifier knows the offset, and from its mask how large `at` is. */
	const __u8 *array = t->base + offset;

	return narrow ? ((const __u32 *)array)[at] : ((const __u64 *)array)[at];
}

static __always_inline __u32
sl_array4_lookup(const struct sl_tables *t,
		 const volatile struct sl_gen_field *f, __u32 address)
{
	__u32 class_bits = f->class_bits4 & 63, bits = f->bits4 & 31;
	bool narrow = class_bits == SL_ARRAY4_CLASS_BITS;
	__u32 shift = 32 - SL_ARRAY4_ROOT_BITS;
	__u64 entry = sl_array4_entry(t, narrow, f->classes, address >> shift);
	__u64 all = entry;

#pragma GCC unroll 4
	for (int i = 0; i < SL_ARRAY4_STEPS; i++) {
		__u64 at = entry >> class_bits << SL_ARRAY4_STRIDE;

		if (i >= f->steps4)
			break;
		shift -= bits;
		at += (address >> (shift & 31)) & ((1u << bits) - 1);
		entry = sl_array4_entry(t, narrow, f->nodes4, at & f->mask4);
		all |= entry;
		bits = f->deeper4 & 31;
	}
	return all & ((1ull << class_bits) - 1);
}

static __always_inline bool
sl_address_class(const struct sl_tables *t, const struct sl_packet *p,
		 const volatile struct sl_gen_field *f, bool destination,
		 __u32 *class_id)
{
	const __u64 *address = destination ? p->dst : p->src;

	if (p->family == SL_FAMILY_IP6)
		return sl_trie_lookup(t, f->classes6, address, true, class_id);
	*class_id = p->family == SL_FAMILY_IP4 ?
			    sl_array4_lookup(t, f, address[0] >> 32) :
			    f->none;
	return true;
}

static __always_inline bool sl_mac_class(const struct sl_tables *t,
					 const struct sl_packet *p,
					 const volatile struct sl_gen_field *f,
					 bool destination, __u32 *class_id)
{
	__u64 mac[2] = { destination ? p->mac_dst : p->mac_src };

	*class_id = f->none;
	return !p->has_macs ||
	       sl_trie_lookup(t, f->classes, mac, false, class_id);
}

/* The class of a number; `value` above 65,535 stands for "not there". */
static __always_inline bool
sl_value_class(const struct sl_tables *t, const volatile struct sl_gen_field *f,
	       __u32 value, __u32 *class_id)
{
	__u32 page;

	if (value >= SL_FIELD_VALUES) {
		*class_id = f->none;
		return true;
	}
	if (!f->pages)
		return sl_table_u32(t, f->classes + (__u64)value * 4, class_id);
	/* The verifier knows where the numbers are and that there are 256. */
	page = ((const __u16 *)(t->base + f->pages))[(value >> 8) & 255];
	return sl_table_u32(
		t, f->classes + (__u64)((page << 8) | (value & 255)) * 4,
		class_id);
}

/*
 * The fields that are numbers. Those with few values have one for "not there"
 * that the tables know; the others become SL_FIELD_VALUES.
 */
static __always_inline __u32 sl_field_value(const struct sl_packet *p,
					    int field, bool live)
{
	switch (field) {
	case SL_FIELD_KIND:
		return p->family * SL_KIND_FAMILY + p->proto;
	case SL_FIELD_FLAGS:
		return p->flags;
	case SL_FIELD_ICMP:
		return p->has_icmp ? (__u32)p->icmp_type << 8 | p->icmp_code :
				     SL_FIELD_VALUES;
	case SL_FIELD_FRAGMENT:
		return p->fragment;
	case SL_FIELD_LIVE:
		return live;
	case SL_FIELD_DSCP:
		return p->dscp;
	case SL_FIELD_ETHERTYPE:
		return p->ethertype;
	case SL_FIELD_VLAN:
		return p->vlan;
	case SL_FIELD_INNER_VLAN:
		return p->inner_vlan;
	case SL_FIELD_LENGTH:
		return p->length;
	case SL_FIELD_SPORT:
		return p->has_ports ? p->sport : SL_FIELD_VALUES;
	default:
		return p->has_ports ? p->dport : SL_FIELD_VALUES;
	}
}

/* The packet's class in one field. */
static __always_inline bool sl_class(const struct sl_tables *t,
				     const struct sl_packet *p, int field,
				     bool live, __u32 *class_id)
{
	const volatile struct sl_gen_field *f = &t->gen->field[field];

	switch (field) {
	case SL_FIELD_SRC:
	case SL_FIELD_DST:
		return sl_address_class(t, p, f, field == SL_FIELD_DST,
					class_id);
	case SL_FIELD_MAC_SRC:
	case SL_FIELD_MAC_DST:
		return sl_mac_class(t, p, f, field == SL_FIELD_MAC_DST,
				    class_id);
	default:
		return sl_value_class(t, f, sl_field_value(p, field, live),
				      class_id);
	}
}

/*
 * One field's part in the key. *group is the class of the group so far; the
 * field that ends the group adds it to a word of the key.
 */
static __always_inline bool sl_fold(const struct sl_tables *t,
				    const struct sl_packet *p, int field,
				    bool live, __u64 unknown, __u32 *group,
				    __u64 *low, __u64 *high)
{
	const volatile struct sl_gen_field *f = &t->gen->field[field];
	__u32 c = 0;

	if (!f->used)
		return true;
	if (!sl_class(t, p, field, live, &c))
		return false;
	/* With and without the field: one path from here on, not two. */
	if (t->gen->flags & SL_GEN_FORGETS)
		SL_FORGET(c, unknown);
	if (f->combine &&
	    !sl_table_u32(
		    t, f->combine + ((__u64)*group * f->n_classes + c) * 4, &c))
		return false;
	*group = c;
	if (!f->weight)
		return true;
	if (!f->word) {
		*low += c * f->weight;
		SL_KEEP(*low); /* two branches, not one indexed store */
	} else {
		*high += c * f->weight;
	}
	return true;
}

/* `unknown`: a number that the verifier knows nothing of. */
static __always_inline bool sl_locate(const struct sl_tables *t,
				      const struct sl_packet *p, bool live,
				      __u64 unknown, struct sl_key *key)
{
	__u64 low = 0, high = 0;
	__u32 group = 0;

#pragma GCC unroll 16
	for (int field = 0; field < SL_FIELD_COUNT; field++)
		if (!sl_fold(t, p, field, live, unknown, &group, &low, &high))
			return false;
	*key = (struct sl_key){ { low, high } };
	return true;
}

/*
 * The index of the lowest set bit of x != 0. BPF has no such instruction: an
 * isolated bit times a de Bruijn sequence leaves a distinct number in the top
 * six bits (Leiserson, Prokop, Randall, "Using de Bruijn Sequences to Index a
 * 1 in a Computer Word", 1998).
 */
static const __u8 sl_debruijn[64] = {
	0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28,
	62, 5,	39, 46, 44, 42, 22, 9,	24, 35, 59, 56, 49, 18, 29, 11,
	63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10,
	51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

static __always_inline __u32 sl_lowest_bit(__u64 x)
{
	return sl_debruijn[((x & -x) * 0x022fdd63cc95386dULL >> 58) & 63];
}

/* The conjunction of one word of all groups' vectors. */
static __always_inline __u64
sl_conjunction(const struct sl_tables *t,
	       const __u64 *const vector[SL_GROUPS_MAX], __u64 word)
{
	__u64 bits = ~0ULL;

#pragma GCC unroll 8
	for (int g = 0; g < SL_GROUPS_MAX; g++)
		if ((__u32)g < t->gen->n_groups)
			bits &= vector[g][word];
	return bits;
}

/*
 * The position of the first rule from `from` on that matches what has this key,
 * or SL_SLOT_NONE. One turn looks at a word that all summaries name, or goes to
 * the next word of the summaries.
 */
static __always_inline __u32 sl_first_match(const struct sl_tables *t,
					    const struct sl_key *key,
					    __u32 from)
{
	const __u64 *vector[SL_GROUPS_MAX] = { NULL };
	__u32 lead = t->gen->summary_words;
	__u32 s = from >> 12;
	__u64 left, bits, w;

	/* Not once more in registers, which clang 19 would spill (stack). */
	SL_IN_MEMORY(vector);

#pragma GCC unroll 8
	for (int g = 0; g < SL_GROUPS_MAX; g++) {
		const volatile struct sl_gen_group *group = &t->gen->group[g];
		__u64 c = group->word ? key->word[1] : key->word[0];

		if ((__u32)g >= t->gen->n_groups)
			break;
		c = (c >> (group->shift & 63)) &
		    ((1ULL << (group->bits & 63)) - 1);
		vector[g] = (const void *)sl_table_at(
			t, group->vectors + c * (lead + t->gen->words) * 8);
		if (!vector[g])
			return SL_SLOT_NONE;
	}
	if (s >= lead)
		return SL_SLOT_NONE;
	left = sl_conjunction(t, vector, s & (SL_SUMMARY_MAX - 1)) &
	       ~0ULL << ((from >> 6) & 63);
	for (int turn = 0; turn < SL_WORDS_MAX + SL_SUMMARY_MAX; turn++) {
		if (!left) {
			s++;
			SL_FORGET(s, key->word[0]);
			if (s >= lead)
				return SL_SLOT_NONE;
			left = sl_conjunction(t, vector,
					      s & (SL_SUMMARY_MAX - 1));
			continue;
		}
		/* In 64 bits, and masked last: Linux 6.1 must see the bound. */
		w = (__u64)s << 6 | sl_lowest_bit(left);
		SL_KEEP(w);
		w &= SL_WORDS_MAX - 1;
		left &= left - 1;
		bits = sl_conjunction(t, vector, lead + w);
		if (w == from >> 6)
			bits &= ~0ULL << (from & 63);
		if (bits)
			return w << 6 | sl_lowest_bit(bits);
	}
	return SL_SLOT_NONE;
}

_Static_assert(SL_SUMMARY_MAX * 64 == SL_WORDS_MAX, "s is 4 bits, w is 10");

/*
 * Where a key stands in the cache. The multiplication by an odd number is a
 * bijection of the keys (mod 2^(64 - cache_key_shift)), so the number of the set and
 * the rest, the tag, together say exactly which key it is.
 */
struct sl_cache_place {
	__u64 set;
	__u64 tag; /* in its place in the word */
};

static __always_inline struct sl_cache_place
sl_cache_place(const volatile struct sl_gen *gen, __u64 key)
{
	__u64 h = (key * 0x9e3779b97f4a7c15ULL) << (gen->cache_key_shift & 63);
	__u64 tag = h << (gen->cache_bits & 63) >>
		    ((gen->cache_key_shift + gen->cache_bits) & 63);

	return (struct sl_cache_place){
		/* By 64 - cache_bits; Linux 6.12 knows no value behind a minus. */
		.set = h >> ((gen->cache_bits ^ 63) & 63) >> 1,
		.tag = tag << (SL_MATCH_BITS + 1),
	};
}

#define SL_CACHE_MISS 0xffffffffu
/* In every word that holds an answer, between it and the tag. */
#define SL_CACHE_HOLDS (1ull << SL_MATCH_BITS)

/* The answer in this set, or SL_CACHE_MISS. No branch: see SL_ARRAY4_*. */
static __always_inline __u32 sl_cache_find(const __u64 set[SL_CACHE_WAYS],
					   __u64 tag)
{
	__u64 found = 0;

	/*
	 * What the exclusive or leaves of the right word is below twice
	 * SL_CACHE_HOLDS; of an empty one, nothing or a tag. A tag is in one
	 * way at most, and below 1 << 63.
	 */
#pragma GCC unroll 4
	for (int way = 0; way < SL_CACHE_WAYS; way++) {
		__u64 word = set[way] ^ tag;
		__u64 mine = (__s64)(word - 2 * SL_CACHE_HOLDS) >> 63;

		SL_KEEP(mine); /* all ones, or none */
		found |= word & mine;
	}
	return found ? (__u32)(found - SL_CACHE_HOLDS) : SL_CACHE_MISS;
}

/* First in, first out. */
static __always_inline void sl_cache_put(__u64 set[SL_CACHE_WAYS], __u64 tag,
					 __u32 answer)
{
	volatile __u64 *way = set;

#pragma GCC unroll 4
	for (int i = SL_CACHE_WAYS - 1; i > 0; i--)
		way[i] = way[i - 1];
	way[0] = tag | SL_CACHE_HOLDS | answer;
}

#endif /* SLUICE_XDP_CLASSIFY_H */
