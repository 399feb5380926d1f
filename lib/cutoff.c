// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "cutoff.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor.h"
#include "address.h"
#include "array.h"
#include "clock.h"
#include "config.h"
#include "guard.h"
#include "way.h"

#define VLANS_MAX 64 /* of one interface; more are not asked for */
#define PROBE_BYTES 512
/* Of packets whose sender is not known: in no set that names stations. */
#define NO_MAC "02:00:5e:00:53:01"

struct session {
	struct sl_prefix client, server;
	char client_text[SL_ADDRESS_TEXT], server_text[SL_ADDRESS_TEXT];
	unsigned client_port, server_port;
};

struct search {
	const struct sl_config *config;
	struct sl_guard guard;
	struct sl_cutoffs found;
};

static int note(struct search *s, const char *interface,
		const struct sl_rule *by, const char *what, const char *remedy)
{
	struct sl_cutoff *more =
		sl_array_room(s->found.items, s->found.n, sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->found.items = more;
	more += s->found.n++;
	snprintf(more->text, sizeof(more->text),
		 "%s: %s%s%s would take %s; %s before it", interface,
		 by ? "rule \"" : "the default policy", by ? by->name : "",
		 by ? "\"" : "", what, remedy);
	return 0;
}

/* Tells whether it was noted: 1, 0, or -errno. */
static int ask(struct search *s, const char *interface,
	       const struct sl_guard_probe *probe, const char *what,
	       const char *remedy)
{
	struct sl_guard_answer answer;
	int err = sl_guard_ask(&s->guard, interface, probe, &answer);

	if (!err && answer.lost)
		err = note(s, interface, answer.by, what, remedy);
	return err ? err : answer.lost;
}

/*
 * Without a VLAN upon it, one frame that passes is enough, with whichever tag:
 * a bridge's or a trunk's. Else each VLAN of this machine's own has to work.
 */
static int ask_kind(struct search *s, const char *interface, const char *rule,
		    const char *what, const char *remedy)
{
	struct sl_guard_probe probe = { .any_tag = true };
	uint16_t vlans[VLANS_MAX];
	size_t n =
		sl_way_vlans((int)if_nametoindex(interface), vlans, VLANS_MAX);
	char text[PROBE_BYTES], where[64];
	int err;

	snprintf(text, sizeof(text), "rule probe pass %s\n", rule);
	probe.text = text;
	err = ask(s, interface, &probe, what, remedy);
	for (size_t i = 0; i < n && !err; i++) {
		probe = (struct sl_guard_probe){ .text = text, .tagged = true };
		snprintf(text, sizeof(text), "rule probe pass %s vlan %u\n",
			 rule, vlans[i]);
		snprintf(where, sizeof(where), "%s in VLAN %u", what, vlans[i]);
		err = ask(s, interface, &probe, where, remedy);
	}
	return err < 0 ? err : 0;
}

static int ask_kinds(struct search *s, const char *interface)
{
	static const struct {
		const char *rule, *what, *remedy;
	} kinds[] = {
		{ "ethertype 0x0806",
		  "ARP, without which IPv4 stops within minutes",
		  "`rule arp pass ethertype 0x0806`" },
		{ "icmp6 icmp-type 135",
		  "IPv6 neighbour solicitations, without which IPv6 stops",
		  "`rule nd pass icmp6`" },
		{ "icmp6 icmp-type 136",
		  "IPv6 neighbour advertisements, without which IPv6 stops",
		  "`rule nd pass icmp6`" },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && !err; i++)
		err = ask_kind(s, interface, kinds[i].rule, kinds[i].what,
			       kinds[i].remedy);
	return err;
}

static bool parse_port(const char *text, unsigned *port)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*port = (unsigned)number;
	return text[0] >= '0' && text[0] <= '9' && !*end && number < 65536;
}

/* A link-local one may have a %scope. */
static bool parse_address(char *text, struct sl_prefix *address)
{
	bool host_bits;

	text[strcspn(text, "%")] = '\0';
	return !sl_prefix_parse(text, strlen(text), address, &host_bits);
}

