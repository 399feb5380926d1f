/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A configuration, as parsed: what the operator wrote, with names resolved and
 * set files read. The language is described in docs/configuration.md.
 *
 * Everything here is plain data owned by struct sl_config; sl_config_free()
 * frees it whole. No function here makes a system call except to read the
 * configuration and the set files it names. Any thread; no globals.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "diag.h"

struct sl_source;

struct sl_prefix {
	uint8_t family;	  /* 4 or 6 */
	uint8_t length;	  /* bits */
	uint8_t addr[16]; /* network order; IPv4 in the first four; host bits 0 */
};

struct sl_mac {
	uint8_t addr[6];
};

/* One written item of a set: a prefix, a MAC, or a file of either. */
enum sl_item_kind { SL_ITEM_PREFIX, SL_ITEM_MAC, SL_ITEM_FILE };

struct sl_item {
	enum sl_item_kind kind;
	struct sl_prefix prefix;
	struct sl_mac mac;
	char *path; /* SL_ITEM_FILE: as written */
	struct sl_pos pos;
};

struct sl_set {
	char *name;
	bool mac, live;
	uint64_t max; /* 0: not given */
	struct sl_pos live_pos, max_pos;
	struct sl_item *items; /* as written */
	size_t n_items;
	/* What the items come to, files read; duplicates are kept. */
	struct sl_prefix *prefixes;
	size_t n_prefixes;
	struct sl_mac *macs;
	size_t n_macs;
	struct sl_pos pos;
};

enum sl_mode { SL_MODE_NATIVE, SL_MODE_GENERIC, SL_MODE_AUTO };
enum sl_attach { SL_ATTACH_EXCLUSIVE, SL_ATTACH_SHARED };

/* One interface; a statement that names several makes several of these. */
struct sl_interface {
	char *name;
	enum sl_mode mode;     /* default native */
	enum sl_attach attach; /* default exclusive */
	bool frags;	       /* default off */
	bool count_source_port;
	struct sl_pos pos;
	struct sl_pos count_pos; /* of `count source-port` */
	unsigned statement; /* which statement it came from, for printing */
};

struct sl_rate {
	uint64_t value; /* packets or bits a second */
	bool bits;
};

enum sl_action {
	SL_ACTION_PASS,
	SL_ACTION_DROP,
	SL_ACTION_BOUNCE,
	SL_ACTION_REDIRECT, /* to a device */
	SL_ACTION_REDIRECT_FIB,
	SL_ACTION_FORWARD,
	SL_ACTION_ROUTE,
	SL_ACTION_LIMIT,
	SL_ACTION_COUNT,
	SL_ACTION_LOG,
};

struct sl_action_spec {
	enum sl_action action;
	char *device;	     /* REDIRECT */
	bool fallback_drop;  /* FORWARD, ROUTE; default: pass */
	struct sl_rate rate; /* LIMIT */
	uint64_t burst;	     /* LIMIT; 0: not given */
	bool per_source;     /* LIMIT */
	int source4_bits,
		source6_bits; /* LIMIT per source; 32 and 128 unless given */
	uint64_t sample;      /* LOG; 0: not given */
};

enum sl_proto {
	SL_PROTO_ANY, /* no PROTO written */
	SL_PROTO_IP,
	SL_PROTO_IP6,
	SL_PROTO_TCP,
	SL_PROTO_UDP,
	SL_PROTO_ICMP,
	SL_PROTO_ICMP6,
	SL_PROTO_SCTP,
	SL_PROTO_NUMBER, /* `proto N`, either family */
};

enum sl_addr_kind { SL_ADDR_ANY, SL_ADDR_PREFIXES, SL_ADDR_SET };

struct sl_addr {
	enum sl_addr_kind kind;
	bool written; /* `from any` and nothing mean the same, print differently
		       */
	bool negated;
	struct sl_prefix *prefixes; /* SL_ADDR_PREFIXES */
	size_t n_prefixes;
	const struct sl_set *set; /* SL_ADDR_SET; owned by the configuration */
};

struct sl_port_range {
	uint16_t low, high; /* inclusive */
};

