// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "rules.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"

#define ADDRESS_SETS 4
#define MAC_SETS 2
#define FEW_RULES 16
#define MANY_RULES 512 /* eight words of a bit vector */

/* What a rule can match, lest its parts contradict each other. */
enum shape { IP4, IP6, IP, ANY, SHAPES };

/* Which of the rarer parts a list has: few in most, so they meet in all ways. */
#define USE_FLAGS 1u
#define USE_ICMP_TYPE 2u
#define USE_FRAGMENT 4u
#define USE_LENGTH 8u
#define USE_DSCP 16u
#define USE_VLAN 32u
#define USE_INNER_VLAN 64u
#define USE_ETHERTYPE 128u
#define USE_MAC 256u
#define USE_STEPS 512u
#define USE_ALL 1023u

struct list {
	FILE *out;
	struct draw *draw;
	uint32_t use; /* USE_* */
};

void rules_address(struct draw *draw, uint8_t address[16])
{
	static const uint8_t bytes[] = { 0, 1, 0x7f, 0x80, 0xff };

	for (int i = 0; i < 16; i++)
		address[i] = DRAW_OF(draw, bytes);
}

uint16_t rules_port(struct draw *draw)
{
	static const uint16_t ports[] = { 0,	 1,	53,    80,    255,
					  256,	 443,	8000,  8100,  32767,
					  32768, 65279, 65280, 65534, 65535 };

	if (draw_one_in(draw, 3))
		return (uint16_t)draw_below(draw, 65536);
	return DRAW_OF(draw, ports);
}

void rules_mac(struct draw *draw, uint8_t mac[6])
{
	static const uint8_t bytes[] = { 0, 1, 0x80 };

	memset(mac, 2, 6);
	mac[0] = DRAW_OF(draw, bytes);
	mac[4] = DRAW_OF(draw, bytes);
	mac[5] = DRAW_OF(draw, bytes);
}

static bool uses(struct list *l, uint32_t part, uint32_t n)
{
	return l->use & part && draw_one_in(l->draw, n);
}

static void put_prefix(struct list *l, enum shape shape)
{
	unsigned bits = shape == IP4 ? 32 : 128, length;
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16];

	if (shape != IP4 && shape != IP6) {
		put_prefix(l, draw_below(l->draw, 2) ? IP4 : IP6);
		return;
	}
	rules_address(l->draw, address);
	length = draw_one_in(l->draw, 4) ? bits : draw_below(l->draw, bits + 1);
	for (unsigned bit = length; bit < bits; bit++)
		address[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	inet_ntop(shape == IP4 ? AF_INET : AF_INET6, address, text,
		  sizeof(text));
	fprintf(l->out, "%s/%u", text, length);
}

static void put_sets(struct list *l)
{
	uint8_t mac[6];
	uint32_t n;

	for (int i = 0; i < ADDRESS_SETS; i++) {
		fprintf(l->out, "set s%d {\n", i);
		for (n = draw_below(l->draw, 24); n > 0; n--) {
			put_prefix(l, IP);
			fputc('\n', l->out);
		}
		fputs("}\n", l->out);
	}
	for (int i = 0; i < MAC_SETS; i++) {
		fprintf(l->out, "set m%d mac {\n", i);
		for (n = draw_below(l->draw, 6); n > 0; n--) {
			rules_mac(l->draw, mac);
			fprintf(l->out, "%02x:%02x:%02x:%02x:%02x:%02x\n",
				mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
		}
		fputs("}\n", l->out);
	}
}

static const char *put_proto(struct list *l, enum shape shape)
{
	static const char *const protos[SHAPES][6] = {
		[IP4] = { "", "ip", "icmp", "tcp", "udp", "proto" },
		[IP6] = { "", "ip6", "icmp6", "tcp", "udp", "proto" },
		[IP] = { "", "tcp", "tcp", "udp", "sctp", "proto" },
		[ANY] = { "", "", "", "", "", "" },
	};
	const char *proto = DRAW_OF(l->draw, protos[shape]);

	fprintf(l->out, " %s", proto);
	if (!strcmp(proto, "proto"))
		fprintf(l->out, " %u",
			draw_one_in(l->draw, 2) ? 6 : draw_below(l->draw, 64));
	return proto;
}

static void put_addr(struct list *l, enum shape shape)
{
	uint32_t n = 1 + draw_below(l->draw, 4);

	if (shape == ANY || draw_one_in(l->draw, 3)) {
		fputs(" any", l->out);
		return;
	}
	if (draw_one_in(l->draw, 4))
		fputs(" not", l->out);
	if (draw_below(l->draw, 2)) {
		fprintf(l->out, " @s%u", draw_below(l->draw, ADDRESS_SETS));
		return;
	}
	fputs(" {", l->out);
	if (shape == IP) { /* both, so that the other address may be either */
		put_prefix(l, IP4);
		fputc(',', l->out);
		put_prefix(l, IP6);
		fputc(',', l->out);
	}
	while (n--) {
		put_prefix(l, shape);
		fputs(n ? "," : "}", l->out);
	}
}

static void put_ports(struct list *l, const char *proto)
{
	uint32_t n = 1 + draw_below(l->draw, 4);

	if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0 &&
	    strcmp(proto, "sctp") != 0)
		return;
	if (draw_below(l->draw, 2))
		return;
	fputs(" port {", l->out);
	while (n--) {
		uint16_t a = rules_port(l->draw), b = rules_port(l->draw);

		if (draw_below(l->draw, 2))
			b = a;
		fprintf(l->out, "%u-%u%s", a < b ? a : b, a < b ? b : a,
			n ? "," : "}");
	}
}

