// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sl_classes_init(struct sl_classes *classes, size_t words)
{
	*classes = (struct sl_classes){ .words = words };
}

void sl_classes_fini(struct sl_classes *classes)
{
	free(classes->vectors);
	free(classes->buckets);
	*classes = (struct sl_classes){ 0 };
}

static size_t hash(const uint64_t *vector, size_t words)
{
	uint64_t h = 0x9e3779b97f4a7c15ULL;

	for (size_t i = 0; i < words; i++) {
		h = (h ^ vector[i]) * 0xff51afd7ed558ccdULL;
		h ^= h >> 32;
	}
	return h;
}

/* The bucket that holds this vector, or the free one where it belongs. */
static uint32_t *find(const struct sl_classes *classes, const uint64_t *vector)
{
	size_t mask = classes->n_buckets - 1;
	size_t i = hash(vector, classes->words) & mask;

	while (classes->buckets[i] &&
	       memcmp(classes->vectors +
			      (classes->buckets[i] - 1) * classes->words,
		      vector, classes->words * sizeof(*vector)) != 0)
		i = (i + 1) & mask;
	return &classes->buckets[i];
}

static int grow(struct sl_classes *classes)
{
	size_t room = classes->room ? classes->room * 2 : 64;
	uint64_t *vectors;
	uint32_t *buckets;

	vectors = reallocarray(classes->vectors, room,
			       classes->words * sizeof(*vectors));
	if (!vectors)
		return -ENOMEM;
	classes->vectors = vectors;
	buckets = calloc(room * 2, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	free(classes->buckets);
	classes->buckets = buckets;
	classes->n_buckets = room * 2;
	classes->room = room;
	for (size_t c = 0; c < classes->n_classes; c++)
		*find(classes, vectors + c * classes->words) = c + 1;
	return 0;
}

int64_t sl_classes_add(struct sl_classes *classes, const uint64_t *vector)
{
	uint32_t *bucket;
	int err;

	if (classes->n_classes == classes->room) {
		err = grow(classes);
		if (err)
			return err;
	}
	bucket = find(classes, vector);
	if (!*bucket) {
		memcpy(classes->vectors + classes->n_classes * classes->words,
		       vector, classes->words * sizeof(*vector));
		*bucket = ++classes->n_classes;
	}
	return *bucket - 1;
}