struct sl_ports {
	bool any; /* nothing, or `port any`, was written */
	bool written;
	struct sl_port_range *ranges;
	size_t n_ranges;
};

enum sl_fragment {
	SL_FRAG_ANY,
	SL_FRAG_FIRST,
	SL_FRAG_LATER,
	SL_FRAG_YES,
	SL_FRAG_NO
};

/* Which options a rule has written. */
#define SL_OPT_FLAGS (1u << 0)
#define SL_OPT_ICMP_TYPE (1u << 1)
#define SL_OPT_ICMP_CODE (1u << 2)
#define SL_OPT_FRAGMENT (1u << 3)
#define SL_OPT_LENGTH (1u << 4)
#define SL_OPT_DSCP (1u << 5)
#define SL_OPT_VLAN (1u << 6)
#define SL_OPT_INNER_VLAN (1u << 7)
#define SL_OPT_ETHERTYPE (1u << 8)
#define SL_OPT_MAC_SRC (1u << 9)
#define SL_OPT_MAC_DST (1u << 10)
#define SL_OPT_OBSERVE (1u << 11)
#define SL_OPT_EXPIRES (1u << 12)
#define SL_OPT_OWNER (1u << 13)
#define SL_OPT_BAND (1u << 14)
#define SL_OPT_COUNT 15

struct sl_mac_match {
	bool negated;
	const struct sl_set *set;
};

struct sl_options {
	uint32_t written;		 /* SL_OPT_* */
	struct sl_pos pos[SL_OPT_COUNT]; /* of option 1 << i, where written */
	uint8_t flags_value, flags_mask;
	uint8_t icmp_type, icmp_code;
	enum sl_fragment fragment;
	uint32_t length_low, length_high; /* bytes of the IP packet */
	uint8_t dscp;
	uint16_t vlan, inner_vlan, ethertype;
	struct sl_mac_match mac_src, mac_dst;
	uint64_t expires_ns;
	char *owner;
	uint32_t band;
};

struct sl_rule {
	char *name;
	struct sl_action_spec verdict;
	char *on; /* interface name, or NULL */
	enum sl_proto proto;
	uint8_t proto_number; /* SL_PROTO_NUMBER */
	struct sl_addr src, dst;
	struct sl_ports sport, dport;
	struct sl_options options;
	struct sl_pos pos; /* of the name */
	struct sl_pos verdict_pos;
	struct sl_pos on_pos; /* of the interface's name */
	/* Not of the text, but of what runs (rulelist.h, apply.h). */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: its time has not begun */
	bool fresh;	      /* begins anew, though a rule of its name runs */
};

struct sl_limits {
	bool given;
	uint64_t rules;	       /* 0: not given */
	uint64_t tables_bytes; /* 0: not given */
	uint64_t sets_bytes;   /* 0: not given */
	struct sl_pos pos;
};

struct sl_extension {
	bool after;
	uint32_t slot;
	char *path;
	struct sl_pos pos;
};

struct sl_wire {
	char *a, *b;
	struct sl_pos pos;
};

enum sl_poll { SL_POLL_SLEEP, SL_POLL_ADAPTIVE, SL_POLL_BUSY };
enum sl_zerocopy { SL_ZC_AUTO, SL_ZC_REQUIRE, SL_ZC_OFF };
enum sl_stage_kind {
	SL_STAGE_POLICE,
	SL_STAGE_MIRROR,
	SL_STAGE_CAPTURE,
	SL_STAGE_USER
};

struct sl_stage {
	enum sl_stage_kind kind;
	struct sl_rate rate; /* POLICE */
	char *target;	     /* MIRROR: interface; CAPTURE, USER: file */
	uint64_t sample;     /* CAPTURE; 0: not given */
	char *rule;	     /* NULL: all */
	struct sl_pos pos, rule_pos;
};

