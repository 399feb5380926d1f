// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The writer's side of a live map. A new entry is written in the order record
 * (IPv6), slot, filter, lengths, band: each after what it leads to. One that goes
 * ends with the one store that empties its slot; what led to it is cleared where
 * nothing else needs it. So a reader finds all of an entry or nothing of it, and
 * entries that stay are never moved.
 *
 * Filter words are computed again from the bucket when an entry goes. The
 * words of `lengths` are counted: a length's bit stays until the last prefix of
 * its granule is gone, and costs readers a look at the filter until then.
 *
 * A record of a removed entry is retired: it is used again after a grace period,
 * which is waited for when no other is left.
 */
#include "live_table.h"

#include <errno.h>
#include <stddef.h>

#include "grace.h"
#include "live.h"

#define SPILL_MASK ((uint32_t)SL_LIVE_SPILL << SL_LIVE_TAG_SPILL_SHIFT)

/* One granule, or those that a shorter prefix covers. */
#define GRANULES_MAX (1u << (SL_LIVE_GRANULE - 1))

/* Where an entry is; slot == NULL: it is not there. */
struct entry {
	uint64_t *slot;
	struct sl_live_record *record; /* IPv6 */
	struct sl_live_place place;
	uint32_t length; /* sl_live_length() */
};

/* What readers see is stored whole, and after what was stored before. */
#define PUBLISH(p, value) __atomic_store_n((p), (value), __ATOMIC_RELEASE)

static uint32_t *words_at(const struct sl_live *live, uint32_t offset)
{
	return (uint32_t *)(void *)(live->base + offset);
}

static struct sl_live_record *records(const struct sl_live *live)
{
	return (void *)(live->base + live->header->shape.records);
}

static uint64_t *bucket_at(const struct sl_live *live, uint32_t index)
{
	const struct sl_live_shape *s = &live->header->shape;

	index &= (1u << s->bucket_bits) - 1;
	return (uint64_t *)(void *)(live->base + s->buckets) +
	       (size_t)index * SL_LIVE_SLOTS;
}

static unsigned band_of(unsigned length)
{
	return length ? (length - 1) / SL_LIVE_BAND : 0;
}

/* The length's bit among those of its band. */
static uint32_t bit_of(unsigned length)
{
	return 1u << ((band_of(length) + 1) * SL_LIVE_BAND - length);
}

static void find_place(const struct sl_live *live,
		       const struct sl_live_key *key, struct entry *e)
{
	const struct sl_live_header *h = live->header;
	uint64_t code;

	e->length = sl_live_length(band_of(key->length), bit_of(key->length));
	if (key->ip6) {
		e->place = sl_live_place6(&h->keys, h->shape.bucket_bits,
					  key->address, e->length);
		return;
	}
	code = sl_live_code4(key->address[0], 1ULL << (32 - key->length));
	e->place = sl_live_place4(&h->keys, h->shape.bucket_bits, code);
}

static bool is_record_of(const struct sl_live_record *r,
			 const struct sl_live_key *key, uint32_t length)
{
	return r->key[0] == key->address[0] && r->key[1] == key->address[1] &&
	       r->length == length;
}

static void find(const struct sl_live *live, const struct sl_live_key *key,
		 struct entry *e)
{
	uint32_t filter;

	*e = (struct entry){ 0 };
	find_place(live, key, e);
	filter = words_at(live, live->header->shape.filter)[e->place.home];
	for (uint32_t d = 0; d <= SL_LIVE_SPILL; d++) {
		uint64_t *bucket = bucket_at(live, e->place.home + d);
		uint32_t tag = e->place.tag | d << SL_LIVE_TAG_SPILL_SHIFT;

		for (int i = 0; i < SL_LIVE_SLOTS; i++) {
			struct sl_live_record *r = NULL;

			if (!bucket[i] || bucket[i] >> 32 != tag)
				continue;
			if (key->ip6)
				r = records(live) + (uint32_t)bucket[i] - 1;
			if (r && !is_record_of(r, key, e->length))
				continue;
			e->slot = &bucket[i];
			e->record = r;
			return;
		}
		if (!(filter & SL_LIVE_FILTER_SPILL))
			return;
	}
}

