/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Live sets: the layout of the map sl_live, one mmapable array value that the
 * filter reads and user space changes in place. It describes itself, so a
 * process that finds the map needs nothing else to test, list and change.
 *
 *   header | masks of short prefixes | filter | lengths 4, 6 | buckets |
 *   records | counts 4, 6
 *
 * A prefix of any length is one entry of a hash table of buckets, each a cache
 * line of SL_LIVE_SLOTS slots. A slot is one 64-bit word, so it is there or it is
 * not: the upper half tells whose it is, the lower is the mask of the sets that
 * hold the prefix (IPv4) or the number of the record that has key and mask
 * (IPv6). For IPv4 home bucket and tag together are a permutation of (length,
 * prefix): nothing else need be compared.
 *
 * Which lengths to look for? They fall into bands of sixteen. Band 0 (up to 16
 * bits) is not looked for at all: its masks are spread out at SL_LIVE_SHORT8 and
 * SL_LIVE_SHORT16, by the first 8 and 16 bits. For each other band, `lengths`
 * has a word for each granule, a value of the first 16 * band + 4 bits (hashed, so a
 * word may serve several). Bit i of its lower half: there may be a prefix i bits
 * shorter than the band's longest. Bit i of its upper half: prefixes may touch
 * the part of the granule where the next four bits are i. In the first two bands of
 * IPv6 it speaks of all longer prefixes too, so that most addresses go no
 * further. One word answers most addresses that are in no set, and names the one
 * or two lengths that matter to others; for each, a bit of the home bucket's word in
 * `filter` answers most of what is left.
 */
#ifndef SLUICE_LIVE_H
#define SLUICE_LIVE_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define SL_LIVE_MAGIC 0x564c4c53u /* "SLLV" in memory, little endian */
#define SL_LIVE_VERSION 1

#define SL_LIVE_SETS_MAX 32		/* the bits of a mask */
#define SL_LIVE_PREFIXES_MAX (1u << 20) /* of all sets together */

/*
 * At most four entries a bucket on average: one in fifty buckets then overflows,
 * into the next ones. Of 100 full tables (random homes) 55 needed more than four,
 * 12 more than five, one more than six of them; 15 are as good as never needed.
 */
#define SL_LIVE_SLOTS 8
#define SL_LIVE_LOAD 4
#define SL_LIVE_SPILL 15

#define SL_LIVE_TAG_SPILL_SHIFT 27 /* four bits: how far from home */
#define SL_LIVE_TAG_IP6 0x80000000u
#define SL_LIVE_TAG_BITS 0x07ffffffu

#define SL_LIVE_FILTER_BITS 31
#define SL_LIVE_FILTER_SPILL 0x80000000u /* some entry is not at home */

#define SL_LIVE_BUCKET_BITS_MIN 6 /* a tag has 27 of an IPv4 place's 33 bits */
#define SL_LIVE_BUCKET_BITS_MAX 18
#define SL_LIVE_LENGTH_BITS_MIN 10
/*
 * With 2^20 random prefixes one in eight parts is touched. Measured there, in ns
 * for an address in no set: 18 bits 31, 19 bits 28, 20 bits 33 (IPv4); 53, 44, 48
 * (IPv6). Fewer bits take less cache, more answer more addresses.
 */
#define SL_LIVE_LENGTH_BITS_MAX 19

#define SL_LIVE_BAND 16	  /* prefix lengths */
#define SL_LIVE_GRANULE 4 /* bits, beyond those of the band before */
#define SL_LIVE_BANDS 8	  /* IPv6; IPv4 has 2 */

/*
 * Sizes and places, in bytes from the start; constants of a generation (in
 * struct sl_gen), so that the verifier knows them. [0] is IPv4, [1] IPv6.
 */
struct sl_live_shape {
	__u32 bytes; /* of the map's value; 0: no live set */
	__u32 bucket_bits;
	__u32 length_bits;
	__u32 n_records;
	__u32 filter;	  /* __u32[buckets] */
	__u32 lengths[2]; /* __u32[1 << length_bits] */
	__u32 buckets;	  /* __u64[buckets][SL_LIVE_SLOTS] */
	__u32 records;	  /* struct sl_live_record[n_records] */
	__u32 counts[2];  /* __u32[1 << length_bits]; the writer's */
	__u32 pad;
};

/* What a lookup needs of the header: one cache line. */
struct sl_live_keys {
	__u32 magic;
	__u32 version;
	__u32 bands[2]; /* bit b: there are prefixes of band b */
	__u64 key4[2];	/* odd, random: who feeds a set cannot fill a bucket */
	__u64 key6[3];
	__u64 pad;
};

/* The first match of an IPv6 slot; `length` as by sl_live_length(). */
struct sl_live_record {
	__u64 key[2];
	__u32 length; /* while free: the next free record's number + 1 */
	__u32 mask;   /* sets that hold the prefix */
};

#define SL_LIVE_NAME_BYTES 64 /* with the terminating NUL */

struct sl_live_set {
	char name[SL_LIVE_NAME_BYTES];
	__u32 max;   /* prefixes it may hold */
	__u32 count; /* prefixes it holds */
};

#define SL_LIVE_HEADER_BYTES 8192

