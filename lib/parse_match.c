/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#include "parse.h"

#include <errno.h>

#include "array.h"
#include "keyword.h"

int sl_parse_proto(struct sl_parser *p, struct sl_rule *rule)
{
	uint32_t number = 0;
	unsigned choice = 0;
	int err;

	if (!sl_parse_choice_at(p, sl_proto_words, &choice))
		return 0;
	rule->proto = choice;
	sl_parse_next(p);
	if (rule->proto != SL_PROTO_NUMBER)
		return 0;
	err = sl_parse_number32(p, "a protocol number", 0, 255, &number);
	rule->proto_number = (uint8_t)number;
	return err;
}

int sl_parse_reference(struct sl_parser *p, enum sl_reference_field field)
{
	struct sl_reference *r;

	if (p->token.kind != SL_TOKEN_SET)
		return sl_parse_expected(p, "@SET");
	r = sl_array_room(p->references, p->n_references, sizeof(*r));
	if (!r)
		return -ENOMEM;
	p->references = r;
	r += p->n_references;
	r->rule = p->config->n_rules - 1;
	r->field = field;
	r->pos = p->token.pos;
	r->name = sl_token_copy(&p->token);
	if (!r->name)
		return -ENOMEM;
	p->n_references++;
	sl_parse_next(p);
	return 0;
}

static int addr_item(struct sl_parser *p, void *context)
{
	struct sl_addr *addr = context;
	struct sl_prefix *prefixes;
	int err;

	if (p->token.kind == SL_TOKEN_SET)
		return sl_parse_error(
			p, p->token.pos,
			"a set stands alone, not in a list: write from @SET");
	prefixes = sl_array_room(addr->prefixes, addr->n_prefixes,
				 sizeof(*prefixes));
	if (!prefixes)
		return -ENOMEM;
	addr->prefixes = prefixes;
	err = sl_parse_prefix(p, &prefixes[addr->n_prefixes]);
	if (!err)
		addr->n_prefixes++;
	return err;
}

int sl_parse_addr(struct sl_parser *p, struct sl_addr *addr,
		  enum sl_reference_field field)
{
	struct sl_pos pos;
	int err;

	addr->written = true;
	if (sl_parse_accept(p, "any"))
		return 0;
	addr->negated = sl_parse_accept(p, "not");
	pos = p->token.pos;
	if (p->token.kind == SL_TOKEN_SET) {
		addr->kind = SL_ADDR_SET;
		return sl_parse_reference(p, field);
	}
	addr->kind = SL_ADDR_PREFIXES;
	if (p->token.kind == SL_TOKEN_OPEN) {
		err = sl_parse_block(p, addr_item, addr);
		if (!err && !addr->n_prefixes)
			err = sl_parse_error(
				p, pos, "expected at least one prefix in { }");
		return err;
	}
	if (p->token.kind != SL_TOKEN_WORD)
		return sl_parse_expected(
			p, addr->negated ? "a prefix, { or @SET" :
					   "any, not, a prefix, { or @SET");
	return addr_item(p, addr);
}

static int port_item(struct sl_parser *p, void *context)
{
	struct sl_ports *ports = context;
	struct sl_port_range *r;
	uint32_t low = 0, high = 0;
	int err = sl_parse_range(p, "a port or a range of ports (N-M)", 65535,
				 &low, &high);

	if (err)
		return err;
	r = sl_array_room(ports->ranges, ports->n_ranges, sizeof(*r));
	if (!r)
		return -ENOMEM;
	ports->ranges = r;
	r += ports->n_ranges++;
	r->low = (uint16_t)low;
	r->high = (uint16_t)high;
	return 0;
}

int sl_parse_ports(struct sl_parser *p, struct sl_ports *ports)
{
	struct sl_pos pos = p->token.pos;
	int err;

	ports->written = true;
	if (sl_parse_accept(p, "any"))
		return 0;
	ports->any = false;
	if (p->token.kind != SL_TOKEN_OPEN)
		return port_item(p, ports);
	err = sl_parse_block(p, port_item, ports);
	if (!err && !ports->n_ranges)
		err = sl_parse_error(p, pos,
				     "expected at least one port in { }");
	return err;
}
