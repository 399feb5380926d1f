// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "replay.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_BYTES 14

/* What append() has reserved of the replay's two arrays. */
struct room {
	size_t frames, bytes, used_bytes;
};

static int grow(struct replay *replay, struct room *room, uint32_t length)
{
	void *more;

	if (replay->count == room->frames) {
		size_t frames = room->frames ? room->frames * 2 : 64;

		more = reallocarray(replay->frames, frames,
				    sizeof(*replay->frames));
		if (!more)
			return -ENOMEM;
		replay->frames = more;
		room->frames = frames;
	}
	if (room->bytes - room->used_bytes < length) {
		size_t bytes = room->bytes * 2 + length;

		more = realloc(replay->bytes, bytes);
		if (!more)
			return -ENOMEM;
		replay->bytes = more;
		room->bytes = bytes;
	}
	return 0;
}

static int append(struct replay *replay, struct room *room,
		  const uint8_t *bytes, uint32_t length)
{
	struct replay_frame *frame;

	if (grow(replay, room, length))
		return -ENOMEM;
	frame = &replay->frames[replay->count++];
	frame->offset = room->used_bytes;
	frame->length = length;
	memcpy(replay->bytes + frame->offset, bytes, length);
	room->used_bytes += length;
	if (length > replay->longest)
		replay->longest = length;
	if (!replay->shortest || length < replay->shortest)
		replay->shortest = length;
	return 0;
}

static int take(struct replay *replay, struct room *room,
		const struct pcap_pkthdr *header, const uint8_t *bytes,
		uint32_t limit)
{
	if (header->caplen < ETHERNET_BYTES) {
		replay->too_short++;
		return 0;
	}
	/* What was longer on the wire is not what was captured: still sent. */
	if (header->caplen > limit) {
		replay->too_long++;
		return 0;
	}
	if (header->caplen < header->len)
		replay->cut++;
	return append(replay, room, bytes, header->caplen);
}

static int read_all(pcap_t *capture, struct replay *replay, const char *path,
		    uint32_t limit, FILE *err)
{
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	struct room room = { 0 };
	int got, failed;

	while ((got = pcap_next_ex(capture, &header, &bytes)) == 1) {
		failed = take(replay, &room, header, bytes, limit);
		if (failed) {
			fprintf(err,
				"sluice-gen: %s: out of memory after %u frames\n",
				path, replay->count);
			return failed;
		}
		if ((uint64_t)replay->count * replay->longest >
		    REPLAY_BYTES_MAX) {
			fprintf(err,
				"sluice-gen: %s: more than %llu MiB of frames, after %u; "
				"cut the capture (editcap -r)\n",
				path, REPLAY_BYTES_MAX >> 20, replay->count);
			return -EINVAL;
		}
	}
	if (got != PCAP_ERROR_BREAK) {
		fprintf(err, "sluice-gen: %s: damaged after %u frames: %s\n",
			path, replay->count, pcap_geterr(capture));
		return -EINVAL;
	}
	if (!replay->count) {
		fprintf(err,
			"sluice-gen: %s: nothing to send: %llu frames under %d bytes, "
			"%llu over %u\n",
			path, (unsigned long long)replay->too_short,
			ETHERNET_BYTES, (unsigned long long)replay->too_long,
			limit);
		return -EINVAL;
	}
	return 0;
}

int sl_gen_replay_init(struct replay *replay, const char *path, uint32_t limit,
		       FILE *err)
{
	char reason[PCAP_ERRBUF_SIZE];
	struct replay found = { 0 };
	pcap_t *capture = pcap_open_offline(path, reason);
	int failed;

	if (!capture) {
		/* libpcap's text names the path in some cases and not in others. */
		fprintf(err,
			"sluice-gen: --pcap %s: %s; expected a pcap or pcapng file\n",
			path, reason);
		return -EINVAL;
	}
	if (pcap_datalink(capture) != DLT_EN10MB) {
		fprintf(err,
			"sluice-gen: --pcap %s: link type %s; only Ethernet can be sent\n",
			path,
			pcap_datalink_val_to_name(pcap_datalink(capture)));
		failed = -EINVAL;
	} else {
		failed = read_all(capture, &found, path, limit, err);
	}
	pcap_close(capture);
	if (failed)
		sl_gen_replay_fini(&found);
	else
		*replay = found;
	return failed;
}

void sl_gen_replay_fini(struct replay *replay)
{
	free(replay->bytes);
	free(replay->frames);
	memset(replay, 0, sizeof(*replay));
}
