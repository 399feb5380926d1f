// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A tap is of one program, a reload is another program: twice a second each interface is
 * looked at, the old tap is read to its end, and the new program tapped. Each packet is explained by
 * the program that it met, so a reload in between misnames nothing. What can: explaining
 * passes by limits and extensions (`doubt`), and a live set or a rule's expiry may have
 * changed in the milliseconds between.
 */
#include "capture.h"

#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "error.h"
#include "explain.h"
#include "filter.h"
#include "observe.h"
#include "samples.h"
#include "tap.h"

#define CHECK_NS 500000000u

#define DOUBT_LIMIT "a limit rule may have dropped it before"
#define DOUBT_EXTENSION "an extension may have decided"
#define DOUBT_EXPLAINED "asked of the rules only: limits and extensions not"
#define DOUBT_ABORTED "the program failed (XDP_ABORTED)"

/* One interface's filter, while it is tapped. */
struct source {
	struct sl_capture *owner;
	const char *interface;
	struct sl_attachment
		attachment; /* valid, as the rest, if `tap` is not NULL */
	struct sl_filter filter;
	struct sl_stats stats; /* for the rules' names */
	int explain_fd;
	struct sl_tap *tap;
	uint64_t lost; /* by taps that are closed */
};

struct sl_capture {
	struct sl_capture_wish wish;
	struct sl_samples *samples; /* from_logs; then there are no sources */
	struct source *sources;
	size_t n_sources;
	uint64_t opened_ns; /* samples from before lay in the ring */
	struct pollfd *polls;
	uint64_t checked_ns;
	int64_t clock_offset_ns;  /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
	sl_capture_reader reader; /* these two: during a poll */
	void *context;
};

static const struct sl_rule_stats *rule_of(const struct source *s,
					   uint32_t slot)
{
	for (size_t i = 0; i < s->stats.n_rules; i++)
		if (s->stats.rules[i].slot == slot)
			return &s->stats.rules[i];
	return NULL;
}

/* The only limit rule, whose drop it then must be; NULL: there are several. */
static const char *only_limit(const struct source *s)
{
	const char *found = NULL;

	for (size_t i = 0; i < s->stats.n_rules; i++) {
		if (s->stats.rules[i].name.action != SL_STEP_LIMIT)
			continue;
		if (found)
			return NULL;
		found = s->stats.rules[i].name.name;
	}
	return found;
}

/* It was dropped, and the rules alone would not have: what they do not tell of. */
static void blame(const struct source *s, struct sl_captured *packet)
{
	uint32_t flags = s->filter.gen.flags;

	packet->rule = NULL;
	packet->reason = SL_CAPTURE_REASON_UNKNOWN;
	packet->doubt = "explaining it found no drop";
	if (flags & SL_GEN_EXT) {
		packet->doubt = flags & SL_GEN_LIMITS ?
					"an extension or a limit rule did" :
					"an extension did";
	} else if (flags & SL_GEN_LIMITS) {
		packet->reason = SL_REASON_LIMITED;
		packet->rule = only_limit(s);
		packet->doubt = packet->rule ? NULL :
					       "by one of the limit rules";
	}
}

/* Verdict, reason and rule, from the program itself. 0 or -errno. */
static int explain(const struct source *s, int act, struct sl_captured *packet)
{
	uint32_t flags = s->filter.gen.flags;
	const struct sl_rule_stats *rule;
	struct sl_probe answer = { .verdict = SL_VERDICT_PASS,
				   .reason = SL_REASON_DEFAULT,
				   .slot = SL_SLOT_NONE };
	int err = sl_explain_packet(&s->filter, s->explain_fd,
				    s->attachment.ifindex, packet->bytes,
				    packet->captured_bytes, &answer);

	packet->verdict = act < 0 ? answer.verdict : SL_VERDICT_DROP;
	packet->reason = answer.reason;
	/* ENODATA: without a configuration everything is passed, by default. */
	if (err && err != -ENODATA) {
		if (act < 0)
			packet->verdict = SL_CAPTURE_VERDICT_UNKNOWN;
		packet->reason = SL_CAPTURE_REASON_UNKNOWN;
		packet->doubt = err == -ERANGE ? "too long to be explained" :
						 "explaining it failed";
		return err == -ENOMEM ? err : 0;
	}
	rule = rule_of(s, answer.slot);
	packet->rule = rule ? rule->name.name : NULL;
	if (act == XDP_ABORTED)
		packet->doubt = DOUBT_ABORTED;
	else if (act < 0 && flags & (SL_GEN_LIMITS | SL_GEN_EXT))
		packet->doubt = DOUBT_EXPLAINED;
	else if (act >= 0 && answer.verdict != SL_VERDICT_DROP)
		blame(s, packet);
	else if (act >= 0 && flags & SL_GEN_EXT)
		packet->doubt = DOUBT_EXTENSION;
	else if (act >= 0 && flags & SL_GEN_LIMITS)
		packet->doubt = DOUBT_LIMIT;
	return 0;
}

