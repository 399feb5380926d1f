/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>
#include <string.h>

#include "array.h"
#include "keyword.h"

#define WORKERS_MAX 1024
#define CPU_MAX 8191 /* CONFIG_NR_CPUS of the largest distribution kernels */
#define POLL_BUDGET_MAX 65535	       /* SO_BUSY_POLL_BUDGET is a u16 */
#define POLL_TIMEOUT_MAX_NS 1000000000 /* a packet would wait that long */

enum {
	SEEN_WORKERS = 1,
	SEEN_POLL = 2,
	SEEN_BUDGET = 4,
	SEEN_DEFER = 8,
	SEEN_TIMEOUT = 16,
	SEEN_ZEROCOPY = 32,
	SEEN_ROUTE = 64,
};

static int parse_wire(struct sl_parser *p, struct sl_forwarder *f)
{
	struct sl_wire *wire =
		sl_array_room(f->wires, f->n_wires, sizeof(*wire));
	int err;

	if (!wire)
		return -ENOMEM;
	f->wires = wire;
	wire += f->n_wires++;
	wire->pos = p->token.pos;
	sl_parse_next(p);
	err = sl_parse_interface_name(p, &wire->a);
	if (!err)
		err = sl_parse_interface_name(p, &wire->b);
	if (!err && !strcmp(wire->a, wire->b))
		err = sl_parse_error(p, wire->pos,
				     "a wire has two ends: \"%s\" stands twice",
				     wire->a);
	return err;
}

static int parse_route(struct sl_parser *p, struct sl_forwarder *f,
		       unsigned *seen)
{
	int err = sl_parse_once(p, seen, SEEN_ROUTE, "route");

	if (err)
		return err;
	f->route = true;
	f->route_pos = p->token.pos;
	sl_parse_next(p);
	return 0;
}

static int add_cpu(struct sl_parser *p, struct sl_forwarder *f, uint32_t cpu,
		   struct sl_pos pos)
{
	uint32_t *cpus;

	for (size_t i = 0; i < f->n_cpus; i++)
		if (f->cpus[i] == cpu)
			return sl_parse_error(p, pos, "CPU %u is given twice",
					      cpu);
	cpus = sl_array_room(f->cpus, f->n_cpus, sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	f->cpus = cpus;
	cpus[f->n_cpus++] = cpu;
	return 0;
}

/* Whether the comma at the token goes on with the list: a number follows. */
static bool list_goes_on(const struct sl_parser *p)
{
	struct sl_lexer lexer = p->lexer; /* a copy, to look further ahead */
	struct sl_token token;

	if (p->token.kind != SL_TOKEN_COMMA)
		return false;
	sl_lexer_next(&lexer, &token);
	return token.kind == SL_TOKEN_WORD && token.length &&
	       token.text[0] >= '0' && token.text[0] <= '9';
}

static int parse_cpus(struct sl_parser *p, struct sl_forwarder *f)
{
	for (;;) {
		struct sl_pos pos = p->token.pos;
		uint32_t low = 0, high = 0;
		int err = sl_parse_range(p, "a CPU number or a range (N-M)",
					 CPU_MAX, &low, &high);

		for (uint32_t cpu = low; !err && cpu <= high; cpu++)
			err = add_cpu(p, f, cpu, pos);
		if (err || !list_goes_on(p))
			return err;
		sl_parse_next(p);
	}
}

static int parse_workers(struct sl_parser *p, struct sl_forwarder *f,
			 unsigned *seen)
{
	int err = sl_parse_once(p, seen, SEEN_WORKERS, "workers");

	if (err)
		return err;
	sl_parse_next(p);
	if (!sl_parse_accept(p, "auto"))
		err = sl_parse_number32(p, "auto or a number of workers", 1,
					WORKERS_MAX, &f->workers);
	if (!err && sl_parse_accept(p, "cpus"))
		err = parse_cpus(p, f);
	return err;
}

/* budget, defer, timeout, in any order. */
static int parse_poll_parameters(struct sl_parser *p, struct sl_forwarder *f,
				 unsigned *seen)
{
	int err = 0;

	while (!err) {
		struct sl_pos pos = p->token.pos;

		if (sl_parse_at(p, "budget")) {
			err = sl_parse_once(p, seen, SEEN_BUDGET, "budget");
			f->budget_pos = pos;
			sl_parse_next(p);
			if (!err)
				err = sl_parse_number32(p,
							"a budget of packets",
							1, POLL_BUDGET_MAX,
							&f->poll_budget);
		} else if (sl_parse_at(p, "defer")) {
			err = sl_parse_once(p, seen, SEEN_DEFER, "defer");
			f->defer_pos = pos;
			sl_parse_next(p);
			if (!err)
				err = sl_parse_number32(
					p, "a number of interrupts to defer", 1,
					INT32_MAX, &f->poll_defer);
		} else if (sl_parse_at(p, "timeout")) {
			err = sl_parse_once(p, seen, SEEN_TIMEOUT, "timeout");
			f->timeout_pos = pos;
			sl_parse_next(p);
			if (!err)
				err = sl_parse_duration(p, POLL_TIMEOUT_MAX_NS,
							&f->poll_timeout_ns);
		} else {
			break;
		}
	}
	return err;
}

static int parse_poll(struct sl_parser *p, struct sl_forwarder *f,
		      unsigned *seen)
{
	unsigned choice = 0;
	int err = sl_parse_once(p, seen, SEEN_POLL, "poll");

	if (err)
		return err;
	sl_parse_next(p);
	f->poll_pos = p->token.pos;
	err = sl_parse_choice(p, sl_poll_words, "sleep, adaptive or busy",
			      &choice);
	f->poll = choice;
	return err ? err : parse_poll_parameters(p, f, seen);
}

static int parse_zerocopy(struct sl_parser *p, struct sl_forwarder *f,
			  unsigned *seen)
{
	unsigned choice = 0;
	int err = sl_parse_once(p, seen, SEEN_ZEROCOPY, "zero-copy");

	if (err)
		return err;
	sl_parse_next(p);
	err = sl_parse_choice(p, sl_zerocopy_words, "auto, require or off",
			      &choice);
	f->zerocopy = choice;
	return err;
}

/* `sample N` (of a capture) and `rule NAME`, in either order. */
static int parse_stage_filter(struct sl_parser *p, struct sl_stage *stage)
{
	int err = 0;

	while (!err) {
		struct sl_pos pos = p->token.pos;

		if (!stage->rule && sl_parse_accept(p, "rule")) {
			stage->rule_pos = pos;
			err = sl_parse_name(p, "a rule name", &stage->rule);
		} else if (stage->kind == SL_STAGE_CAPTURE && !stage->sample &&
			   sl_parse_accept(p, "sample")) {
			err = sl_parse_number(p, "one packet in how many", 1,
					      UINT32_MAX, &stage->sample);
		} else {
			break;
		}
	}
	return err;
}

static int parse_stage(struct sl_parser *p, struct sl_forwarder *f,
		       enum sl_stage_kind kind)
{
	struct sl_stage *stage =
		sl_array_room(f->stages, f->n_stages, sizeof(*stage));
	int err;

