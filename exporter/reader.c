// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "reader.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "channel.h"
#include "metrics.h"
#include "snapshot.h"
#include "state.h"

#define BUFFER_BYTES 65536

static int print(const struct sl_snapshots *snapshots,
		 const struct sl_question *question, FILE *out)
{
	if (question->text == SL_TEXT_STATE)
		return sl_state_print(snapshots, out);
	sl_metrics_print(snapshots, &question->served,
			 question->text == SL_TEXT_OPEN, out);
	return 0;
}

/* A descriptor of the text and its size, or -errno. */
static int text_make(const struct sl_snapshots *snapshots,
		     const struct sl_question *question, uint64_t *bytes)
{
	int copy, err, fd = memfd_create("sluice-text", MFD_CLOEXEC);
	FILE *out;
	long end;

	if (fd < 0)
		return -errno;
	copy = dup(fd); /* outlives the stream */
	out = copy < 0 ? NULL : fdopen(fd, "w");
	if (!out) {
		err = -errno;
		close(fd);
		if (copy >= 0)
			close(copy);
		return err;
	}
	setvbuf(out, NULL, _IOFBF, BUFFER_BYTES);
	err = print(snapshots, question, out);
	end = ftell(out);
	if (!err && (ferror(out) || end < 0))
		err = -EIO;
	if (fclose(out) && !err)
		err = -EIO;
	if (err) {
		close(copy);
		return err;
	}
	*bytes = (uint64_t)end;
	return copy;
}

static int answer(struct sl_snapshots *snapshots, int channel,
		  const struct sl_question *question)
{
	struct sl_answer answer = { .text = question->text };
	int err, fd = -1;

	answer.err = sl_snapshots_take(snapshots, SL_READER_FRESH_NS);
	if (!answer.err)
		fd = text_make(snapshots, question, &answer.bytes);
	if (!answer.err && fd < 0)
		answer.err = fd;
	err = sl_exporter_answer(channel, &answer, fd);
	if (fd >= 0)
		close(fd);
	return err;
}

int sl_reader_run(struct sl_snapshots *snapshots, int channel, int signal_fd,
		  bool *wished)
{
	struct pollfd fds[] = { { .fd = channel, .events = POLLIN },
				{ .fd = signal_fd, .events = POLLIN } };
	struct sl_question question;
	int err = 0;

	*wished = false;
	while (!err) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[1].revents) {
			*wished = true;
			return 0;
		}
		if (fds[0].revents)
			err = sl_exporter_asked(channel, &question);
		if (fds[0].revents && !err)
			err = answer(snapshots, channel, &question);
	}
	return err == -EPIPE ? 0 : err;
}
