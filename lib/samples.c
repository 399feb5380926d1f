// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A record names rules by slot, and a slot is a name's only within a
 * generation. A generation's filter is looked for when a record of it comes,
 * and twice a second. Its names serve the generation before it too, because a
 * slot that loses its rule is left empty for one generation (slots.c).
 *
 * A reload keeps the ring unless it adds the first or removes the last `log`
 * rule. The old ring is then read to its end before the new one is opened. An
 * interface whose filter is gone is looked at on, and read again when it has one.
 */
#include "samples.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "attach.h"
#include "error.h"
#include "filter.h"
#include "observe.h"
#include "readers.h"

/* How soon a reload or the end of a filter is seen that sends no sample. */
#define CHECK_NS 500000000u

/* One ring gives way to the others after so many: a fifth of its size. */
#define TURN_RECORDS 1024

/* No ring holds more. */
#define RING_RECORDS (SL_LOG_BYTES / sizeof(struct sl_log_record))

struct names {
	struct sl_rule_name *rules; /* by slot; NULL: not known */
	uint32_t n_slots;
	uint64_t generation;
};

/* One interface. */
struct source {
	struct sl_samples *owner;
	const char *interface;
	struct sl_filter filter;
	bool open; /* else its filter is gone */
	uint32_t ring_id;
	struct ring_buffer *ring;
	struct names now, before;
	size_t turn; /* records left */
};

struct sl_samples {
	struct source *sources;
	size_t n_sources;
	struct pollfd *polls;
	int readers_fd;
	uint64_t checked_ns;
	int64_t clock_offset_ns; /* from CLOCK_MONOTONIC to CLOCK_REALTIME */
	sl_sample_reader reader; /* these two: during a poll */
	void *context;
	int answer; /* the reader's, when it ended the reading */
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void names_fini(struct names *names)
{
	free(names->rules);
	*names = (struct names){ 0 };
}

static int names_read(const struct sl_filter *filter, struct names *names)
{
	struct names read = { .n_slots = filter->n_slots,
			      .generation = filter->gen.generation };
	int err;

	read.rules = calloc(read.n_slots + 1, sizeof(*read.rules));
	if (!read.rules)
		return -ENOMEM;
	err = sl_filter_names(filter, read.rules);
	if (err && err != -ENOENT) {
		names_fini(&read);
		return err;
	}
	for (uint32_t i = 0; i < read.n_slots; i++)
		read.rules[i].name[SL_NAME_BYTES - 1] = '\0';
	*names = read;
	return 0;
}

static const struct names *names_of(const struct source *s, uint64_t generation)
{
	if (s->now.rules && s->now.generation == generation)
		return &s->now;
	if (s->before.rules && s->before.generation == generation)
		return &s->before;
	if (s->now.rules && s->now.generation == generation + 1)
		return &s->now;
	return NULL;
}

static const char *name_of(const struct names *names, uint32_t slot)
{
	if (!names || slot >= names->n_slots || !names->rules[slot].name[0])
		return NULL;
	return names->rules[slot].name;
}

static int ring_id_of(const struct sl_filter *filter, uint32_t *id)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(filter->map_fd[SL_MAP_LOG], &info, &length) <
	    0)
		return -errno;
	*id = info.id;
	return 0;
}

/* The filter that the interface has now; -ENODATA: none of ours. */
static int find_filter(const char *interface, struct sl_filter *filter,
		       struct sl_error *error)
{
	struct sl_attachment attachment;
	int err = sl_attachment_open(interface, &attachment, error);
	uint32_t id;

	if (err)
		return err == -ENODEV ? -ENODATA : err;
	id = attachment.prog_id;
	sl_attachment_close(&attachment);
	if (!id)
		return -ENODATA;
	err = sl_filter_open(id, filter, error);
	/* ENOENT: replaced since; the next look finds what replaced it. */
	return err == -ENOMSG ? -ENODATA : err == -ENOENT ? -EAGAIN : err;
}

/* Makes `filter`, which it takes, the source's. */
static int adopt(struct source *s, struct sl_filter *filter,
		 struct sl_error *error)
{
	struct names names = { 0 };
	int err = names_read(filter, &names);

	if (err) {
		sl_filter_close(filter);
		return sl_error_set(error, err, "%s: read rule names: %s",
				    s->interface, strerror(-err));
	}
	names_fini(&s->before);
	s->before = s->now;
	s->now = names;
	if (s->open)
		sl_filter_close(&s->filter);
	s->filter = *filter;
	s->open = true;
	return 0;
}

/* A record of a generation that was not seen yet: learn its names. */
static void catch_up(struct source *s)
{
	struct sl_error ignored = { "" };
	struct sl_filter filter;
	uint32_t ring_id = 0;

	if (find_filter(s->interface, &filter, &ignored))
		return;
	if (filter.prog_id == s->filter.prog_id ||
	    ring_id_of(&filter, &ring_id) || ring_id != s->ring_id)
		sl_filter_close(&filter);
	else
		adopt(s, &filter, &ignored);
}

