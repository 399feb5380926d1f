/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address -> the live sets that hold it. The layout, and what the steps are for,
 * is in sluice/live.h; lib/live.c writes it while this reads.
 *
 * What a change may leave to a reader: every word is read once, a slot or a mask is
 * one word, and a record that a reader found is not used again before that
 * reader is done. Filters and lengths are set after an entry has come and cleared
 * after it has gone; a reader that misses one too early sees the set as it was
 * before.
 */
#ifndef SLUICE_XDP_LIVE_H
#define SLUICE_XDP_LIVE_H

#include "packet.h"
#include "sluice/live.h"

struct sl_live_view {
	const volatile struct sl_live_shape *shape; /* constants, frozen */
	const __u8 *base;			    /* the map's value */
};

static __always_inline const struct sl_live_keys *
sl_live_keys(const struct sl_live_view *v)
{
	return (const void *)v->base;
}

static __always_inline __u32 sl_live_u32(const struct sl_live_view *v,
					 __u32 table, __u32 index)
{
	return ((const volatile __u32 *)(v->base + table))[index];
}

/* All ones if x == 0, else none, without a branch; x < 1 << 63. */
static __always_inline __u64 sl_live_if_zero(__u64 x)
{
	return (__u64)((__s64)(x - 1) >> 63);
}

/*
 * The lower half of the slot with this tag; 0: there is none. Which of the eight
 * it is cannot be foreseen: a branch on it would hold up the packets that follow
 * until the bucket has come from memory.
 */
static __always_inline __u32 sl_live_scan(const struct sl_live_view *v,
					  __u32 bucket, __u32 tag)
{
	const volatile __u64 *slot =
		(const volatile __u64 *)(v->base + v->shape->buckets) +
		(__u64)bucket * SL_LIVE_SLOTS;
	__u64 found = 0;

#pragma GCC unroll 8
	for (int i = 0; i < SL_LIVE_SLOTS; i++) {
		__u64 word = slot[i], other = word >> 32 ^ tag;

		SL_KEEP(other);
		found |= word & sl_live_if_zero(other);
	}
	return (__u32)found;
}

/* The mask of record `number` - 1 if it is this prefix's. */
static __always_inline __u32 sl_live_record(const struct sl_live_view *v,
					    __u32 number, const __u64 key[2],
					    __u32 length)
{
	const volatile struct sl_live_record *r;
	__u64 index = number - 1;

	SL_KEEP(index);
	if (index >= v->shape->n_records)
		return 0;
	r = (const volatile struct sl_live_record *)(v->base +
						     v->shape->records) +
	    index;
	if (r->key[0] != key[0] || r->key[1] != key[1] || r->length != length)
		return 0;
	return r->mask;
}

/* What the bucket says of the entry; key: of an IPv6 one. */
static __always_inline __u32 sl_live_bucket(const struct sl_live_view *v,
					    struct sl_live_place at,
					    const __u64 *key, __u32 length)
{
	__u32 found = sl_live_scan(v, at.home, at.tag);

	if (key && found)
		return sl_live_record(v, found, key, length);
	return found;
}

/* The mask of the entry at this place; 0: there is none. */
static __always_inline __u32 sl_live_entry(const struct sl_live_view *v,
					   struct sl_live_place at,
					   const __u64 *key, __u32 length)
{
	__u32 last = (1u << v->shape->bucket_bits) - 1, filter, mask;

	at.home &= last;
	filter = sl_live_u32(v, v->shape->filter, at.home);
	if (!(filter & sl_live_filter_bit(at.tag)))
		return 0;
	mask = sl_live_bucket(v, at, key, length);
	if (mask || !(filter & SL_LIVE_FILTER_SPILL))
		return mask;
#pragma GCC unroll 15
	for (int i = 0; i < SL_LIVE_SPILL; i++) {
		at.home = (at.home + 1) & last;
		at.tag += 1u << SL_LIVE_TAG_SPILL_SHIFT;
		mask = sl_live_bucket(v, at, key, length);
		if (mask)
			break;
	}
	return mask;
}

/* Prefixes of up to 16 bits, of either family. */
static __always_inline __u32 sl_live_short(const struct sl_live_view *v,
					   const __u64 address[2], int ip6)
{
	return sl_live_u32(v, SL_LIVE_SHORT8(ip6), address[0] >> 56) |
	       sl_live_u32(v, SL_LIVE_SHORT16(ip6), address[0] >> 48);
}

static __always_inline __u32 sl_live_word(const struct sl_live_view *v,
					  __u32 table, __u32 granule)
{
	granule &= (1u << v->shape->length_bits) - 1;
	return sl_live_u32(v, table, granule);
}