static uint32_t length(struct draw *draw)
{
	static const uint32_t lengths[] = { 20,	  40,	60,    1500,
					    1501, 9000, 65534, 65535 };

	return DRAW_OF(draw, lengths);
}

static void put_ip_options(struct list *l, const char *proto)
{
	static const char *const fragments[] = { "first", "later", "yes",
						 "no" };
	static const uint8_t flags[] = { 0, 1, 2, 0x10, 0x12, 0x3f, 0xff };
	static const uint8_t types[] = { 0, 3, 8, 128, 255 };

	if (!strcmp(proto, "tcp") && uses(l, USE_FLAGS, 2)) {
		uint8_t mask = DRAW_OF(l->draw, flags);

		fprintf(l->out, " flags %u/%u", DRAW_OF(l->draw, flags) & mask,
			mask);
	}
	if (!strncmp(proto, "icmp", 4) && uses(l, USE_ICMP_TYPE, 2)) {
		fprintf(l->out, " icmp-type %u", DRAW_OF(l->draw, types));
		if (draw_below(l->draw, 2))
			fprintf(l->out, " code %u", DRAW_OF(l->draw, types));
	}
	if (uses(l, USE_FRAGMENT, 4))
		fprintf(l->out, " fragment %s", DRAW_OF(l->draw, fragments));
	if (uses(l, USE_LENGTH, 4)) {
		uint32_t a = length(l->draw), b = length(l->draw);

		fprintf(l->out, " length %u-%u", a < b ? a : b, a < b ? b : a);
	}
	if (uses(l, USE_DSCP, 4))
		fprintf(l->out, " dscp %u", draw_below(l->draw, 64));
}

static void put_options(struct list *l, enum shape shape)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806,
					  0x8100, 5,	  65535 };
	static const char *const sides[] = { "src", "dst" };

	if (uses(l, USE_VLAN, 4))
		fprintf(l->out, " vlan %u",
			draw_one_in(l->draw, 4) ? 4095 :
						  draw_below(l->draw, 16));
	if (uses(l, USE_INNER_VLAN, 4))
		fprintf(l->out, " inner-vlan %u", draw_below(l->draw, 16));
	if (uses(l, USE_ETHERTYPE, 4))
		fprintf(l->out, " ethertype %u",
			shape == IP4 ? 0x0800 :
			shape == IP6 ? 0x86dd :
			shape == IP  ? types[draw_below(l->draw, 2)] :
				       DRAW_OF(l->draw, types));
	for (int side = 0; side < 2; side++)
		if (uses(l, USE_MAC, 4))
			fprintf(l->out, " mac %s%s @m%u", sides[side],
				draw_below(l->draw, 2) ? " not" : "",
				draw_below(l->draw, MAC_SETS));
	if (draw_one_in(l->draw, 8))
		fprintf(l->out, " band %u", draw_below(l->draw, 3));
	if (uses(l, USE_STEPS, 8))
		fputs(" observe", l->out);
	if (uses(l, USE_STEPS, 8))
		fputs(" expires 10m", l->out);
}

static void put_rule(struct list *l, uint32_t number)
{
	static const char *const decide[] = {
		"pass",	  "drop",	"pass",	   "drop",
		"bounce", "redirect b", "forward", "forward fallback drop",
	};
	static const char *const go_on[] = { "count", "log sample 3",
					     "limit 5kpps" };
	enum shape shape = draw_below(l->draw, SHAPES);
	const char *proto;

	fprintf(l->out, "rule r%u %s", number,
		uses(l, USE_STEPS, 4) ? DRAW_OF(l->draw, go_on) :
					DRAW_OF(l->draw, decide));
	if (draw_one_in(l->draw, 6))
		fprintf(l->out, " on %s", draw_below(l->draw, 2) ? "a" : "b");
	proto = put_proto(l, shape);
	fputs(" from", l->out);
	put_addr(l, shape);
	put_ports(l, proto);
	fputs(" to", l->out);
	put_addr(l, shape);
	put_ports(l, proto);
	if (shape != ANY)
		put_ip_options(l, proto);
	put_options(l, shape);
	fputc('\n', l->out);
}

char *rules_text(struct draw *draw)
{
	char *text = NULL;
	size_t bytes;
	struct list l = { .out = open_memstream(&text, &bytes), .draw = draw };
	uint32_t n = 1 + draw_below(draw, FEW_RULES);

	if (!l.out)
		abort();
	if (draw_one_in(draw, 32))
		n = 1 + draw_below(draw, MANY_RULES);
	l.use = draw_below(draw, USE_ALL + 1) & draw_below(draw, USE_ALL + 1);
	if (draw_one_in(draw, 8))
		l.use = USE_ALL;
	fputs("interface a, b\n", l.out);
	if (draw_below(draw, 2))
		fputs("default drop\n", l.out);
	put_sets(&l);
	for (uint32_t i = 0; i < n; i++)
		put_rule(&l, i);
	if (fclose(l.out))
		abort();
	return text;
}
