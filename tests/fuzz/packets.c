// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* rules_packet(): packets for a list of rules. */
#include <string.h>

#include "draw.h"
#include "lib/config.h"
#include "rules.h"
#include "xdp/packet.h"

/* What the rule asks of an address, or NULL. */
static const struct sl_prefix *prefix_of(struct draw *draw,
					 const struct sl_addr *a)
{
	const struct sl_prefix *prefixes =
		a->kind == SL_ADDR_SET ? a->set->prefixes : a->prefixes;
	size_t n = a->kind == SL_ADDR_SET ? a->set->n_prefixes : a->n_prefixes;

	if (a->kind == SL_ADDR_ANY || !n)
		return NULL;
	return &prefixes[draw_below(draw, (uint32_t)n)];
}

/* In the prefix, at its edges, or one bit beside it. */
static void put_address(struct draw *draw, const struct sl_prefix *prefix,
			uint32_t family, __u64 out[2])
{
	unsigned bits = family == SL_FAMILY_IP4 ? 32 : 128, length = 0, bit;
	uint8_t bytes[16];

	rules_address(draw, bytes);
	if (draw_one_in(draw, 3))
		memset(bytes, draw_below(draw, 2) ? 0xff : 0, sizeof(bytes));
	if (prefix && (prefix->family == 4) == (family == SL_FAMILY_IP4))
		length = prefix->length;
	for (bit = 0; bit < length; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		bytes[bit / 8] &= (uint8_t)~mask;
		bytes[bit / 8] |= prefix->addr[bit / 8] & mask;
	}
	if (draw_one_in(draw, 4)) {
		bit = draw_below(draw, bits);
		bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	out[0] = out[1] = 0;
	for (unsigned i = 0; i < bits / 8; i++)
		out[i / 8] |= (__u64)bytes[i] << (56 - i % 8 * 8);
}

static __u64 mac_number(struct draw *draw, const struct sl_mac_match *match)
{
	const struct sl_set *set = match->set;
	uint8_t mac[6];
	__u64 number = 0;

	rules_mac(draw, mac);
	if (set && set->n_macs && draw_one_in(draw, 2))
		memcpy(mac,
		       set->macs[draw_below(draw, (uint32_t)set->n_macs)].addr,
		       sizeof(mac));
	for (int i = 0; i < 6; i++)
		number = number << 8 | mac[i];
	return number << 16;
}

/* One of the ends of a range, or one beside them, or anything. */
static uint32_t edge(struct draw *draw, uint32_t low, uint32_t high,
		     uint32_t most)
{
	const uint32_t values[] = { low, high, low ? low - 1 : 0,
				    high < most ? high + 1 : most,
				    draw_below(draw, 65536) };
	uint32_t value = DRAW_OF(draw, values);

	return value < most ? value : most;
}

static uint16_t port(struct draw *draw, const struct sl_ports *ports)
{
	const struct sl_port_range *r;

	if (ports->any)
		return rules_port(draw);
	r = &ports->ranges[draw_below(draw, (uint32_t)ports->n_ranges)];
	return (uint16_t)edge(draw, r->low, r->high, 65535);
}

static uint32_t proto_of(struct draw *draw, const struct sl_rule *rule)
{
	static const uint8_t others[] = { 6, 17, 132, 1, 58, 47, 0, 255 };
	static const uint8_t asked[] = {
		[SL_PROTO_TCP] = 6,    [SL_PROTO_UDP] = 17,
		[SL_PROTO_ICMP] = 1,   [SL_PROTO_ICMP6] = 58,
		[SL_PROTO_SCTP] = 132, [SL_PROTO_NUMBER] = 0,
	};

	if (rule->proto < SL_PROTO_TCP || draw_one_in(draw, 8))
		return DRAW_OF(draw, others);
	return rule->proto == SL_PROTO_NUMBER ? rule->proto_number :
						asked[rule->proto];
}

static void put_layer4(struct draw *draw, const struct sl_rule *rule,
		       struct sl_packet *p)
{
	const struct sl_options *o = &rule->options;

	if (p->fragment == SL_FRAGMENT_LATER || draw_one_in(draw, 16))
		return;
	if (p->proto == 6 || p->proto == 17 || p->proto == 132) {
		p->has_ports = 1;
		p->sport = port(draw, &rule->sport);
		p->dport = port(draw, &rule->dport);
		if (p->proto == 6 && !draw_one_in(draw, 8))
			p->flags = (draw_byte(draw) & ~o->flags_mask) |
				   o->flags_value;
		if (p->flags != SL_FLAGS_NONE && draw_one_in(draw, 4))
			p->flags ^= 1u << draw_below(draw, 8);
	} else if ((p->family == SL_FAMILY_IP4 && p->proto == 1) ||
		   (p->family == SL_FAMILY_IP6 && p->proto == 58)) {
		p->has_icmp = 1;
		p->icmp_type =
			(uint8_t)edge(draw, o->icmp_type, o->icmp_type, 255);
		p->icmp_code =
			(uint8_t)edge(draw, o->icmp_code, o->icmp_code, 255);
	}
}

static void put_layer3(struct draw *draw, const struct sl_rule *rule,
		       const struct sl_prefix *src, const struct sl_prefix *dst,
		       struct sl_packet *p)
{
	const struct sl_options *o = &rule->options;

	put_address(draw, src, p->family, p->src);
	put_address(draw, dst, p->family, p->dst);
	p->dscp = o->dscp;
	if (draw_one_in(draw, 4))
		p->dscp = (uint8_t)draw_below(draw, 64);
	p->length = edge(draw, o->length_low, o->length_high, SL_LENGTH_MAX);
	/* Extension headers that cannot be read hide what is above them. */
	if (p->family == SL_FAMILY_IP6 && draw_one_in(draw, 10))
		return;
	p->proto = proto_of(draw, rule);
	p->fragment = draw_one_in(draw, 3) ? draw_below(draw, 3) :
					     SL_FRAGMENT_NO;
	put_layer4(draw, rule, p);
}

static void put_layer2(struct draw *draw, const struct sl_rule *rule,
		       struct sl_packet *p)
{
	static const uint16_t types[] = { 0x0800, 0x0806, 5, 65535 };
	const struct sl_options *o = &rule->options;

	p->has_macs = 1;
	p->mac_src = mac_number(draw, &o->mac_src);
	p->mac_dst = mac_number(draw, &o->mac_dst);
	p->ethertype = DRAW_OF(draw, types);
	if (o->written & SL_OPT_ETHERTYPE && !draw_one_in(draw, 4))
		p->ethertype = o->ethertype;
	if (o->written & (SL_OPT_VLAN | SL_OPT_INNER_VLAN) ||
	    draw_one_in(draw, 4))
		p->vlan = (uint16_t)edge(draw, o->vlan, o->vlan, 4095);
	if (p->vlan != SL_VLAN_NONE &&
	    (o->written & SL_OPT_INNER_VLAN || draw_one_in(draw, 4)))
		p->inner_vlan = (uint16_t)edge(draw, o->inner_vlan,
					       o->inner_vlan, 4095);
}

void rules_packet(struct draw *draw, const struct sl_config *config,
		  struct sl_packet *packet)
{
	const struct sl_rule *rule =
		&config->rules[draw_below(draw, (uint32_t)config->n_rules)];
	const struct sl_prefix *src = prefix_of(draw, &rule->src);
	const struct sl_prefix *dst = prefix_of(draw, &rule->dst);
	const struct sl_prefix *either = src ? src : dst;
	bool ip6;

	*packet = (struct sl_packet){
		.proto = SL_PROTO_NONE,
		.fragment = SL_FRAGMENT_NONE,
		.vlan = SL_VLAN_NONE,
		.inner_vlan = SL_VLAN_NONE,
		.length = SL_LENGTH_MAX + 1,
		.flags = SL_FLAGS_NONE,
		.dscp = SL_DSCP_NONE,
	};
	if (draw_one_in(draw, 32)) /* less than an Ethernet header */
		return;
	put_layer2(draw, rule, packet);
	if (draw_one_in(draw, 10)) /* not IP, or not to be read */
		return;
	ip6 = either ? either->family == 6 : draw_below(draw, 2);
	if (rule->proto == SL_PROTO_IP || rule->proto == SL_PROTO_ICMP)
		ip6 = false;
	if (rule->proto == SL_PROTO_IP6 || rule->proto == SL_PROTO_ICMP6)
		ip6 = true;
	if (draw_one_in(draw, 8))
		ip6 = !ip6;
	packet->family = ip6 ? SL_FAMILY_IP6 : SL_FAMILY_IP4;
	packet->ethertype = ip6 ? SL_ETHERTYPE_IP6 : SL_ETHERTYPE_IP4;
	put_layer3(draw, rule, src, dst, packet);
}