struct sl_forwarder {
	bool given;
	struct sl_wire *wires;
	size_t n_wires;
	bool route;
	uint32_t workers; /* 0: auto */
	uint32_t *cpus;	  /* `cpus LIST`, expanded */
	size_t n_cpus;
	enum sl_poll poll;	   /* default sleep */
	uint32_t poll_budget;	   /* 0: not given */
	uint32_t poll_defer;	   /* 0: not given */
	uint64_t poll_timeout_ns;  /* 0: not given */
	enum sl_zerocopy zerocopy; /* default auto */
	struct sl_stage *stages;   /* in order */
	size_t n_stages;
	struct sl_pos pos;
	/* Of `route`, the mode of `poll`, and its parameters. */
	struct sl_pos route_pos, poll_pos, budget_pos, defer_pos, timeout_pos;
};

/*
 * Whether the forwarder asks by which rule a packet came, or what else the
 * filter found out of it (sluice/meta.h). A plain wire does not.
 */
bool sl_forwarder_asks(const struct sl_forwarder *forwarder);

struct sl_metrics {
	bool given;
	char *listen;
	uint32_t ports; /* 0: not given */
	struct sl_pos pos;
};

struct sl_config {
	struct sl_interface *interfaces;
	size_t n_interfaces;
	bool default_given, default_drop; /* default: pass */
	struct sl_limits limits;
	struct sl_set **sets; /* pointers, so that rules may point at them */
	size_t n_sets;
	struct sl_rule *rules; /* in the order of evaluation */
	size_t n_rules;
	struct sl_extension *extensions;
	size_t n_extensions;
	struct sl_forwarder forwarder;
	struct sl_metrics metrics;
	struct sl_source *source; /* the text, for messages; private to lib/ */
};

/*
 * Parses `length` bytes of `text`; `name` stands in messages, and set files
 * with a relative path are found beside it. On success *config is the
 * caller's and 0 is returned (warnings may be in `diags`); else -EINVAL (the
 * errors are in `diags`), or -ENOMEM, and *config is unchanged.
 */
int sl_config_parse(const char *text, size_t length, const char *name,
		    struct sl_diags *diags, struct sl_config **config);

/* The same for a file; an unreadable file is an error in `diags` too (-EINVAL).
 */
int sl_config_read(const char *path, struct sl_diags *diags,
		   struct sl_config **config);

/*
 * Parses rules alone, one a line, in which the word `rule` may be left out, for
 * `base`: what they name must be there, and its sets stay its own. On success
 * *rules is the caller's, holds nothing but rules, and goes before `base`
 * does. Without `base` (NULL) names are not resolved. The rest as above.
 */
int sl_config_parse_rules(const char *text, size_t length, const char *name,
			  const struct sl_config *base, struct sl_diags *diags,
			  struct sl_config **rules);

void sl_config_free(struct sl_config *config); /* NULL is fine */

/* Print with the contents of set files in place of `file "PATH"`. */
#define SL_PRINT_EXPAND 1u
/* With it, print the contents of live sets too; else they are left empty. */
#define SL_PRINT_LIVE 2u

/*
 * Prints the canonical form: sl_config_parse() of it gives an equal
 * configuration. 0, or -EIO if the stream failed.
 */
int sl_config_print(const struct sl_config *config, unsigned flags, FILE *out);

/*
 * Refuses, by name, each part of the language that this version parses but
 * does not carry out yet. 0, or -EINVAL with the errors in `diags`.
 */
int sl_config_check_effective(const struct sl_config *config,
			      struct sl_diags *diags);

/* The interface of that name, or NULL. */
const struct sl_interface *sl_config_interface(const struct sl_config *config,
					       const char *name);

/*
 * Gives an interface of the configuration another name, and says it wherever the
 * configuration said the old one. 0; or -ENOMEM, and part of it may be done.
 */
int sl_config_rename(struct sl_config *config, struct sl_interface *interface,
		     const char *to);

/* The bit of a live set in the mask of a lookup: its place among the live sets. */
unsigned sl_config_live_bit(const struct sl_config *config,
			    const struct sl_set *set);

/* The words of the language for an enum's values ("native", "pass", ...). */
const char *sl_mode_text(enum sl_mode mode);
const char *sl_action_text(enum sl_action action);

#endif /* SLUICE_CONFIG_H */
