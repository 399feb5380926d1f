// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "device.h"
#include "program.h"
#include "replay.h"
#include "worker.h"

static const char *const end_names[] = {
	[REPORT_COUNT] = "count",   [REPORT_DURATION] = "duration",
	[REPORT_SIGNAL] = "signal", [REPORT_BLOCKED] = "blocked",
	[REPORT_ERROR] = "error",
};

static double seconds(const struct report *r)
{
	return (double)r->elapsed_ns / 1e9;
}

static double per_second(const struct report *r, uint64_t count)
{
	return r->elapsed_ns ? (double)count / seconds(r) : 0.0;
}

static const char *source(const struct report *r)
{
	return r->exact ? "xdp_xmit" : "tx_packets";
}

/*
 * Only veth says why: veth_xdp_xmit() refuses what its peer's ring has no room
 * for, and frames over the MTU, which have been left out before the start.
 */
static void explain_missing(const struct report *r, FILE *out)
{
	uint64_t missing = r->attempted - r->transmitted;
	double percent = 100.0 * (double)missing / (double)r->attempted;

	fprintf(out,
		"%s: %" PRIu64 " not transmitted (%.2f %%): ", r->device->name,
		missing, percent);
	if (!r->exact)
		fputs("the interface does not say why; the drops that its driver "
		      "counts are in `ethtool -S` and `ip -s link`\n",
		      out);
	else if (r->refused == missing)
		fputs("the ring of its receiver was full\n", out);
	else
		fprintf(out,
			"the ring of its receiver was full for %" PRIu64
			" of them; why the others were not is not counted\n",
			r->refused);
}

int sl_gen_report_print_text(const struct report *r, FILE *out)
{
	const struct replay *replay = r->replay;

	fprintf(out,
		"%s: %" PRIu64
		" packets in %.3f s, %.0f pps, %.3f Gbit/s; ended by %s\n",
		r->device->name, r->attempted, seconds(r),
		per_second(r, r->attempted), per_second(r, r->bytes) * 8 / 1e9,
		end_names[r->end]);
	fprintf(out, "%s: %" PRIu64 " transmitted by its counter %s%s\n",
		r->device->name, r->transmitted, source(r),
		r->exact ? "" : ", in which other senders count, too");
	if (r->transmitted < r->attempted)
		explain_missing(r, out);
	if (replay)
		fprintf(out,
			"replayed: %u frames of %u to %u bytes; left out: %" PRIu64
			" too short, %" PRIu64 " too long; %" PRIu64
			" captured in part\n",
			replay->count, replay->shortest, replay->longest,
			replay->too_short, replay->too_long, replay->cut);
	return ferror(out) ? -EIO : 0;
}

static json_t *describe_replay(const struct replay *replay)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "frames",
			 (json_int_t)replay->count, "too_short",
			 (json_int_t)replay->too_short, "too_long",
			 (json_int_t)replay->too_long, "cut",
			 (json_int_t)replay->cut);
}

static json_t *describe_threads(const struct report *r)
{
	json_t *threads = json_array();

	for (size_t i = 0; i < r->n_workers; i++) {
		const struct worker *w = &r->workers[i];

		json_array_append_new(
			threads,
			json_pack("{s:i, s:I}", "cpu", (int)w->cpu, "attempted",
				  (json_int_t)sl_gen_program_attempted(
					  w->program)));
	}
	return threads;
}

int sl_gen_report_print_json(const struct report *r, FILE *out)
{
	json_t *root = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:o, s:s, s:f, s:f, s:f, s:s, s:I, s:o}",
		"interface", r->device->name, "attempted",
		(json_int_t)r->attempted, "bytes", (json_int_t)r->bytes,
		"transmitted", (json_int_t)r->transmitted, "not_transmitted",
		(json_int_t)(r->attempted > r->transmitted ?
				     r->attempted - r->transmitted :
				     0),
		"refused",
		r->exact ? json_integer((json_int_t)r->refused) : json_null(),
		"transmitted_from", source(r), "seconds", seconds(r),
		"attempted_pps", per_second(r, r->attempted), "transmitted_pps",
		per_second(r, r->transmitted), "ended_by", end_names[r->end],
		"batch", (json_int_t)r->batch, "threads", describe_threads(r));
	int err;

	if (!root)
		return -EIO;
	if (r->replay)
		json_object_set_new(root, "replay", describe_replay(r->replay));
	err = json_dumpf(root, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(root);
	return err || ferror(out) ? -EIO : 0;
}
