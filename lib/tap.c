// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "tap.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "error.h"
#include "filter.h"
#include "log.h"
#include "tap_object.h"

/*
 * Pages a CPU: 1 MiB, 700 frames of 1,500 bytes or ten thousand short ones, some
 * milliseconds of a flood. More costs memory that cannot be swapped.
 */
#define BUFFER_PAGES 256

struct sl_tap {
	struct bpf_object *object;
	struct bpf_program *program; /* of the two, the one that is loaded */
	struct bpf_link *link;
	struct perf_buffer *buffer;
	struct sl_tap_wish wish;
	int answer; /* the reader's, when it ended the reading */
};

/* include/linux/errno.h; not for user space, but trampolines are refused with it. */
#ifndef ENOTSUPP
#define ENOTSUPP 524
#endif

/* What attach targets are called in BTF; names in the kernel are not cut off. */
static const char *function_of(const struct sl_filter *filter)
{
	if (filter->gen.flags & SL_GEN_EXT)
		return filter->frags ? SL_PROGRAM_EXT_FRAGS : SL_PROGRAM_EXT;
	return filter->frags ? SL_PROGRAM_FRAGS : SL_PROGRAM;
}

static enum bpf_perf_event_ret read_record(void *context,
					   int cpu __attribute__((unused)),
					   struct perf_event_header *header)
{
	struct sl_tap *tap = context;
	const struct {
		struct perf_event_header header;
		uint32_t bytes;
		uint8_t data[];
	} __attribute__((packed)) *raw = (const void *)header;
	struct sl_tap_record record;

	if (header->type != PERF_RECORD_SAMPLE || raw->bytes < sizeof(record))
		return LIBBPF_PERF_EVENT_CONT;
	memcpy(&record, raw->data, sizeof(record));
	if (record.captured_bytes > raw->bytes - sizeof(record))
		return LIBBPF_PERF_EVENT_CONT; /* cannot be: both are ours */
	tap->answer = tap->wish.reader(tap->wish.context, &record,
				       raw->data + sizeof(record));
	return tap->answer ? LIBBPF_PERF_EVENT_DONE : LIBBPF_PERF_EVENT_CONT;
}

/* What libbpf says then is a guess at a limit that is not it. */
static int refused(int err, struct sl_error *error)
{
	if (err == -EPERM)
		return sl_error_set(
			error, -EOPNOTSUPP,
			"this kernel refuses programs that look on at another "
			"(fentry, fexit), or this is not root with CAP_BPF and "
			"CAP_PERFMON");
	if (err == -ENOTSUPP || err == -EOPNOTSUPP || err == -ESRCH)
		return sl_error_set(
			error, -EOPNOTSUPP,
			"this kernel cannot run programs that look on at "
			"another (fentry, fexit): %s",
			strerror(err == -ENOTSUPP ? EOPNOTSUPP : -err));
	return sl_error_set(error, err, "tap the filter: %s%s%s",
			    strerror(-err), *sl_log_tail() ? "\n" : "",
			    sl_log_tail());
}

static int load(struct sl_tap *tap, const struct sl_filter *filter,
		struct sl_error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "sluice_tap");
	const char *wanted = tap->wish.entry ? "tap_entry" : "tap_exit";
	struct bpf_program *program;
	const struct sl_tap_of of = { .nonce = filter->gen.nonce,
				      .sample = tap->wish.sample };
	struct bpf_map *map;
	int err;

	sl_log_clear();
	tap->object = bpf_object__open_mem(
		sl_tap_object, (size_t)(sl_tap_object_end - sl_tap_object),
		&opts);
	if (!tap->object)
		return sl_error_set(error, -errno, "read the tap: %s",
				    strerror(errno));
	bpf_object__for_each_program(program, tap->object) {
		bool is = strcmp(bpf_program__name(program), wanted) == 0;

		bpf_program__set_autoload(program, is);
		if (is)
			tap->program = program;
	}
	map = bpf_object__find_map_by_name(tap->object, ".rodata");
	if (!tap->program || !map)
		return sl_error_set(error, -EPROTO, "read the tap: %s",
				    strerror(EPROTO));
	err = bpf_map__set_initial_value(map, &of, sizeof(of));
	if (!err)
		err = bpf_program__set_attach_target(
			tap->program, filter->prog_fd, function_of(filter));
	if (!err)
		err = bpf_object__load(tap->object);
	return err ? refused(err, error) : 0;
}

static int open_buffer(struct sl_tap *tap, struct sl_error *error)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_BPF_OUTPUT,
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.wakeup_events = 1,
	};

	tap->buffer = perf_buffer__new_raw(
		bpf_object__find_map_fd_by_name(tap->object, "sl_tap"),
		BUFFER_PAGES, &attr, read_record, tap, NULL);
	if (!tap->buffer)
		return sl_error_set(error, -errno,
				    "make room for packets, 1 MiB a CPU: %s",
				    strerror(errno));
	return 0;
}

/* Last, so that no packet finds a tap without a buffer. */
static int attach(struct sl_tap *tap, struct sl_error *error)
{
	tap->link = bpf_program__attach_trace(tap->program);
	return tap->link ? 0 : refused(-errno, error);
}

int sl_tap_open(const struct sl_filter *filter, const struct sl_tap_wish *wish,
		struct sl_tap **tap, struct sl_error *error)
{
	struct sl_tap *opened = calloc(1, sizeof(*opened));
	int err;

	if (!opened)
		return sl_error_set(error, -ENOMEM, "out of memory");
	opened->wish = *wish;
	err = load(opened, filter, error);
	if (!err)
		err = open_buffer(opened, error);
	if (!err)
		err = attach(opened, error);
	if (err) {
		sl_tap_close(opened);
		return err;
	}
	*tap = opened;
	return 0;
}

int sl_tap_fd(const struct sl_tap *tap)
{
	return perf_buffer__epoll_fd(tap->buffer);
}

int sl_tap_read(struct sl_tap *tap)
{
	int err = 0;

	tap->answer = 0;
	for (size_t i = 0; i < perf_buffer__buffer_cnt(tap->buffer); i++) {
		err = perf_buffer__consume_buffer(tap->buffer, i);
		if (err || tap->answer)
			break;
	}
	return tap->answer ? tap->answer : err;
}

/* Not by PERF_RECORD_LOST: those come with a later packet, if there is one. */
uint64_t sl_tap_lost(const struct sl_tap *tap)
{
	uint32_t zero = 0;
	uint64_t lost = 0;

	bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(tap->object,
							    ".bss"),
			    &zero, &lost);
	return lost;
}

void sl_tap_close(struct sl_tap *tap)
{
	if (!tap)
		return;
	perf_buffer__free(tap->buffer);
	bpf_link__destroy(tap->link);
	bpf_object__close(tap->object);
	free(tap);
}
