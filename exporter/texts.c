// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "texts.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "headers.h"
#include "lib/clock.h"

static const char *const types[SL_TEXT_COUNT] = {
	[SL_TEXT_OPEN] =
		"application/openmetrics-text; version=1.0.0; charset=utf-8",
	[SL_TEXT_OLD] = "text/plain; version=0.0.4; charset=utf-8",
	[SL_TEXT_STATE] = "application/json",
};

/* libmicrohttpd calls it when nobody is sent the text any more, and it is not the present one. */
static void copy_free(void *context)
{
	struct sl_text_copy *copy = context, **link = &copy->texts->all;

	while (*link != copy)
		link = &(*link)->next;
	*link = copy->next;
	copy->texts->n--;
	munmap(copy->memory, copy->bytes);
	free(copy);
}

/* Of memory that it takes over once there is a response; NULL: no memory. */
static struct sl_text_copy *copy_new(struct sl_texts *texts, void *memory,
				     size_t bytes)
{
	struct sl_text_copy *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	copy->response = MHD_create_response_from_buffer_with_free_callback_cls(
		bytes, memory, copy_free, copy);
	if (!copy->response) {
		free(copy);
		return NULL;
	}
	copy->texts = texts;
	copy->memory = memory;
	copy->bytes = bytes;
	copy->made_ns = sl_clock_ns();
	copy->next = texts->all;
	texts->all = copy;
	texts->n++;
	return copy;
}

int sl_texts_set(struct sl_texts *texts, enum sl_text kind, int fd,
		 size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	struct sl_text_copy *copy;

	if (memory == MAP_FAILED)
		return -errno;
	copy = copy_new(texts, memory, bytes);
	if (!copy) {
		munmap(memory, bytes);
		return -ENOMEM;
	}
	if (sl_headers_add(copy->response, types[kind])) {
		MHD_destroy_response(copy->response);
		return -ENOMEM;
	}
	sl_texts_forget(texts, kind);
	texts->present[kind] = copy;
	return 0;
}

const struct sl_text_copy *sl_texts_surplus(const struct sl_texts *texts)
{
	const struct sl_text_copy *copy, *oldest = NULL;

	if (texts->n <= SL_TEXTS_MAX)
		return NULL;
	for (copy = texts->all; copy; copy = copy->next) {
		bool present = false;

		for (int kind = 0; kind < SL_TEXT_COUNT; kind++)
			present |= texts->present[kind] == copy;
		if (!present)
			oldest = copy;
	}
	return oldest;
}

void sl_texts_forget(struct sl_texts *texts, enum sl_text kind)
{
	if (texts->present[kind])
		MHD_destroy_response(texts->present[kind]->response);
	texts->present[kind] = NULL;
}