static uint32_t mask_of(const struct entry *e)
{
	if (!e->slot)
		return 0;
	return e->record ? e->record->mask : (uint32_t)*e->slot;
}

uint32_t sl_live_table_get(const struct sl_live *live,
			   const struct sl_live_key *key)
{
	struct entry e;

	find(live, key, &e);
	return mask_of(&e);
}

/*
 * An empty slot of this bucket, if the tag stands in no other: a reader takes
 * the one it finds, and looks on only in the next bucket.
 */
static uint64_t *free_slot(uint64_t *bucket, uint32_t tag)
{
	uint64_t *slot = NULL;

	for (int i = 0; i < SL_LIVE_SLOTS; i++) {
		if (!bucket[i])
			slot = &bucket[i];
		else if (bucket[i] >> 32 == tag)
			return NULL;
	}
	return slot;
}

/* Finds the slot for a new entry, and adds the distance from home to its tag. */
static uint64_t *find_free(const struct sl_live *live,
			   struct sl_live_place *place)
{
	for (uint32_t d = 0; d <= SL_LIVE_SPILL; d++) {
		uint32_t tag = place->tag | d << SL_LIVE_TAG_SPILL_SHIFT;
		uint64_t *slot =
			free_slot(bucket_at(live, place->home + d), tag);

		if (!slot)
			continue;
		place->tag = tag;
		return slot;
	}
	return NULL;
}

/* Takes a record that no reader looks at; its number, 0: -errno in *err. */
static uint32_t take_record(struct sl_live_header *h,
			    struct sl_live_record *all, int *err)
{
	uint32_t number;

	if (!h->records_free && h->records_used < h->shape.n_records)
		return ++h->records_used;
	if (!h->records_free) {
		*err = sl_grace_wait();
		if (*err)
			return 0;
		h->records_free = h->records_retired;
		h->records_retired = 0;
	}
	number = h->records_free;
	if (number)
		h->records_free = all[number - 1].length;
	else
		*err = -ENOSPC;
	return number;
}

static void retire_record(struct sl_live_header *h, struct sl_live_record *all,
			  struct sl_live_record *r)
{
	PUBLISH(&r->mask, 0);
	r->length = h->records_retired;
	h->records_retired = (uint32_t)(r - all) + 1;
}

/* The index in `lengths` of each granule that the prefix is in or covers. */
static unsigned granules(const struct sl_live *live,
			 const struct sl_live_key *key,
			 uint32_t index[GRANULES_MAX])
{
	const struct sl_live_header *h = live->header;
	unsigned band = band_of(key->length);
	unsigned bits = SL_LIVE_BAND * band + SL_LIVE_GRANULE;
	unsigned n = key->length < bits ? 1u << (bits - key->length) : 1;
	unsigned word = key->ip6 ? band >> 2 : 0;
	uint64_t step = 1ULL << (64 - (bits & 63));
	__u64 address[2] = { key->address[0], key->address[1] };

	for (unsigned i = 0; i < n; i++) {
		if (key->ip6)
			index[i] = sl_live_granule6(
				&h->keys, h->shape.length_bits, band, address);
		else
			index[i] = sl_live_granule4(h->shape.length_bits,
						    address[0]);
		address[word] += step;
	}
	return n;
}

/* What the prefix sets in the words of its granules. */
static uint32_t length_word(const struct sl_live_key *key)
{
	unsigned band = band_of(key->length);
	unsigned part_bits = SL_LIVE_BAND * band + 2 * SL_LIVE_GRANULE;
	unsigned word = key->ip6 ? band >> 2 : 0, n = 1;

	if (key->length <= part_bits - SL_LIVE_GRANULE)
		return ~SL_LIVE_LENGTHS | bit_of(key->length);
	if (key->length < part_bits)
		n = 1u << (part_bits - key->length);
	return sl_live_part(band, key->address[word]) * ((1u << n) - 1) |
	       bit_of(key->length);
}