static int read_record(void *context, void *data, size_t bytes)
{
	struct source *s = context;
	const struct sl_log_record *r = data;
	struct sl_sample sample = { .interface = s->interface, .record = r };
	const struct names *names;

	if (bytes < sizeof(*r) || r->head_bytes > SL_LOG_HEAD)
		return 0; /* cannot be: the filter's version was checked */
	if (!names_of(s, r->generation) && r->generation > s->now.generation)
		catch_up(s);
	names = names_of(s, r->generation);
	sample.interface_index = (size_t)(s - s->owner->sources);
	sample.time_ns = r->time_ns + (uint64_t)s->owner->clock_offset_ns;
	sample.rule = name_of(names, r->slot);
	for (int i = SL_LOG_RULES - 1; i >= 0; i--)
		if (r->rule[i] != SL_SLOT_NONE)
			sample.logs[sample.n_logs++] =
				name_of(names, r->rule[i]);
	s->owner->answer = s->owner->reader(s->owner->context, &sample);
	if (s->owner->answer)
		return -ECANCELED;
	return --s->turn ? 0 : -EAGAIN;
}

/* Reads a turn: all there is, unless s->turn is 0 then. Or what ended it. */
static int read_ring(struct source *s, size_t turn, struct sl_error *error)
{
	int err;

	s->turn = turn;
	err = ring_buffer__consume(s->ring);
	if (err >= 0 || err == -EAGAIN)
		return 0;
	if (err == -ECANCELED)
		return s->owner->answer;
	return sl_error_set(error, err, "%s: read samples: %s", s->interface,
			    strerror(-err));
}

/* Of a filter that is gone: nothing fills it any more. */
static int drain(struct source *s, struct sl_error *error)
{
	int err;

	if (!s->open)
		return 0;
	do {
		err = read_ring(s, TURN_RECORDS, error);
	} while (!err && !s->turn);
	return err;
}

static void close_ring(struct source *s)
{
	if (!s->ring)
		return;
	ring_buffer__free(s->ring);
	s->ring = NULL;
	sl_readers_leave(s->owner->readers_fd, s->ring_id);
}

static int open_ring(struct source *s, struct sl_error *error)
{
	int err = ring_id_of(&s->filter, &s->ring_id);

	if (err)
		return sl_error_set(error, err, "%s: find samples: %s",
				    s->interface, strerror(-err));
	err = sl_readers_join(s->owner->readers_fd, s->interface, s->ring_id,
			      error);
	if (err)
		return err;
	s->ring = ring_buffer__new(s->filter.map_fd[SL_MAP_LOG], read_record, s,
				   NULL);
	if (!s->ring)
		return sl_error_set(error, -errno, "%s: open samples: %s",
				    s->interface, strerror(errno));
	return 0;
}

static void close_source(struct source *s)
{
	close_ring(s);
	if (s->open)
		sl_filter_close(&s->filter);
	s->open = false;
	names_fini(&s->now);
	names_fini(&s->before);
}

/* Another filter with another ring, which `filter` (taken) has. */
static int change_ring(struct source *s, struct sl_filter *filter,
		       struct sl_error *error)
{
	int err = drain(s, error);

	if (err) {
		sl_filter_close(filter);
		return err;
	}
	close_source(s);
	err = adopt(s, filter, error);
	return err ? err : open_ring(s, error);
}

/* Has the interface another filter, or none? */
static int check_source(struct source *s, struct sl_error *error)
{
	struct sl_filter filter;
	uint32_t ring_id = 0;
	int err = find_filter(s->interface, &filter, error);

	if (err == -EAGAIN)
		return 0;
	if (err == -ENODATA) {
		err = drain(s, error);
		if (!err)
			close_source(s);
		return err;
	}
	if (err)
		return err;
	if (s->open && filter.prog_id == s->filter.prog_id) {
		sl_filter_close(&filter);
		return 0;
	}
	err = ring_id_of(&filter, &ring_id);
	if (err) {
		sl_filter_close(&filter);
		return sl_error_set(error, err, "%s: find samples: %s",
				    s->interface, strerror(-err));
	}
	if (!s->open || ring_id != s->ring_id)
		return change_ring(s, &filter, error);
	return adopt(s, &filter, error);
}

/* Twice a second. */
static int check_sources(struct sl_samples *samples, struct sl_error *error)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
	int err = 0;

	if (now_ns - samples->checked_ns < CHECK_NS)
		return 0;
	samples->checked_ns = now_ns;
	samples->clock_offset_ns = (int64_t)(clock_ns(CLOCK_REALTIME) - now_ns);
	for (size_t i = 0; i < samples->n_sources && !err; i++)
		err = check_source(&samples->sources[i], error);
	return err;
}

