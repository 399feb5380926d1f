/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets that the filters of some interfaces drop or see, with the rule and the reason,
 * followed from reload to reload. They come from one of two places:
 *
 *   a tap (lib/tap.h)   whole packets of any filter; costs nothing when nobody captures.
 *                       Rule and reason are asked afterwards, of the very program that
 *                       judged the packet (lib/explain.h).
 *   `log` rules         (lib/samples.h) where the kernel lets nobody tap: the first 128
 *                       bytes of what such rules sample, with what the filter decided.
 */
#ifndef SLUICE_CAPTURE_H
#define SLUICE_CAPTURE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/abi.h"

struct sl_capture;
struct sl_error;

/* What is said of a packet for which explaining found no answer. */
#define SL_CAPTURE_REASON_UNKNOWN SL_REASON_COUNT
#define SL_CAPTURE_VERDICT_UNKNOWN SL_VERDICT_COUNT

struct sl_captured {
	const char *interface;
	size_t interface_index; /* into what sl_capture_open() was given */
	uint64_t time_ns;	/* since 1970, by the clock as it is set now */
	uint64_t generation;
	uint32_t queue;
	uint32_t frame_bytes;
	uint32_t captured_bytes;
	const uint8_t *bytes;
	unsigned verdict; /* enum sl_verdict, or SL_CAPTURE_VERDICT_UNKNOWN */
	unsigned reason;  /* enum sl_reason, or SL_CAPTURE_REASON_UNKNOWN */
	const char *rule; /* that decided; NULL: none did, or it is not known */
	/* Why rule and reason may be others, for the operator; NULL: they are sure. */
	const char *doubt;
	const char *const
		*logs; /* `log` rules that sampled it; NULL: a name not known */
	size_t n_logs;
};

/* Called for each packet, which is valid during the call. Not 0 ends reading. */
typedef int (*sl_capture_reader)(void *context,
				 const struct sl_captured *packet);

struct sl_capture_wish {
	bool all; /* what is passed, too; else what is dropped */
	bool from_logs;
	uint32_t sample; /* one in so many, at random; 0, 1: every one */
};

/*
 * On n interfaces, whose names must outlive *capture. 0 and the caller closes *capture,
 * or -errno with a message: -EOPNOTSUPP when the kernel lets nobody tap, -EINVAL when an
 * interface has no Sluice filter, -EBUSY when another process reads the `log` rules.
 */
int sl_capture_open(char (*interfaces)[IF_NAMESIZE], size_t n,
		    const struct sl_capture_wish *wish,
		    struct sl_capture **capture, struct sl_error *error);

/*
 * Waits for packets, `timeout_ms` at most and less when a signal comes, and reads those
 * that are there. A new filter on an interface is tapped within half a second, its packets
 * until then are missed. 0; -ENODATA when no filter is left on any (said in no message);
 * what `reader` returned, if not 0; or another -errno with a message.
 */
int sl_capture_poll(struct sl_capture *capture, int timeout_ms,
		    sl_capture_reader reader, void *context,
		    struct sl_error *error);

/* Reads, without waiting, what is there at this moment. As sl_capture_poll(). */
int sl_capture_drain(struct sl_capture *capture, sl_capture_reader reader,
		     void *context, struct sl_error *error);

/* Is there such a rule in the configuration of one of the interfaces? */
bool sl_capture_has_rule(const struct sl_capture *capture, const char *rule);

/* With from_logs: does some rule of interface i log? Else true. */
bool sl_capture_expected(const struct sl_capture *capture, size_t i);

/*
 * Packets of interface i that were lost because the buffer was full: since the capture
 * was opened or, with from_logs, since the filter was attached.
 */
uint64_t sl_capture_lost(const struct sl_capture *capture, size_t i);

/* Bytes of a packet at most. */
uint32_t sl_capture_snap(const struct sl_capture *capture);

void sl_capture_close(struct sl_capture *capture); /* NULL is fine */

#endif /* SLUICE_CAPTURE_H */
