// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "visit.h"

#include "classes.h"
#include "compile.h"

static const void *table_at(const struct sl_compiled *c, uint64_t offset,
			    struct sl_visit *visit)
{
	if (visit->lines)
		sl_bit_set(visit->lines, offset / SL_VISIT_LINE);
	return c->tables + offset;
}

static uint32_t table_u32(const struct sl_compiled *c, uint64_t offset,
			  struct sl_visit *visit)
{
	return *(const uint32_t *)table_at(c, offset, visit);
}

static uint32_t trie_class(const struct sl_compiled *c, uint32_t root,
			   sl_address address, struct sl_visit *visit)
{
	const uint64_t words[2] = { (uint64_t)(address >> 64),
				    (uint64_t)address };
	uint32_t entry = root;

	do {
		const struct sl_trie_node *n = table_at(c, entry, visit);
		uint32_t child;

		visit->nodes++;
		if ((words[0] ^ n->key[0]) & n->mask[0] ||
		    (words[1] ^ n->key[1]) & n->mask[1])
			return n->miss;
		child = words[n->word] >> n->shift & n->index_mask;
		entry = table_u32(c, entry + sizeof(*n) + (uint64_t)child * 4,
				  visit);
	} while (!(entry & SL_TRIE_LEAF));
	return entry & ~SL_TRIE_LEAF;
}

static uint64_t entry4(const struct sl_compiled *c,
		       const struct sl_gen_field *f, uint32_t offset,
		       uint64_t i, struct sl_visit *visit)
{
	if (f->class_bits4 == SL_ARRAY4_CLASS_BITS)
		return *(const uint32_t *)table_at(c, offset + i * 4, visit);
	return *(const uint64_t *)table_at(c, offset + i * 8, visit);
}

/* As many steps for each address: one that has its class reads node 0. */
static uint32_t array4_class(const struct sl_compiled *c,
			     const struct sl_gen_field *f, uint32_t address,
			     struct sl_visit *visit)
{
	unsigned shift = 32 - SL_ARRAY4_ROOT_BITS, bits = f->bits4;
	uint64_t entry = entry4(c, f, f->classes, address >> shift, visit);
	uint64_t all = entry;

	visit->arrays++;
	for (int i = 0; i < f->steps4; i++, bits = f->deeper4) {
		shift -= bits;
		visit->nodes++;
		entry = entry4(c, f, f->nodes4,
			       (entry >> f->class_bits4 << SL_ARRAY4_STRIDE) +
				       (address >> shift & ((1u << bits) - 1)),
			       visit);
		all |= entry;
	}
	return (uint32_t)(all & ((1ull << f->class_bits4) - 1));
}

static uint32_t value_class(const struct sl_compiled *c,
			    const struct sl_gen_field *f, uint32_t value,
			    struct sl_visit *visit)
{
	uint32_t page;

	if (value >= SL_FIELD_VALUES)
		return f->none;
	visit->arrays += f->pages ? 2 : 1;
	if (!f->pages)
		return table_u32(c, f->classes + (uint64_t)value * 4, visit);
	page = *(const uint16_t *)table_at(
		c, f->pages + (uint64_t)(value >> 8) * 2, visit);
	return table_u32(c,
			 f->classes + (uint64_t)(page << 8 | (value & 255)) * 4,
			 visit);
}

static uint32_t address_class(const struct sl_compiled *c, enum sl_field field,
			      const sl_address *values, struct sl_visit *visit)
{
	const struct sl_gen_field *f = &c->gen.field[field];
	bool dst = field == SL_FIELD_DST;
	uint32_t kind = (uint32_t)values[SL_DIM_KIND];

	if (kind / SL_KIND_FAMILY == SL_FAMILY_IP4)
		return array4_class(
			c, f,
			(uint32_t)(values[dst ? SL_DIM_DST4 : SL_DIM_SRC4] >>
				   96),
			visit);
	if (kind / SL_KIND_FAMILY == SL_FAMILY_IP6)
		return trie_class(c, f->classes6,
				  values[dst ? SL_DIM_DST6 : SL_DIM_SRC6],
				  visit);
	return f->none;
}

