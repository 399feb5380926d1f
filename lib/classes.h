/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The classes of a field or a group of fields: distinct bit vectors over the
 * rules (bit i: the rule at position i). A class is the number of its vector.
 */
#ifndef SLUICE_CLASSES_H
#define SLUICE_CLASSES_H

#include <stddef.h>
#include <stdint.h>

struct sl_classes {
	size_t words;	   /* 64-bit words in a vector */
	uint64_t *vectors; /* n_classes x words */
	size_t n_classes, room;
	uint32_t *buckets; /* open addressing; number of the vector + 1, or 0 */
	size_t n_buckets;  /* a power of two */
};

/* Ready to use; sl_classes_fini() frees what grows in it. */
void sl_classes_init(struct sl_classes *classes, size_t words);
void sl_classes_fini(struct sl_classes *classes);

/* The class of this vector, a new one if need be; or -ENOMEM. */
int64_t sl_classes_add(struct sl_classes *classes, const uint64_t *vector);

static inline const uint64_t *sl_classes_vector(const struct sl_classes *c,
						size_t class_id)
{
	return c->vectors + class_id * c->words;
}

static inline void sl_bit_set(uint64_t *vector, size_t bit)
{
	vector[bit / 64] |= 1ULL << (bit % 64);
}

static inline void sl_bit_clear(uint64_t *vector, size_t bit)
{
	vector[bit / 64] &= ~(1ULL << (bit % 64));
}

#endif /* SLUICE_CLASSES_H */