/* One prefix more or less in what a word speaks of. */
static void count_word(struct sl_live *live, bool ip6, uint32_t index,
		       uint32_t bits, int change)
{
	const struct sl_live_shape *s = &live->header->shape;
	uint32_t *word = words_at(live, s->lengths[ip6]) + index;
	uint32_t *count = words_at(live, s->counts[ip6]) + index;

	*count += (uint32_t)change;
	PUBLISH(word, *count ? *word | bits : 0);
}

/* change: 1 or -1 */
static void count_lengths(struct sl_live *live, const struct sl_live_key *key,
			  int change)
{
	const struct sl_live_header *h = live->header;
	unsigned own = band_of(key->length), n;
	uint32_t index[GRANULES_MAX];

	if (own == 0)
		return;
	n = granules(live, key, index);
	for (unsigned i = 0; i < n; i++)
		count_word(live, key->ip6, index[i], length_word(key), change);
	for (unsigned band = 1; band < own && band <= SL_LIVE_GATES; band++)
		count_word(live, true,
			   sl_live_granule6(&h->keys, h->shape.length_bits,
					    band, key->address),
			   sl_live_part(band, key->address[0]), change);
}

/* Says which bands there are, after the count of `length` has changed. */
static void mark_band(struct sl_live_header *h, bool ip6, unsigned length)
{
	unsigned band = band_of(length);
	unsigned first = band ? band * SL_LIVE_BAND + 1 : 0;
	uint32_t bands = h->keys.bands[ip6] & ~(1u << band);

	for (unsigned l = first; l <= (band + 1) * SL_LIVE_BAND; l++)
		if (h->lengths[ip6][l])
			bands |= 1u << band;
	PUBLISH(&h->keys.bands[ip6], bands);
}

static int insert(struct sl_live *live, const struct sl_live_key *key,
		  struct entry *e, uint32_t mask)
{
	struct sl_live_header *h = live->header;
	uint32_t *filter = words_at(live, h->shape.filter) + e->place.home;
	uint32_t bits = sl_live_filter_bit(e->place.tag), low = mask;
	int err = 0;

	if (h->entries >= h->capacity)
		return -ENOSPC;
	e->slot = find_free(live, &e->place);
	if (!e->slot)
		return -ENOSPC;
	if (key->ip6) {
		struct sl_live_record *r;

		low = take_record(h, records(live), &err);
		if (err)
			return err;
		r = records(live) + low - 1;
		*r = (struct sl_live_record){
			.key = { key->address[0], key->address[1] },
			.length = e->length,
			.mask = mask,
		};
	}
	PUBLISH(e->slot, (uint64_t)e->place.tag << 32 | low);
	if (e->place.tag & SPILL_MASK)
		bits |= SL_LIVE_FILTER_SPILL;
	PUBLISH(filter, *filter | bits);
	count_lengths(live, key, 1);
	h->entries++;
	if (h->lengths[key->ip6][key->length]++ == 0)
		mark_band(h, key->ip6, key->length);
	return 0;
}

/* The filter word of a bucket, from the entries that are at home there. */
static uint32_t filter_of(const struct sl_live *live, uint32_t home,
			  uint32_t old)
{
	uint32_t filter = 0;

	for (uint32_t d = 0; d <= SL_LIVE_SPILL; d++) {
		const uint64_t *bucket = bucket_at(live, home + d);

		for (int i = 0; i < SL_LIVE_SLOTS; i++) {
			uint32_t tag = (uint32_t)(bucket[i] >> 32);

			if (!bucket[i] ||
			    (tag & SPILL_MASK) >> SL_LIVE_TAG_SPILL_SHIFT != d)
				continue;
			filter |= sl_live_filter_bit(tag);
			if (d)
				filter |= SL_LIVE_FILTER_SPILL;
		}
		if (!(old & SL_LIVE_FILTER_SPILL))
			break;
	}
	return filter;
}

