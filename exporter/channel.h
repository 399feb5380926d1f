/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Between the two processes: the server asks for a text, the reader answers with it in a memfd,
 * in the order of the questions. A SOCK_SEQPACKET pair; each end has one thread.
 */
#ifndef SLUICE_EXPORTER_CHANNEL_H
#define SLUICE_EXPORTER_CHANNEL_H

#include <stdint.h>

enum sl_text { SL_TEXT_OPEN, SL_TEXT_OLD, SL_TEXT_STATE, SL_TEXT_COUNT };

/* What only the server can count. */
struct sl_served {
	uint64_t requests;
	uint64_t evicted;
	uint64_t connections; /* now */
};

struct sl_question {
	uint32_t text; /* enum sl_text */
	uint32_t pad;
	struct sl_served served;
};

struct sl_answer {
	uint32_t text;
	int32_t err; /* 0, or -errno and no text */
	uint64_t bytes;
};

/* 0, or -errno. */
int sl_exporter_ask(int fd, const struct sl_question *question);
/* 0; -EPIPE: the server is gone; or another -errno. Waits. */
int sl_exporter_asked(int fd, struct sl_question *question);

/* `text_fd` is the text, or -1 with an error; it stays the caller's. 0 or -errno. */
int sl_exporter_answer(int fd, const struct sl_answer *answer, int text_fd);
/*
 * 0 and the caller's *text_fd (-1: none); -EAGAIN: none is there; -EPIPE: the reader is gone;
 * or another -errno. Does not wait.
 */
int sl_exporter_answered(int fd, struct sl_answer *answer, int *text_fd);

#endif /* SLUICE_EXPORTER_CHANNEL_H */
