// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tally.h"

#include <string.h>

#define WORDS (sizeof(struct sl_fwd_tally_base) / sizeof(uint64_t))

int64_t sl_fwd_tally_unseen(const struct sl_fwd_tally_look *begin,
			    const struct sl_fwd_tally_look *now)
{
	int64_t least = (int64_t)((now->rx_before - now->seen) -
				  (begin->rx_after - begin->seen));
	int64_t most = (int64_t)((now->rx_after - now->seen) -
				 (begin->rx_before - begin->seen));

	if (least > 0)
		return least;
	return most < 0 ? most : 0;
}

json_t *sl_fwd_tally_base_json(const struct sl_fwd_tally_base *base)
{
	uint64_t words[WORDS];
	json_t *array = json_array();

	memcpy(words, base, sizeof(words));
	for (size_t i = 0; i < WORDS; i++)
		json_array_append_new(array,
				      json_integer((json_int_t)words[i]));
	if (json_array_size(array) == WORDS)
		return array;
	json_decref(array);
	return NULL;
}

bool sl_fwd_tally_base_from(struct sl_fwd_tally_base *base, const json_t *json)
{
	uint64_t words[WORDS];

	if (json_array_size(json) != WORDS)
		return false;
	for (size_t i = 0; i < WORDS; i++)
		words[i] =
			(uint64_t)json_integer_value(json_array_get(json, i));
	memcpy(base, words, sizeof(words));
	return true;
}