static int read_tapped(void *context, const struct sl_tap_record *record,
		       const uint8_t *bytes)
{
	struct source *s = context;
	struct sl_capture *c = s->owner;
	struct sl_captured packet = {
		.interface = s->interface,
		.interface_index = (size_t)(s - c->sources),
		.time_ns = record->time_ns + (uint64_t)c->clock_offset_ns,
		.generation = s->filter.gen.generation,
		.queue = record->queue,
		.frame_bytes = record->frame_bytes,
		.captured_bytes = record->captured_bytes,
		.bytes = bytes,
	};
	int err = explain(s, record->act, &packet);

	return err ? err : c->reader(c->context, &packet);
}

static void close_source(struct source *s)
{
	if (!s->tap)
		return;
	s->lost += sl_tap_lost(s->tap);
	sl_tap_close(s->tap);
	s->tap = NULL;
	close(s->explain_fd);
	sl_stats_fini(&s->stats);
	sl_filter_close(&s->filter);
	sl_attachment_close(&s->attachment);
}

/* The filter that the attachment says, with its rules' names and the tap. */
static int open_filter(struct source *s, struct sl_error *error)
{
	const struct sl_tap_wish wish = { .entry = s->owner->wish.all,
					  .sample = s->owner->wish.sample,
					  .reader = read_tapped,
					  .context = s };
	int err = sl_filter_open(s->attachment.prog_id, &s->filter, error);

	if (err)
		return err == -ENOMSG ? -ENODATA :
		       err == -ENOENT ? -EAGAIN :
					err;
	err = sl_stats_read(&s->filter, &s->stats);
	if (err) {
		sl_error_set(error, err, "%s: read rule names: %s",
			     s->interface, strerror(-err));
		goto err_close_filter;
	}
	err = s->explain_fd = sl_explain_open(&s->filter, &s->attachment);
	if (err < 0) {
		err = err == -ENOENT ? -EAGAIN : err;
		sl_error_set(error, err, "%s: open its program: %s",
			     s->interface, strerror(-err));
		goto err_free_stats;
	}
	err = sl_tap_open(&s->filter, &wish, &s->tap, error);
	if (!err)
		return 0;
	close(s->explain_fd);
err_free_stats:
	sl_stats_fini(&s->stats);
err_close_filter:
	sl_filter_close(&s->filter);
	return err;
}

/* -ENODATA: the interface has no filter of ours; -EAGAIN: it was just replaced. */
static int open_source(struct source *s, struct sl_error *error)
{
	int err = sl_attachment_open(s->interface, &s->attachment, error);

	if (err)
		return err == -ENODEV ? -ENODATA : err;
	err = s->attachment.prog_id ? open_filter(s, error) : -ENODATA;
	if (err)
		sl_attachment_close(&s->attachment);
	return err;
}

/* Has the interface the program that is tapped? */
static bool is_current(const struct source *s)
{
	struct sl_error ignored = { "" };
	struct sl_attachment now;
	bool same;

	if (!s->tap || sl_attachment_open(s->interface, &now, &ignored) < 0)
		return false;
	same = now.prog_id == s->filter.prog_id;
	sl_attachment_close(&now);
	return same;
}

static int check_sources(struct sl_capture *c, struct sl_error *error)
{
	uint64_t now_ns = sl_clock_ns();
	struct timespec real;

	if (now_ns - c->checked_ns < CHECK_NS)
		return 0;
	clock_gettime(CLOCK_REALTIME, &real);
	c->checked_ns = now_ns;
	c->clock_offset_ns = (int64_t)real.tv_sec * 1000000000 + real.tv_nsec -
			     (int64_t)now_ns;
	for (size_t i = 0; i < c->n_sources; i++) {
		struct source *s = &c->sources[i];
		int err = 0;

		if (is_current(s))
			continue;
		if (s->tap)
			err = sl_tap_read(s->tap);
		close_source(s);
		if (!err)
			err = open_source(s, error);
		if (err && err != -ENODATA && err != -EAGAIN)
			return err;
	}
	return 0;
}

static int read_taps(struct sl_capture *c, struct sl_error *error)
{
	int err = 0;

	for (size_t i = 0; i < c->n_sources && !err; i++) {
		if (!c->sources[i].tap)
			continue;
		err = sl_tap_read(c->sources[i].tap);
		if (err < 0)
			sl_error_set(error, err, "%s: read packets: %s",
				     c->sources[i].interface, strerror(-err));
	}
	return err;
}