/* The prefixes of some lengths of one band that hold an address. */
struct sl_live_search {
	struct sl_live_view view;
	__u64 address[2];
	__u32 band;    /* 1 to 7 of IPv6; SL_LIVE_IP4 */
	__u32 lengths; /* that are left to look for: at least one */
	__u32 mask;    /* found so far */
	__u32 pad;
};

#define SL_LIVE_IP4 0

static __always_inline __u32 sl_live_next4(const struct sl_live_search *s,
					   __u32 bit)
{
	const struct sl_live_view *v = &s->view;

	return sl_live_entry(v,
			     sl_live_place4(sl_live_keys(v),
					    v->shape->bucket_bits,
					    sl_live_code4(s->address[0], bit)),
			     NULL, 0);
}

static __always_inline __u32 sl_live_next6(const struct sl_live_search *s,
					   __u32 bit)
{
	__u64 net = -((__u64)bit << SL_LIVE_BAND * (3 - (s->band & 3)));
	__u32 length = sl_live_length(s->band, bit);
	__u64 key[2] = { s->address[0], 0 };
	const struct sl_live_view *v = &s->view;

	if (s->band < 4)
		key[0] &= net;
	else
		key[1] = s->address[1] & net;
	return sl_live_entry(v,
			     sl_live_place6(sl_live_keys(v),
					    v->shape->bucket_bits, key, length),
			     key, length);
}

/* Looks for one of the lengths that are left: true when it was the last. */
static __always_inline bool sl_live_next(struct sl_live_search *s)
{
	__u32 bit = s->lengths & -s->lengths;

	if (s->band == SL_LIVE_IP4)
		s->mask |= sl_live_next4(s, bit);
	else
		s->mask |= sl_live_next6(s, bit);
	s->lengths ^= bit;
	return !s->lengths;
}

/*
 * In the kernel this is a function of the program, which has the map: global, so
 * that the verifier checks it once and not for each side and band. The price is
 * a call, which most addresses that are in no set do not pay.
 */
#ifdef __bpf__
__u32 sl_live_find_checked(__u64 high, __u64 low, __u32 band, __u32 lengths);
#endif

static __always_inline __u32 sl_live_found(const struct sl_live_view *v,
					   const __u64 address[2], __u32 band,
					   __u32 lengths)
{
	if (!lengths)
		return 0;
#ifdef __bpf__
	(void)v;
	return sl_live_find_checked(address[0],
				    band == SL_LIVE_IP4 ? 0 : address[1], band,
				    lengths);
#else
	struct sl_live_search s = { .view = *v,
				    .address = { address[0], address[1] },
				    .band = band,
				    .lengths = lengths };

	while (!sl_live_next(&s))
		;
	return s.mask;
#endif
}

static __always_inline __u32 sl_live_lookup4(const struct sl_live_view *v,
					     const __u64 address[2])
{
	const struct sl_live_keys *k = sl_live_keys(v);
	__u32 bands = *(const volatile __u32 *)&k->bands[0], mask = 0, word;

	if (bands & 1)
		mask = sl_live_short(v, address, 0);
	word = sl_live_word(v, v->shape->lengths[0],
			    sl_live_granule4(v->shape->length_bits,
					     address[0]));
	if (word & sl_live_part(1, address[0]))
		mask |= sl_live_found(v, address, SL_LIVE_IP4,
				      word & SL_LIVE_LENGTHS);
	return mask;
}

static __always_inline __u32 sl_live_lookup6(const struct sl_live_view *v,
					     const __u64 address[2])
{
	const struct sl_live_keys *k = sl_live_keys(v);
	__u32 bands = *(const volatile __u32 *)&k->bands[1], mask = 0, word;

	if (bands & 1)
		mask = sl_live_short(v, address, 1);
#pragma GCC unroll 7
	for (__u32 band = 1; band < SL_LIVE_BANDS; band++) {
		if (!(bands & 1u << band))
			continue;
		word = sl_live_word(v, v->shape->lengths[1],
				    sl_live_granule6(k, v->shape->length_bits,
						     band, address));
		if (word & sl_live_part(band, address[band >> 2]))
			mask |= sl_live_found(v, address, band,
					      word & SL_LIVE_LENGTHS);
		else if (band <= SL_LIVE_GATES)
			break;
	}
	return mask;
}

/*
 * Bit i of the mask: the packet's address (side 0 source, 1 destination) is
 * inside a prefix of live set i. A packet that is not IP is in none.
 */
static __always_inline __u32 sl_live_lookup(const struct sl_live_view *v,
					    const struct sl_packet *p, int side)
{
	const __u64 *address = side ? p->dst : p->src;

	if (p->family == SL_FAMILY_IP4)
		return sl_live_lookup4(v, address);
	if (p->family == SL_FAMILY_IP6)
		return sl_live_lookup6(v, address);
	return 0;
}

#endif /* SLUICE_XDP_LIVE_H */