/* "CLIENT PORT SERVER PORT" */
static bool parse_session(const char *text, struct session *session)
{
	char client_port[8], server_port[8];

	_Static_assert(SL_ADDRESS_TEXT > 60, "the format below");
	return sscanf(text, "%60s %7s %60s %7s", session->client_text,
		      client_port, session->server_text, server_port) == 4 &&
	       parse_port(client_port, &session->client_port) &&
	       parse_port(server_port, &session->server_port) &&
	       parse_address(session->client_text, &session->client) &&
	       parse_address(session->server_text, &session->server) &&
	       session->client.family == session->server.family;
}

/* Data and acknowledgements of a connection that stands, as `ssh` sends them. */
static void print_probe(const struct session *c, bool back,
			const struct sl_ways *ways, const struct sl_way *way,
			char text[PROBE_BYTES])
{
	const char *from = back ? c->server_text : c->client_text;
	const char *to = back ? c->client_text : c->server_text;
	char mac[SL_ADDRESS_TEXT] = NO_MAC, tags[64] = "";
	struct sl_mac of;

	if (ways->has_mac) {
		memcpy(of.addr, ways->mac, sizeof(of.addr));
		sl_mac_format(&of, mac);
	}
	if (way->n_tags)
		snprintf(tags, sizeof(tags), " vlan %u", way->tags[0]);
	if (way->n_tags > 1)
		snprintf(tags + strlen(tags), sizeof(tags) - strlen(tags),
			 " inner-vlan %u", way->tags[1]);
	snprintf(text, PROBE_BYTES,
		 "set sender mac { %s }\n"
		 "rule probe pass tcp from %s port %u to %s port %u flags "
		 "ack/syn,ack,rst,fin fragment no length %u-1500%s mac src "
		 "@sender\n",
		 mac, from, back ? c->server_port : c->client_port, to,
		 back ? c->client_port : c->server_port,
		 c->client.family == 4 ? 40u : 60u, tags);
}

static int ask_way(struct search *s, const struct session *session,
		   const struct sl_ways *ways, const struct sl_way *way,
		   const char *interface)
{
	char text[PROBE_BYTES], what[160], remedy[160];
	struct sl_guard_probe probe = { .text = text,
					.any = true,
					.tagged = way->n_tags };
	int asked;

	snprintf(what, sizeof(what),
		 "packets of the SSH session that runs this command (%s port "
		 "%u)",
		 session->client_text, session->client_port);
	snprintf(remedy, sizeof(remedy),
		 "`rule ssh pass tcp from %s to any port %u`",
		 session->client_text, session->server_port);
	print_probe(session, false, ways, way, text);
	asked = ask(s, interface, &probe, what, remedy);
	if (asked || strcmp(interface, "lo") != 0)
		return asked < 0 ? asked : 0;
	/* Only there does the other direction come in, too. */
	print_probe(session, true, ways, way, text);
	asked = ask(s, interface, &probe, what, remedy);
	return asked < 0 ? asked : 0;
}

static int ask_session(struct search *s, const struct sl_actor *actor)
{
	struct session session;
	struct sl_ways ways;
	int err = 0;

	if (!actor->ssh[0] || !parse_session(actor->ssh, &session) ||
	    sl_ways_find(&session.client, &session.server, &ways))
		return 0;
	for (size_t i = 0; i < s->config->n_interfaces && !err; i++) {
		const char *name = s->config->interfaces[i].name;
		int ifindex = (int)if_nametoindex(name);

		for (size_t k = 0; k < ways.n && !err; k++)
			if (ways.items[k].ifindex == ifindex)
				err = ask_way(s, &session, &ways,
					      &ways.items[k], name);
	}
	return err;
}

int sl_cutoffs_find(const struct sl_config *config,
		    const struct sl_actor *actor, struct sl_cutoffs *cutoffs)
{
	struct search s = { .config = config };
	int err = sl_guard_open(config, sl_clock_ns(), &s.guard);

	if (err)
		return err;

	for (size_t i = 0; i < config->n_interfaces && !err; i++)
		if (if_nametoindex(config->interfaces[i].name))
			err = ask_kinds(&s, config->interfaces[i].name);
	if (!err)
		err = ask_session(&s, actor);
	sl_guard_close(&s.guard);
	if (err)
		free(s.found.items);
	else
		*cutoffs = s.found;
	return err;
}