static int read_sample(void *context, const struct sl_sample *sample)
{
	const struct sl_log_record *r = sample->record;
	struct sl_capture *c = context;
	const struct sl_captured packet = {
		.interface = sample->interface,
		.interface_index = sample->interface_index,
		.time_ns = sample->time_ns,
		.generation = r->generation,
		.queue = r->rx_queue,
		.frame_bytes = r->frame_bytes,
		.captured_bytes = r->head_bytes,
		.bytes = r->head,
		.verdict = r->verdict,
		.reason = r->reason,
		.rule = sample->rule,
		.logs = sample->logs,
		.n_logs = sample->n_logs,
	};

	if (r->time_ns < c->opened_ns ||
	    (r->verdict != SL_VERDICT_DROP && !c->wish.all))
		return 0;
	if (c->wish.sample > 1 && random() % c->wish.sample)
		return 0;
	return c->reader(c->context, &packet);
}

int sl_capture_poll(struct sl_capture *c, int timeout_ms,
		    sl_capture_reader reader, void *context,
		    struct sl_error *error)
{
	size_t n_open = 0;
	int err;

	c->reader = reader;
	c->context = context;
	if (c->samples)
		return sl_samples_poll(c->samples, timeout_ms, read_sample, c,
				       error);
	err = check_sources(c, error);
	if (err)
		return err;
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct sl_tap *tap = c->sources[i].tap;

		c->polls[i].fd = tap ? sl_tap_fd(tap) : -1;
		c->polls[i].events = POLLIN;
		n_open += tap != NULL;
	}
	if (!n_open)
		return -ENODATA;
	if (poll(c->polls, c->n_sources, timeout_ms) < 0)
		return errno == EINTR ? 0 :
					sl_error_set(error, -errno, "poll: %s",
						     strerror(errno));
	return read_taps(c, error);
}

int sl_capture_drain(struct sl_capture *c, sl_capture_reader reader,
		     void *context, struct sl_error *error)
{
	c->reader = reader;
	c->context = context;
	return c->samples ?
		       sl_samples_drain(c->samples, read_sample, c, error) :
		       read_taps(c, error);
}

/* The first look, at which each must have a filter. */
static int open_sources(struct sl_capture *c, char (*interfaces)[IF_NAMESIZE],
			size_t n, struct sl_error *error)
{
	for (size_t i = 0; i < n; i++) {
		c->sources[i].owner = c;
		c->sources[i].interface = interfaces[i];
	}
	c->n_sources = n;
	for (size_t i = 0; i < n; i++) {
		struct source *s = &c->sources[i];
		int err;

		do {
			err = open_source(s, error);
		} while (err == -EAGAIN);
		if (err == -ENODATA)
			return sl_error_set(error, -EINVAL,
					    "%s: it has no Sluice filter; "
					    "`sluice apply FILE` attaches one",
					    s->interface);
		if (err)
			return err;
	}
	return check_sources(c, error);
}

int sl_capture_open(char (*interfaces)[IF_NAMESIZE], size_t n,
		    const struct sl_capture_wish *wish,
		    struct sl_capture **capture, struct sl_error *error)
{
	struct sl_capture *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return sl_error_set(error, -ENOMEM, "out of memory");
	c->wish = *wish;
	c->opened_ns = sl_clock_ns();
	c->sources = calloc(n + 1, sizeof(*c->sources));
	c->polls = calloc(n + 1, sizeof(*c->polls));
	if (!c->sources || !c->polls)
		err = sl_error_set(error, -ENOMEM, "out of memory");
	else if (wish->from_logs)
		err = sl_samples_open(interfaces, n, &c->samples, error);
	else
		err = open_sources(c, interfaces, n, error);
	if (err) {
		sl_capture_close(c);
		return err;
	}
	*capture = c;
	return 0;
}

bool sl_capture_has_rule(const struct sl_capture *c, const char *rule)
{
	if (c->samples)
		return sl_samples_has_rule(c->samples, rule);
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct sl_stats *stats = &c->sources[i].stats;

		for (size_t r = 0; c->sources[i].tap && r < stats->n_rules; r++)
			if (strcmp(stats->rules[r].name.name, rule) == 0)
				return true;
	}
	return false;
}

bool sl_capture_expected(const struct sl_capture *c, size_t i)
{
	return !c->samples || sl_samples_expected(c->samples, i);
}

uint64_t sl_capture_lost(const struct sl_capture *c, size_t i)
{
	const struct source *s = &c->sources[i];

	if (c->samples)
		return sl_samples_lost(c->samples, i);
	return s->lost + (s->tap ? sl_tap_lost(s->tap) : 0);
}

uint32_t sl_capture_snap(const struct sl_capture *c)
{
	return c->samples ? SL_LOG_HEAD : SL_TAP_BYTES;
}

void sl_capture_close(struct sl_capture *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->sources && i < c->n_sources; i++)
		close_source(&c->sources[i]);
	sl_samples_close(c->samples);
	free(c->sources);
	free(c->polls);
	free(c);
}