static uint32_t field_class(const struct sl_compiled *c, enum sl_field field,
			    const sl_address *values, struct sl_visit *visit)
{
	static const enum sl_dimension dimensions[SL_FIELD_COUNT] = {
		[SL_FIELD_KIND] = SL_DIM_KIND,
		[SL_FIELD_FLAGS] = SL_DIM_FLAGS,
		[SL_FIELD_ICMP] = SL_DIM_ICMP,
		[SL_FIELD_FRAGMENT] = SL_DIM_FRAGMENT,
		[SL_FIELD_DSCP] = SL_DIM_DSCP,
		[SL_FIELD_ETHERTYPE] = SL_DIM_ETHERTYPE,
		[SL_FIELD_VLAN] = SL_DIM_VLAN,
		[SL_FIELD_INNER_VLAN] = SL_DIM_INNER_VLAN,
		[SL_FIELD_LENGTH] = SL_DIM_LENGTH,
		[SL_FIELD_MAC_SRC] = SL_DIM_MAC_SRC,
		[SL_FIELD_MAC_DST] = SL_DIM_MAC_DST,
		[SL_FIELD_SPORT] = SL_DIM_SPORT,
		[SL_FIELD_DPORT] = SL_DIM_DPORT,
	};
	const struct sl_gen_field *f = &c->gen.field[field];
	sl_address value = values[dimensions[field]];

	switch (field) {
	case SL_FIELD_SRC:
	case SL_FIELD_DST:
		return address_class(c, field, values, visit);
	case SL_FIELD_LIVE: /* taken as in none */
		return value_class(c, f, 0, visit);
	case SL_FIELD_MAC_SRC:
	case SL_FIELD_MAC_DST:
		if (value > SL_REGION_MAC_LAST)
			return f->none;
		return trie_class(c, f->classes, value << 80, visit);
	default:
		return value_class(c, f, (uint32_t)value, visit);
	}
}

void sl_visit_packet(const struct sl_compiled *compiled,
		     const sl_address values[SL_DIM_COUNT],
		     struct sl_visit *visit)
{
	uint32_t group = 0;
	size_t n_groups = 0;

	*visit = (struct sl_visit){ .lines = visit->lines };
	for (enum sl_field i = 0; i < SL_FIELD_COUNT; i++) {
		const struct sl_gen_field *f = &compiled->gen.field[i];
		uint32_t c;

		if (!f->used)
			continue;
		c = field_class(compiled, i, values, visit);
		if (f->combine) {
			visit->combines++;
			c = table_u32(compiled,
				      f->combine +
					      ((uint64_t)group * f->n_classes +
					       c) * 4,
				      visit);
		}
		group = c;
		if (!f->weight)
			continue;
		visit->classes[n_groups++] = group;
		visit->key += group * f->weight;
	}
}

/* The most nodes from this one down. At most SL_TRIE_DEPTH6 deep. */
static uint32_t trie_depth(const struct sl_compiled *c, uint32_t entry)
{
	const struct sl_trie_node *n;
	const uint32_t *children;
	uint32_t most = 0;

	if (entry & SL_TRIE_LEAF)
		return 0;
	n = (const void *)(c->tables + entry);
	children = (const uint32_t *)(n + 1);
	for (uint32_t i = 0; i <= n->index_mask; i++) {
		/* NOLINTNEXTLINE(misc-no-recursion) */
		uint32_t depth = trie_depth(c, children[i]);

		if (depth > most)
			most = depth;
	}
	return most + 1;
}

static uint32_t address_depth(const struct sl_compiled *c,
			      const struct sl_gen_field *f)
{
	uint32_t most = trie_depth(c, f->classes6);

	return f->steps4 > most ? f->steps4 : most;
}

void sl_visit_worst(const struct sl_compiled *compiled, struct sl_visit *visit)
{
	*visit = (struct sl_visit){ 0 };
	for (enum sl_field i = 0; i < SL_FIELD_COUNT; i++) {
		const struct sl_gen_field *f = &compiled->gen.field[i];

		if (!f->used)
			continue;
		visit->combines += f->combine != 0;
		if (i == SL_FIELD_SRC || i == SL_FIELD_DST) {
			visit->arrays++;
			visit->nodes += address_depth(compiled, f);
		} else if (i == SL_FIELD_MAC_SRC || i == SL_FIELD_MAC_DST) {
			visit->nodes += trie_depth(compiled, f->classes);
		} else {
			visit->arrays += f->pages ? 2 : 1;
		}
	}
}

static const uint64_t *vector_of(const struct sl_compiled *c, size_t group,
				 uint64_t class_id)
{
	return (const uint64_t *)(c->tables + c->gen.group[group].vectors) +
	       class_id * (c->gen.summary_words + c->gen.words);
}

static uint64_t conjunction(const struct sl_compiled *c,
			    const struct sl_visit *visit, uint32_t word)
{
	uint64_t bits = ~0ULL;

	for (uint32_t g = 0; g < c->gen.n_groups; g++)
		bits &= vector_of(c, g, visit->classes[g])[word];
	return bits;
}

uint32_t sl_visit_match(const struct sl_compiled *compiled,
			const struct sl_visit *visit, uint32_t from,
			uint32_t *words)
{
	uint32_t lead = compiled->gen.summary_words;

	*words = 0;
	for (uint32_t s = from >> 12; s < lead; s++) {
		uint64_t left = conjunction(compiled, visit, s);

		++*words;
		if (s == from >> 12)
			left &= ~0ULL << (from >> 6 & 63);
		for (; left; left &= left - 1) {
			uint32_t w = s << 6 | (uint32_t)__builtin_ctzll(left);
			uint64_t bits = conjunction(compiled, visit, lead + w);

			++*words;
			if (w == from >> 6)
				bits &= ~0ULL << (from & 63);
			if (bits)
				return (w << 6 |
					(uint32_t)__builtin_ctzll(bits)) +
				       1;
		}
	}
	return 0;
}
