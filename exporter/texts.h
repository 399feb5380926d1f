/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The texts that the reader gave: one of each kind is the present one and goes to all who ask;
 * older ones live until the last client that is being sent them is done.
 */
#ifndef SLUICE_EXPORTER_TEXTS_H
#define SLUICE_EXPORTER_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"

struct MHD_Response;
struct sl_texts;

/* In memory at most: the present ones and as many again that somebody is slow to take. */
#define SL_TEXTS_MAX ((size_t)2 * SL_TEXT_COUNT)

struct sl_text_copy {
	struct sl_texts *texts;
	struct sl_text_copy *next; /* older */
	struct MHD_Response *response;
	void *memory;
	size_t bytes;
	uint64_t made_ns;
};

struct sl_texts {
	struct sl_text_copy *present[SL_TEXT_COUNT]; /* NULL: none */
	struct sl_text_copy *all;		     /* newest first */
	size_t n;
};

/* A text of a memfd, which may be closed then, becomes the present one. 0 or -errno. */
int sl_texts_set(struct sl_texts *texts, enum sl_text kind, int fd,
		 size_t bytes);

/* The oldest, when there are more than SL_TEXTS_MAX and it is no present one; else NULL. */
const struct sl_text_copy *sl_texts_surplus(const struct sl_texts *texts);

/* There is no present one of this kind any more. */
void sl_texts_forget(struct sl_texts *texts, enum sl_text kind);

#endif /* SLUICE_EXPORTER_TEXTS_H */