	if (!stage)
		return -ENOMEM;
	f->stages = stage;
	stage += f->n_stages++;
	stage->kind = kind;
	stage->pos = p->token.pos;
	sl_parse_next(p);
	if (kind == SL_STAGE_POLICE)
		err = sl_parse_rate(p, &stage->rate);
	else if (kind == SL_STAGE_MIRROR)
		err = sl_parse_interface_name(p, &stage->target);
	else
		err = sl_parse_path(p,
				    kind == SL_STAGE_CAPTURE ?
					    "the path of the capture file" :
					    "the path of a shared object",
				    &stage->target);
	return err ? err : parse_stage_filter(p, stage);
}

static int item(struct sl_parser *p, void *context)
{
	struct sl_forwarder *f = &p->config->forwarder;
	unsigned kind = 0;

	if (sl_parse_choice_at(p, sl_stage_words, &kind))
		return parse_stage(p, f, kind);
	if (f->n_stages && !sl_parse_at(p, "rule") &&
	    (sl_parse_at(p, "wire") || sl_parse_at(p, "route") ||
	     sl_parse_at(p, "workers") || sl_parse_at(p, "poll") ||
	     sl_parse_at(p, "zero-copy")))
		return sl_parse_error(p, p->token.pos,
				      "the settings stand before the stages");
	if (sl_parse_at(p, "wire"))
		return parse_wire(p, f);
	if (sl_parse_at(p, "route"))
		return parse_route(p, f, context);
	if (sl_parse_at(p, "workers"))
		return parse_workers(p, f, context);
	if (sl_parse_at(p, "poll"))
		return parse_poll(p, f, context);
	if (sl_parse_at(p, "zero-copy"))
		return parse_zerocopy(p, f, context);
	return sl_parse_expected(
		p,
		"wire, route, workers, poll, zero-copy or a stage (police, mirror, capture, stage)");
}

int sl_parse_forwarder(struct sl_parser *p)
{
	struct sl_forwarder *f = &p->config->forwarder;
	unsigned seen = 0;
	int err;

	if (f->given)
		return sl_parse_error(p, p->token.pos,
				      "the forwarder stands in line %u already",
				      f->pos.line);
	f->given = true;
	f->pos = p->statement_pos;
	err = sl_parse_block(p, item, &seen);
	if (err)
		return err;
	if (f->route && f->n_wires)
		return sl_parse_error(
			p, f->route_pos,
			"a forwarder has wires or routes, not both: remove route or the wire in line %u",
			f->wires[0].pos.line);
	if (!f->route && !f->n_wires)
		return sl_parse_error(
			p, f->pos,
			"the forwarder has nowhere to send: write wire IF IF, or route");
	return 0;
}
