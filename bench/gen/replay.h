/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The frames of a capture file, and how many of it cannot be sent.
 */
#ifndef SLUICE_GEN_REPLAY_H
#define SLUICE_GEN_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Memory for the frames: they lie in a map in slots of the longest one's size. */
#define REPLAY_BYTES_MAX (256ull << 20)

struct replay_frame {
	size_t offset; /* into replay->bytes */
	uint32_t length;
};

struct replay {
	struct replay_frame *frames; /* in the order of the file */
	uint8_t *bytes;		     /* of all frames, one after the other */
	uint32_t count;
	uint32_t longest, shortest; /* bytes, of those in `frames` */
	uint64_t too_short;	    /* under 14 bytes: left out */
	uint64_t too_long;	    /* over the limit: left out */
	uint64_t cut; /* captured shorter than they were; sent as captured */
};

/*
 * Reads a pcap or pcapng file of Ethernet frames up to `limit` bytes. 0;
 * -EINVAL (unreadable, not Ethernet, nothing to send, too much) or -ENOMEM, with
 * the message on `err` and *replay unchanged. sl_gen_replay_fini() frees. Any thread.
 */
int sl_gen_replay_init(struct replay *replay, const char *path, uint32_t limit,
		       FILE *err);

void sl_gen_replay_fini(struct replay *replay); /* of a zeroed struct: nothing */

#endif /* SLUICE_GEN_REPLAY_H */