struct sl_live_header {
	struct sl_live_keys keys;
	/* The rest is the writer's. */
	struct sl_live_shape shape;
	__u32 n_sets;
	__u32 busy; /* set while entries change: stays if the process dies */
	__u32 capacity; /* entries: (length, prefix) pairs */
	__u32 entries;
	__u32 records_used;    /* those beyond were never used */
	__u32 records_free;    /* a list: number + 1 */
	__u32 records_retired; /* likewise: a reader may still look at them */
	__u32 pad;
	__u32 lengths[2][129]; /* entries of each length */
	__u32 pad2[2];
	struct sl_live_set sets[SL_LIVE_SETS_MAX];
};

/* Masks by the first 8 bits (lengths 0-8) and the first 16 (9-16). */
#define SL_LIVE_SHORT8(ip6) (SL_LIVE_HEADER_BYTES + (ip6)*1024u)
#define SL_LIVE_SHORT16(ip6) (SL_LIVE_HEADER_BYTES + 2 * 1024u + (ip6)*262144u)
#define SL_LIVE_SHORT_END SL_LIVE_SHORT16(2)

/* An entry's home bucket, and its tag there. */
struct sl_live_place {
	__u32 home;
	__u32 tag;
};

/*
 * The length of a prefix as (band, bit): the bit is what the length has in a
 * word of `lengths`; length 0 counts to band 0.
 */
static __always_inline __u32 sl_live_length(__u32 band, __u32 bit)
{
	return band << 20 | bit;
}

/* The lower half of a word of `lengths`. */
#define SL_LIVE_LENGTHS 0xffffu

/* Bands 1 and 2 of IPv6 say of each part also that longer prefixes touch it. */
#define SL_LIVE_GATES 2

#define SL_LIVE_MASK33 0x1ffffffffULL

/* (length, prefix) in 33 bits: the prefix, a one, zeros. `bit` is 1 << (32 - length). */
static __always_inline __u64 sl_live_code4(__u64 address, __u64 bit)
{
	return ((address >> 31) & -(bit << 1)) | bit;
}

/*
 * Each step can be undone (lib/live.c does it to list what is there): distinct
 * codes have distinct places.
 */
static __always_inline struct sl_live_place
sl_live_place4(const struct sl_live_keys *k, __u32 bucket_bits, __u64 code)
{
	__u64 x = code ^ code >> 16;

	x = (x * k->key4[0]) & SL_LIVE_MASK33;
	x ^= x >> 15;
	x = (x * k->key4[1]) & SL_LIVE_MASK33;
	x ^= x >> 17;
	return (struct sl_live_place){
		.home = (__u32)(x >> (33 - bucket_bits)),
		.tag = (__u32)(x & ((1ULL << (33 - bucket_bits)) - 1)),
	};
}

/* `key` has no host bits. */
static __always_inline struct sl_live_place
sl_live_place6(const struct sl_live_keys *k, __u32 bucket_bits,
	       const __u64 key[2], __u32 length)
{
	__u64 x = (key[0] ^ k->key6[0]) * k->key6[1];

	x ^= x >> 32;
	x = (x ^ (key[1] + ((__u64)length << 40))) * k->key6[2];
	x ^= x >> 29;
	x *= k->key6[1];
	x ^= x >> 32;
	return (struct sl_live_place){
		.home = (__u32)(x >> (64 - bucket_bits)),
		.tag = SL_LIVE_TAG_IP6 | ((__u32)x & SL_LIVE_TAG_BITS),
	};
}

static __always_inline __u32 sl_live_filter_bit(__u32 tag)
{
	return 1u << ((tag & 31) * SL_LIVE_FILTER_BITS >> 5);
}

/* The index in `lengths` of an address's granule of band 1. */
static __always_inline __u32 sl_live_granule4(__u32 length_bits, __u64 address)
{
	__u32 granule = (__u32)(address >> 44);

	return (granule ^ granule >> length_bits) & ((1u << length_bits) - 1);
}

/* Of band 1 to 7. */
static __always_inline __u32 sl_live_granule6(const struct sl_live_keys *k,
					      __u32 length_bits, __u32 band,
					      const __u64 address[2])
{
	__u32 bits = SL_LIVE_BAND * (band & 3) + SL_LIVE_GRANULE;
	__u64 mask = -(1ULL << (64 - bits)), x;

	if (band < 4)
		x = (address[0] & mask) * k->key6[1] + band * k->key6[2];
	else
		x = address[0] * k->key6[1] +
		    ((address[1] & mask) | band) * k->key6[2];
	return (__u32)(x >> (64 - length_bits));
}

/* The bit of its part of a granule, by the address's word that the band is in. */
static __always_inline __u32 sl_live_part(__u32 band, __u64 word)
{
	return 0x10000u << (word >> (56 - SL_LIVE_BAND * (band & 3)) & 15);
}

_Static_assert(sizeof(struct sl_live_shape) == 48, "crosses as it is");
_Static_assert(sizeof(struct sl_live_keys) == 64, "one cache line");
_Static_assert(sizeof(struct sl_live_record) == 24, "crosses as it is");
_Static_assert(sizeof(struct sl_live_set) == 72, "crosses as it is");
_Static_assert(sizeof(struct sl_live_header) <= SL_LIVE_HEADER_BYTES,
	       "the header has room");

#endif /* SLUICE_LIVE_H */