int sl_samples_poll(struct sl_samples *samples, int timeout_ms,
		    sl_sample_reader reader, void *context,
		    struct sl_error *error)
{
	size_t n_open = 0;
	int err;

	samples->reader = reader;
	samples->context = context;
	err = check_sources(samples, error);
	for (size_t i = 0; i < samples->n_sources && !err; i++) {
		const struct source *s = &samples->sources[i];

		samples->polls[i].fd =
			s->open ? ring_buffer__epoll_fd(s->ring) : -1;
		samples->polls[i].events = POLLIN;
		n_open += s->open;
	}
	if (err)
		return err;
	if (!n_open)
		return -ENODATA;
	if (poll(samples->polls, samples->n_sources, timeout_ms) < 0)
		return errno == EINTR ? 0 :
					sl_error_set(error, -errno, "poll: %s",
						     strerror(errno));
	for (size_t i = 0; i < samples->n_sources && !err; i++)
		if (samples->polls[i].revents)
			err = read_ring(&samples->sources[i], TURN_RECORDS,
					error);
	return err;
}

int sl_samples_drain(struct sl_samples *samples, sl_sample_reader reader,
		     void *context, struct sl_error *error)
{
	int err;

	samples->reader = reader;
	samples->context = context;
	samples->checked_ns = 0; /* look for reloads now */
	err = check_sources(samples, error);
	/* Not until they are empty: a flood fills them as fast as they are read. */
	for (size_t i = 0; i < samples->n_sources && !err; i++)
		if (samples->sources[i].open)
			err = read_ring(&samples->sources[i], RING_RECORDS,
					error);
	return err;
}

static int open_source(struct sl_samples *samples, struct source *s,
		       struct sl_error *error)
{
	struct sl_filter filter;
	int err;

	do {
		err = find_filter(s->interface, &filter, error);
	} while (err == -EAGAIN);
	if (err == -ENODATA)
		return sl_error_set(error, -EINVAL,
				    "%s: it has no Sluice filter; `sluice "
				    "apply FILE` attaches one",
				    s->interface);
	if (err)
		return err;
	s->owner = samples;
	err = adopt(s, &filter, error);
	return err ? err : open_ring(s, error);
}

int sl_samples_open(char (*interfaces)[IF_NAMESIZE], size_t n,
		    struct sl_samples **samples, struct sl_error *error)
{
	struct sl_samples *opened = calloc(1, sizeof(*opened));
	int err;

	if (!opened)
		return sl_error_set(error, -ENOMEM, "out of memory");
	opened->sources = calloc(n + 1, sizeof(*opened->sources));
	opened->polls = calloc(n + 1, sizeof(*opened->polls));
	opened->readers_fd = -1;
	if (!opened->sources || !opened->polls) {
		sl_samples_close(opened);
		return sl_error_set(error, -ENOMEM, "out of memory");
	}
	err = opened->readers_fd = sl_readers_open(error);
	for (size_t i = 0; i < n && err >= 0; i++) {
		opened->sources[i].interface = interfaces[i];
		opened->n_sources++;
		err = open_source(opened, &opened->sources[i], error);
	}
	if (err < 0) {
		sl_samples_close(opened);
		return err;
	}
	*samples = opened;
	return 0;
}

bool sl_samples_has_rule(const struct sl_samples *samples, const char *rule)
{
	for (size_t i = 0; i < samples->n_sources; i++) {
		const struct names *names = &samples->sources[i].now;

		for (uint32_t slot = 0; slot < names->n_slots; slot++)
			if (strcmp(names->rules[slot].name, rule) == 0)
				return true;
	}
	return false;
}

bool sl_samples_expected(const struct sl_samples *samples, size_t i)
{
	return samples->sources[i].filter.gen.flags & SL_GEN_LOGS;
}

const struct sl_filter *sl_samples_filter(const struct sl_samples *samples,
					  size_t i)
{
	return samples->sources[i].open ? &samples->sources[i].filter : NULL;
}

uint64_t sl_samples_lost(const struct sl_samples *samples, size_t i)
{
	const struct source *s = &samples->sources[i];
	struct sl_stats stats;
	uint64_t lost;

	if (!s->open || sl_stats_read(&s->filter, &stats) < 0)
		return 0;
	lost = stats.totals.log_lost.packets;
	sl_stats_fini(&stats);
	return lost;
}

void sl_samples_close(struct sl_samples *samples)
{
	if (!samples)
		return;
	for (size_t i = 0; i < samples->n_sources; i++)
		close_source(&samples->sources[i]);
	if (samples->readers_fd >= 0)
		close(samples->readers_fd);
	free(samples->sources);
	free(samples->polls);
	free(samples);
}