static void remove_entry(struct sl_live *live, const struct sl_live_key *key,
			 struct entry *e)
{
	struct sl_live_header *h = live->header;
	uint32_t *filter = words_at(live, h->shape.filter) + e->place.home;

	h->entries--;
	if (--h->lengths[key->ip6][key->length] == 0)
		mark_band(h, key->ip6, key->length);
	PUBLISH(e->slot, 0);
	if (e->record)
		retire_record(h, records(live), e->record);
	PUBLISH(filter, filter_of(live, e->place.home, *filter));
	count_lengths(live, key, -1);
}

int sl_live_table_set(struct sl_live *live, const struct sl_live_key *key,
		      uint32_t mask)
{
	struct entry e;

	find(live, key, &e);
	if (!e.slot)
		return mask ? insert(live, key, &e, mask) : 0;
	if (!mask)
		remove_entry(live, key, &e);
	else if (e.record)
		PUBLISH(&e.record->mask, mask);
	else
		PUBLISH(e.slot, (*e.slot & ~(uint64_t)UINT32_MAX) | mask);
	return 0;
}

/* The factor that undoes a multiplication by an odd one, modulo 2^64. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd; /* right in three bits; each turn doubles them */

	for (int i = 0; i < 5; i++)
		x *= 2 - odd * x;
	return x;
}

/* Undoes sl_live_place4(). */
static uint64_t code_at(const struct sl_live_header *h, uint32_t home,
			uint32_t tag)
{
	uint64_t x = (uint64_t)home << (33 - h->shape.bucket_bits) | tag;

	x ^= x >> 17;
	x = (x * inverse(h->keys.key4[1])) & SL_LIVE_MASK33;
	x ^= x >> 15 ^ x >> 30;
	x = (x * inverse(h->keys.key4[0])) & SL_LIVE_MASK33;
	return x ^ x >> 16 ^ x >> 32;
}

static void decode4(const struct sl_live_header *h, uint32_t bucket,
		    uint32_t tag, struct sl_live_key *key)
{
	uint32_t spill = (tag & SPILL_MASK) >> SL_LIVE_TAG_SPILL_SHIFT;
	uint32_t home = (bucket - spill) & ((1u << h->shape.bucket_bits) - 1);
	uint64_t code = code_at(h, home, tag & SL_LIVE_TAG_BITS);
	unsigned zeros = (unsigned)__builtin_ctzll(code);

	*key = (struct sl_live_key){
		.address = { (code ^ 1ULL << zeros) << 31 },
		.length = 32 - zeros,
	};
}

static void decode6(const struct sl_live_record *r, struct sl_live_key *key)
{
	unsigned band = r->length >> 20;
	unsigned zeros = (unsigned)__builtin_ctz(r->length & 0xfffff);

	*key = (struct sl_live_key){
		.address = { r->key[0], r->key[1] },
		.length = (band + 1) * SL_LIVE_BAND - zeros,
		.ip6 = true,
	};
}

bool sl_live_table_next(const struct sl_live *live, uint32_t *slot,
			struct sl_live_key *key, uint32_t *mask)
{
	const struct sl_live_header *h = live->header;
	uint32_t n = SL_LIVE_SLOTS << h->shape.bucket_bits;
	const uint64_t *slots = bucket_at(live, 0);

	while (*slot < n) {
		uint32_t at = (*slot)++, tag = (uint32_t)(slots[at] >> 32);
		const struct sl_live_record *r;

		if (!slots[at])
			continue;
		if (!(tag & SL_LIVE_TAG_IP6)) {
			decode4(h, at / SL_LIVE_SLOTS, tag, key);
			*mask = (uint32_t)slots[at];
			return true;
		}
		r = records(live) + (uint32_t)slots[at] - 1;
		decode6(r, key);
		*mask = r->mask;
		return true;
	}
	return false;
}
