// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "same_config.h"

#include <stddef.h>
#include <string.h>

#include "lib/config.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_addr(const struct sl_addr *a, const struct sl_addr *b)
{
	return a->kind == b->kind && a->written == b->written &&
	       a->negated == b->negated && a->n_prefixes == b->n_prefixes &&
	       (!a->n_prefixes ||
		!memcmp(a->prefixes, b->prefixes,
			a->n_prefixes * sizeof(*a->prefixes))) &&
	       same_text(a->set ? a->set->name : NULL,
			 b->set ? b->set->name : NULL);
}

static bool same_ports(const struct sl_ports *a, const struct sl_ports *b)
{
	return a->any == b->any && a->written == b->written &&
	       a->n_ranges == b->n_ranges &&
	       (!a->n_ranges || !memcmp(a->ranges, b->ranges,
					a->n_ranges * sizeof(*a->ranges)));
}

static bool same_mac_match(const struct sl_mac_match *a,
			   const struct sl_mac_match *b)
{
	return a->negated == b->negated &&
	       same_text(a->set ? a->set->name : NULL,
			 b->set ? b->set->name : NULL);
}

static bool same_options(const struct sl_options *a, const struct sl_options *b)
{
	return a->written == b->written && a->flags_value == b->flags_value &&
	       a->flags_mask == b->flags_mask && a->icmp_type == b->icmp_type &&
	       a->icmp_code == b->icmp_code && a->fragment == b->fragment &&
	       a->length_low == b->length_low &&
	       a->length_high == b->length_high && a->dscp == b->dscp &&
	       a->vlan == b->vlan && a->inner_vlan == b->inner_vlan &&
	       a->ethertype == b->ethertype &&
	       same_mac_match(&a->mac_src, &b->mac_src) &&
	       same_mac_match(&a->mac_dst, &b->mac_dst) &&
	       a->expires_ns == b->expires_ns && a->band == b->band &&
	       same_text(a->owner, b->owner);
}

static bool same_verdict(const struct sl_action_spec *a,
			 const struct sl_action_spec *b)
{
	return a->action == b->action && same_text(a->device, b->device) &&
	       a->fallback_drop == b->fallback_drop &&
	       a->rate.value == b->rate.value && a->rate.bits == b->rate.bits &&
	       a->burst == b->burst && a->per_source == b->per_source &&
	       a->source4_bits == b->source4_bits &&
	       a->source6_bits == b->source6_bits && a->sample == b->sample;
}

static bool same_rule(const struct sl_rule *a, const struct sl_rule *b)
{
	return same_text(a->name, b->name) && same_text(a->on, b->on) &&
	       same_verdict(&a->verdict, &b->verdict) && a->proto == b->proto &&
	       a->proto_number == b->proto_number &&
	       same_addr(&a->src, &b->src) && same_addr(&a->dst, &b->dst) &&
	       same_ports(&a->sport, &b->sport) &&
	       same_ports(&a->dport, &b->dport) &&
	       same_options(&a->options, &b->options);
}

static bool same_set(const struct sl_set *a, const struct sl_set *b)
{
	return same_text(a->name, b->name) && a->mac == b->mac &&
	       a->live == b->live && a->max == b->max &&
	       a->n_items == b->n_items && a->n_prefixes == b->n_prefixes &&
	       a->n_macs == b->n_macs &&
	       (!a->n_prefixes ||
		!memcmp(a->prefixes, b->prefixes,
			a->n_prefixes * sizeof(*a->prefixes))) &&
	       (!a->n_macs ||
		!memcmp(a->macs, b->macs, a->n_macs * sizeof(*a->macs)));
}

static bool same_interface(const struct sl_interface *a,
			   const struct sl_interface *b)
{
	return same_text(a->name, b->name) && a->mode == b->mode &&
	       a->attach == b->attach && a->frags == b->frags &&
	       a->count_source_port == b->count_source_port;
}

static bool same_forwarder(const struct sl_forwarder *a,
			   const struct sl_forwarder *b)
{
	bool same = a->given == b->given && a->n_wires == b->n_wires &&
		    a->route == b->route && a->workers == b->workers &&
		    a->n_cpus == b->n_cpus && a->poll == b->poll &&
		    a->poll_budget == b->poll_budget &&
		    a->poll_defer == b->poll_defer &&
		    a->poll_timeout_ns == b->poll_timeout_ns &&
		    a->zerocopy == b->zerocopy && a->n_stages == b->n_stages;

	for (size_t i = 0; same && i < a->n_wires; i++)
		same = same_text(a->wires[i].a, b->wires[i].a) &&
		       same_text(a->wires[i].b, b->wires[i].b);
	for (size_t i = 0; same && i < a->n_cpus; i++)
		same = a->cpus[i] == b->cpus[i];
	for (size_t i = 0; same && i < a->n_stages; i++)
		same = a->stages[i].kind == b->stages[i].kind &&
		       a->stages[i].rate.value == b->stages[i].rate.value &&
		       a->stages[i].rate.bits == b->stages[i].rate.bits &&
		       a->stages[i].sample == b->stages[i].sample &&
		       same_text(a->stages[i].target, b->stages[i].target) &&
		       same_text(a->stages[i].rule, b->stages[i].rule);
	return same;
}

bool same_config(const struct sl_config *a, const struct sl_config *b)
{
	bool same = a->n_interfaces == b->n_interfaces &&
		    a->default_given == b->default_given &&
		    a->default_drop == b->default_drop &&
		    a->limits.given == b->limits.given &&
		    a->limits.rules == b->limits.rules &&
		    a->limits.tables_bytes == b->limits.tables_bytes &&
		    a->limits.sets_bytes == b->limits.sets_bytes &&
		    a->n_sets == b->n_sets && a->n_rules == b->n_rules &&
		    a->n_extensions == b->n_extensions &&
		    a->metrics.given == b->metrics.given &&
		    a->metrics.ports == b->metrics.ports &&
		    same_text(a->metrics.listen, b->metrics.listen) &&
		    same_forwarder(&a->forwarder, &b->forwarder);

	for (size_t i = 0; same && i < a->n_interfaces; i++)
		same = same_interface(&a->interfaces[i], &b->interfaces[i]);
	for (size_t i = 0; same && i < a->n_sets; i++)
		same = same_set(a->sets[i], b->sets[i]);
	for (size_t i = 0; same && i < a->n_rules; i++)
		same = same_rule(&a->rules[i], &b->rules[i]);
	for (size_t i = 0; same && i < a->n_extensions; i++)
		same = a->extensions[i].after == b->extensions[i].after &&
		       a->extensions[i].slot == b->extensions[i].slot &&
		       same_text(a->extensions[i].path, b->extensions[i].path);
	return same;
}
