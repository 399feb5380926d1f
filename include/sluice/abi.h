/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the filter (BPF) and user space share: verdicts, verdict reasons, the
 * layout of every map value and of a generation's tables. Built by both
 * compilers; every struct has fixed-width members, explicit padding and an
 * asserted size.
 *
 * Maps of a loaded filter, found by name through the program's id:
 *
 *   name        kind           key            value             life
 *   sl_totals   PERCPU_ARRAY   0              sl_totals         interface
 *   sl_ports    PERCPU_ARRAY   block          sl_port_block     interface
 *   sl_rules    PERCPU_ARRAY   slot / 1024    sl_rule_block     interface
 *   xsks_map    XSKMAP         RX queue       AF_XDP socket     interface
 *   sl_log      RINGBUF                       sl_log_record     interface
 *   sl_names    ARRAY, mmap    rule slot      sl_rule_name      generation
 *   sl_tables   ARRAY, mmap    0              compiled tables   generation
 *   sl_cache    ARRAY          0              keys and answers  generation
 *   sl_live     ARRAY, mmap    0              sluice/live.h     configuration
 *   sl_ext      PROG_ARRAY     sluice/ext.h   program           interface
 *   sl_ext_state PERCPU_ARRAY  0              sl_ext_state      interface
 *   sl_devs     DEVMAP_HASH    ifindex        bpf_devmap_val    generation
 *   sl_hop      PERCPU_ARRAY   0              sl_hop            generation
 *   sl_hops     ARRAY          0              sl_hops           generation
 *   sl_text     ARRAY          0              canonical config  generation
 *   .rodata.gen ARRAY, frozen  0              sl_gen            generation
 *
 * "interface" maps are handed from one generation to the next, so counters and
 * sockets survive a reload; "generation" maps live and die with the program; the
 * "configuration" map is one for all interfaces of one `apply`.
 * The sl_ext maps are only there with extensions.
 * (sl_log is made anew when a reload brings the first `log` rule or takes the
 * last: it is one page without, SL_LOG_BYTES with.)
 */
#ifndef SLUICE_ABI_H
#define SLUICE_ABI_H

#include <linux/types.h>

#include "sluice/ext.h"
#include "sluice/hop.h"
#include "sluice/live.h"

#define SL_ABI_MAGIC 0x45434c53u /* "SLCE" in memory, little endian */
#define SL_ABI_VERSION 5

/* Names are at most this long, with the terminating NUL. */
#define SL_NAME_BYTES 64

/*
 * Rules in a configuration: what `limits { rules N }` may ask for, and what
 * holds without it. A filter keeps twice as many counters, for the running and
 * the next generation's rules side by side.
 */
#define SL_RULES_MAX 65536
#define SL_RULES_DEFAULT 16384
#define SL_SLOTS_MAX (2 * SL_RULES_MAX)
#define SL_SLOTS_DEFAULT (2 * SL_RULES_DEFAULT)
#define SL_WORDS_MAX (SL_RULES_MAX / 64)
#define SL_SUMMARY_MAX (SL_WORDS_MAX / 64)
/* RX queues an XSKMAP covers: on one beyond, `forward` takes its fallback. */
#define SL_QUEUES_MAX 64
/* Devices that rules may redirect to. */
#define SL_DEVICES_MAX 256

/*
 * What happens to a packet. The order is the order of the columns of struct
 * sl_verdict_counters.
 */
#define SL_VERDICTS(X)                                                  \
	X(PASS, pass, "to the kernel's network stack")                  \
	X(DROP, drop, "dropped here")                                   \
	X(BOUNCE, bounce, "sent back where it came from, MACs swapped") \
	X(REDIRECT, redirect, "sent out of another device")             \
	X(FORWARD, forward, "handed to the forwarder's AF_XDP socket")  \
	X(EXTENSION, extension, "what the extension returned")

enum sl_verdict {
#define X(id, text, help) SL_VERDICT_##id,
	SL_VERDICTS(X)
#undef X
		SL_VERDICT_COUNT
};

/*
 * Why. Every packet that enters the filter is counted in exactly one reason.
 * The four last name what the parser could not read; such a packet still takes
 * the verdict of the first rule that matches on what could be read (reason
 * "rule"), and only else the default policy, under the parser's reason.
 */
#define SL_REASONS(X)                                                         \
	X(RULE, rule, "a rule decided")                                       \
	X(DEFAULT, default, "no rule matched: the default policy")            \
	X(NO_SOCKET, no_socket, "forward without an AF_XDP socket: fallback") \
	X(LIMITED, limited, "over the rate of a limit rule: drop")            \
	X(NO_DEVICE, no_device, "redirect to a device that is gone: drop")    \
	X(TO_KERNEL, to_kernel, "route, redirect fib: the kernel's to do")    \
	X(EXTENSION, extension, "an extension decided")                       \
	X(TRUNCATED, truncated, "a header ends past the packet: default")     \
	X(MALFORMED, malformed, "contradictory header fields: default")       \
	X(VLAN_BOUND, vlan_bound, "more than two VLAN tags: default")         \
	X(EXT_BOUND, ext_bound, "IPv6 extension headers past bound: default")

enum sl_reason {
#define X(id, text, help) SL_REASON_##id,
	SL_REASONS(X)
#undef X
		SL_REASON_COUNT
};

struct sl_counter {
	__u64 packets;
	__u64 bytes; /* frame bytes from the destination MAC on, without FCS */
};

struct sl_verdict_counters {
#define X(id, text, help) struct sl_counter text;
	SL_VERDICTS(X)
#undef X
};

/* rx is counted on entry, the rest where the verdict falls. */
struct sl_totals {
	struct sl_counter rx;
	/* One member a reason; "reason_default" because C owns the word. */
#define X(id, text, help) struct sl_verdict_counters reason_##text;
	SL_REASONS(X)
#undef X
	struct sl_counter log_lost; /* samples that found sl_log full */
};

/* Ports are counted in blocks of 256: block = proto << 8 | port >> 8. */
#define SL_PORT_TCP 0
#define SL_PORT_UDP 1
#define SL_PORT_PROTOS 2
#define SL_PORT_BLOCK 256
#define SL_PORT_BLOCKS (SL_PORT_PROTOS * 65536 / SL_PORT_BLOCK)

struct sl_port_block {
	struct sl_counter port[SL_PORT_BLOCK];
};

/*
 * Rules are counted in blocks, too: a per-CPU array finds each of its values
 * through a pointer, which would be one more cache miss a packet.
 */
#define SL_RULE_BLOCK 1024

struct sl_rule_block {
	struct sl_counter rule[SL_RULE_BLOCK];
};

/* Who the rule slot belongs to in this generation; name[0] == 0: nobody. */
struct sl_rule_name {
	char name[SL_NAME_BYTES];
	__u32 position; /* from 0, in the order of evaluation */
	__u8 action;	/* enum sl_step_action */
	__u8 verdict;	/* enum sl_verdict, if the action is one */
	__u8 flags;	/* SL_STEP_OBSERVE */
	__u8 pad;
	__u64 expires_ns; /* CLOCK_MONOTONIC; 0: never */
	/* What the slot had counted, on all CPUs, when the rule was given it. */
	struct sl_counter base;
};

/*
 * The probe of `sluice explain`. A packet run by BPF_PROG_TEST_RUN carries it
 * as metadata; a program whose generation has the same nonce writes its answer
 * there, changes no counter and passes the packet. 32 bytes is what the
 * oldest supported kernel takes as metadata.
 */
struct sl_probe {
	__u64 nonce;
	__u32 answered; /* 1: the fields below are the answer */
	__u16 verdict;	/* enum sl_verdict, after any fallback */
	__u16 reason;	/* enum sl_reason */
	__u32 slot;	/* rule slot, or SL_SLOT_NONE */
	__u32 pad;
	__u64 generation;
};

#define SL_SLOT_NONE 0xffffffffu

/*
 * A sample of a `log` rule: one record a packet, however many rules took it,
 * written when its verdict has fallen.
 */
#define SL_LOG_BYTES (1u << 20) /* of the ring: 5,461 records */
#define SL_LOG_RULES 4
#define SL_LOG_HEAD 128

struct sl_log_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 generation;
	__u32 ifindex; /* where it came in */
	__u32 rx_queue;
	__u32 frame_bytes;
	__u32 head_bytes; /* of `head` that are the frame's; the rest is 0 */
	__u32 slot;	  /* of the rule that decided, or SL_SLOT_NONE */
	__u16 verdict;	  /* enum sl_verdict, after any fallback */
	__u16 reason;	  /* enum sl_reason */
	/* Slots of the log rules, the last one first; then SL_SLOT_NONE. */
	__u32 rule[SL_LOG_RULES];
	__u8 head[SL_LOG_HEAD];
};

/*
 * What a rule can ask of a packet. Each field's value maps to a class: values
 * in one class satisfy the same rules. The order is that of the lookup.
 *
 * SRC, DST and the MACs are looked up in tries, the others are numbers below
 * SL_FIELD_VALUES in paged arrays; a packet without the field (no ports, not
 * IP, no tag) has a class of its own, `none`.
 */
enum sl_field {
	SL_FIELD_SRC,
	SL_FIELD_DST,
	SL_FIELD_KIND,	   /* family * SL_KIND_FAMILY + protocol */
	SL_FIELD_FLAGS,	   /* of TCP */
	SL_FIELD_ICMP,	   /* type << 8 | code */
	SL_FIELD_FRAGMENT, /* SL_FRAGMENT_* */
	SL_FIELD_LIVE,	   /* 1: an address is in some live set; else 0 */
	SL_FIELD_DSCP,
	SL_FIELD_ETHERTYPE,
	SL_FIELD_VLAN,
	SL_FIELD_INNER_VLAN,
	SL_FIELD_LENGTH, /* of the IP packet; 65535 and more are one value */
	SL_FIELD_MAC_SRC,
	SL_FIELD_MAC_DST,
	SL_FIELD_SPORT,
	SL_FIELD_DPORT,
	SL_FIELD_COUNT
};

#define SL_FIELD_VALUES 65536

/* A packet's address family. */
#define SL_FAMILY_NONE 0
#define SL_FAMILY_IP4 1
#define SL_FAMILY_IP6 2
#define SL_FAMILY_COUNT 3

#define SL_PROTO_NONE 256 /* not IP, or the protocol could not be read */
#define SL_KIND_FAMILY 257

#define SL_FRAGMENT_NO 0
#define SL_FRAGMENT_FIRST 1
#define SL_FRAGMENT_LATER 2
#define SL_FRAGMENT_NONE 3 /* not IP, or it could not be read */

#define SL_VLAN_NONE 4096   /* no tag */
#define SL_FLAGS_NONE 256   /* not TCP, or not there */
#define SL_DSCP_NONE 64	    /* not IP */
#define SL_LENGTH_MAX 65535 /* and SL_LENGTH_MAX + 1: not IP */

/*
 * Address -> class: a multibit trie with path compression. A node tests the
 * bits it skipped against key/mask; on a difference the address has class
 * `miss`. Else (address[word] >> shift) & index_mask picks one of the entries
 * that follow the node: SL_TRIE_LEAF | class, or the offset of the next node.
 * MACs stand in the top 48 bits of address[0].
 */
#define SL_TRIE_LEAF 0x80000000u
#define SL_TRIE_STRIDE_MIN 4 /* what bounds the depth */
#define SL_TRIE_STRIDE_MAX 8 /* what index_mask holds */
#define SL_TRIE_DEPTH_MAC (48 / SL_TRIE_STRIDE_MIN)
#define SL_TRIE_DEPTH6 (128 / SL_TRIE_STRIDE_MIN)

struct sl_trie_node {
	__u64 key[2];
	__u64 mask[2];
	__u32 miss;	 /* a class */
	__u8 index_mask; /* so that the verifier knows it is below 256 */
	__u8 word;
	__u8 shift;
	__u8 pad;
};

/*
 * IPv4 address -> class: an array of entries for the first 16 bits, nodes for
 * the next `bits4` bits (4 or 8) and for `deeper4` each then, `steps4` of them
 * for every address. An entry is a class, in its lower `class_bits4` bits, or
 * above these where a node begins, in units of 16 entries; the other part is 0.
 * Node 0 is all zeros: who has a class goes on there, and what the entries on
 * the way have in common by "or" is the class.
 *
 * Small nodes, because what costs is cache lines and pages: one of 4 bits is a
 * line. No branch, because with many addresses none is predicted.
 */
#define SL_ARRAY4_ROOT_BITS 16
#define SL_ARRAY4_STRIDE 4
#define SL_ARRAY4_STRIDE_MAX 8
#define SL_ARRAY4_STEPS ((32 - SL_ARRAY4_ROOT_BITS) / SL_ARRAY4_STRIDE)
/* Entries of 4 bytes hold as much; where that is not enough, 8 have twice. */
#define SL_ARRAY4_CLASS_BITS 15
#define SL_ARRAY4_NODE_BITS 17

/*
 * The answer of a lookup, in 20 bits: what the first matching rule says, and
 * the rule's slot or, if there is more to do than to pass or drop, its step.
 */
#define SL_MATCH_NONE 0 /* no rule matches */
#define SL_MATCH_PASS 1
#define SL_MATCH_DROP 2
#define SL_MATCH_VERDICT 3 /* another verdict, that of the step */
#define SL_MATCH_STEP 4	   /* a condition or an action of the step */
#define SL_MATCH_KIND_BITS 3
#define SL_MATCH_BITS 20
#define SL_MATCH(kind, id) ((__u32)(id) << SL_MATCH_KIND_BITS | (kind))
#define SL_MATCH_KIND(m) ((m) & ((1u << SL_MATCH_KIND_BITS) - 1))
#define SL_MATCH_ID(m) ((m) >> SL_MATCH_KIND_BITS)

enum sl_step_action {
	SL_STEP_VERDICT, /* decides; the others let the packet go on */
	SL_STEP_COUNT,
	SL_STEP_LOG,
	SL_STEP_LIMIT
};

#define SL_STEP_OBSERVE 1u /* counts what it would have decided, goes on */
#define SL_STEP_NOT_SRC 2u /* the source must be outside live_src */
#define SL_STEP_NOT_DST 4u
#define SL_STEP_FIB 8u /* forward, redirect: where the kernel's FIB says */

/* What is left to do for a rule whose fields match. */
struct sl_step {
	__u32 slot;
	__u32 from;   /* the position to go on from */
	__u32 resume; /* the number of this step among those that go on, from 1 */
	__u8 action;   /* enum sl_step_action */
	__u8 verdict;  /* enum sl_verdict */
	__u8 fallback; /* forward: enum sl_verdict PASS or DROP */
	__u8 flags;    /* SL_STEP_* */
	__u32 ifindex; /* redirect: the device */
	__u32 live_src; /* live sets of which the source must be in one; 0: any */
	__u32 live_dst;
	__u32 sample;	  /* log: one packet in so many */
	__u64 expires_ns; /* CLOCK_MONOTONIC; 0: never */
	__u32 limiter;	  /* limit: its index */
	__u32 pad[5];
};

/*
 * The tables end in as many bytes that nothing points at, so that one
 * comparison with an offset makes what is at it readable: any entry, a whole
 * vector with its summary, a node with all its children, a step. The bytes are
 * never used.
 */
#define SL_TABLE_SLACK 16384

/* How one field becomes a class, and that a part of its group's and the key. */
struct sl_gen_field {
	__u16 used;	/* 0: no rule asks for it */
	__u16 word;	/* of the key */
	__u32 classes;	/* root of the trie, of the IPv4 array, or __u32[] */
	__u32 classes6; /* SRC, DST: root of the IPv6 trie */
	__u32 nodes4;	/* SRC, DST: node 0 of the IPv4 array */
	__u32 mask4;	/* and of entries from there, 2^n - 1 */
	__u32 pages;   /* __u16[256] numbers of pages of 256 classes; 0: flat */
	__u32 none;    /* the class of a packet without the field */
	__u32 combine; /* __u32[group's classes][n_classes]; 0: it begins it */
	__u32 n_classes;
	__u8 bits4;   /* SRC, DST: of the IPv4 array's first nodes, 4 or 8 */
	__u8 deeper4; /* and of those below */
	__u8 steps4;  /* and nodes that some address needs, 0 to 4 */
	__u8 class_bits4; /* 15, or 32 in entries of 8 bytes */
	__u64 weight; /* of the group's class in the key, if it ends it; or 0 */
};

/*
 * Fields are folded into groups: the class of a group stands for the classes
 * of all its fields. SRC and DST are groups of their own; the others share one
 * unless its table would grow too large.
 */
#define SL_GROUPS_MAX 8

struct sl_gen_group {
	__u32 n_classes;
	__u32 vectors; /* sparse: __u64[n_classes][summary_words + words] */
	__u8 shift;    /* sparse: of the class in the key */
	__u8 bits;     /* sparse: of the class */
	__u8 word;     /* of the key */
	__u8 pad;
};

/* Two words; the second is in use only if one cannot hold all classes. */
struct sl_key {
	__u64 word[2];
};

/*
 * The key is the sum of the groups' classes, each times its weight. Few keys:
 * `dense` has an answer for each. Else weights are powers of two, and the first
 * rule that matches is the lowest bit of the conjunction of the groups' bit
 * vectors (bit i: the rule at position i), each led by a summary (bit w: word w
 * is not 0); and a cache keeps the answers: sl_cache, 1 << cache_bits sets of
 * SL_CACHE_WAYS words a CPU. A word is the answer (SL_MATCH_BITS) and the rest
 * of the key, so that one load sees all of it or nothing.
 */
#define SL_DENSE_CELLS_MAX 65536
#define SL_CACHE_WAYS 4
#define SL_CACHE_BITS_MIN 8
#define SL_CACHE_BITS_MAX 15
#define SL_CACHE_TAG_BITS (64 - SL_MATCH_BITS - 2)

/*
 * A generation's constants. They are frozen before the program loads, so the
 * verifier cuts every stage that these rules do not use. Offsets are bytes
 * into sl_tables.
 */
struct sl_gen {
	__u32 magic;
	__u32 abi_version;
	__u64 generation; /* counts up from 1; 0: no configuration loaded */
	__u64 nonce;	  /* of struct sl_probe; 0: no probe is answered */
	__u64 keys;	  /* every key is below; times a resume it is added */
	__u32 default_verdict;
	__u32 flags; /* SL_GEN_* */
	__u32 n_rules;
	__u32 n_steps;
	__u32 table_bytes;   /* size of sl_tables's value */
	__u32 words;	     /* 64-bit words in a bit vector; 0: no rules */
	__u32 summary_words; /* 64-bit words in its summary */
	__u32 n_groups;
	__u32 dense;	  /* __u32[resumes][keys] answers; 0: sparse */
	__u32 answers;	  /* sparse: __u32[n_rules], by position */
	__u32 steps;	  /* struct sl_step[n_steps] */
	__u32 cache_bits; /* sparse; 0: no cache */
	__u32 cache_key_shift; /* keys, resumes included, are below 1 << (64 - this) */
	__u32 cache_cpus;
	__u32 want;	  /* of sl_parse(): bits of enum sl_field */
	__u32 table_last; /* the last offset where SL_TABLE_SLACK may be read */
	__u64 mac; /* of the interface, in the top 48 bits; if SL_GEN_FIB */
	struct sl_live_shape live;
	struct sl_gen_group group[SL_GROUPS_MAX];
	struct sl_gen_field field[SL_FIELD_COUNT];
};

#define SL_GEN_REDIRECTS 1u  /* some rule redirects: sl_devs is in use */
#define SL_GEN_FORWARDS 2u   /* some rule forwards: xsks_map is in use */
#define SL_GEN_BOUNCES 4u    /* some rule bounces */
#define SL_GEN_NETLINK 8u    /* Sluice attached it by netlink, without a link */
#define SL_GEN_VERDICTS 16u  /* some rule's verdict is in its step */
#define SL_GEN_STEPS 32u     /* some rule has a condition or action of a step */
#define SL_GEN_EXPIRES 64u   /* some rule expires */
#define SL_GEN_LIVE_SRC 128u /* some rule names a live set as source */
#define SL_GEN_LIVE_DST 1024u
#define SL_GEN_LIVE (SL_GEN_LIVE_SRC | SL_GEN_LIVE_DST)
#define SL_GEN_LIMITS 256u /* some rule limits: the sl_limit maps are in use */
#define SL_GEN_FORGETS 4096u /* much to verify: see sl_packet_forget() */
#define SL_GEN_LOGS 512u     /* some rule logs: sl_log is in use */
#define SL_GEN_EXT 2048u     /* it has extensions: sl_ext is in use */
#define SL_GEN_FIB 8192u     /* some rule asks the kernel's FIB */
#define SL_GEN_META 16384u   /* what is forwarded carries sluice/meta.h */

#define SL_ASSERT_SIZE(type, bytes) \
	_Static_assert(sizeof(type) == (bytes), #type " is " #bytes " bytes")

SL_ASSERT_SIZE(struct sl_counter, 16);
SL_ASSERT_SIZE(struct sl_verdict_counters, 16 * SL_VERDICT_COUNT);
SL_ASSERT_SIZE(struct sl_totals, 32 + 16 * SL_VERDICT_COUNT * SL_REASON_COUNT);
SL_ASSERT_SIZE(struct sl_port_block, 4096);
SL_ASSERT_SIZE(struct sl_rule_name, 96);
SL_ASSERT_SIZE(struct sl_rule_block, 16384); /* 32 KiB is what a CPU may have */
SL_ASSERT_SIZE(struct sl_probe, 32);
SL_ASSERT_SIZE(struct sl_log_record, 56 + SL_LOG_HEAD);
SL_ASSERT_SIZE(struct sl_trie_node, 40);
SL_ASSERT_SIZE(struct sl_step, 64);
SL_ASSERT_SIZE(struct sl_gen_field, 48);
SL_ASSERT_SIZE(struct sl_gen_group, 12);
SL_ASSERT_SIZE(struct sl_gen, 152 + 12 * SL_GROUPS_MAX + 48 * SL_FIELD_COUNT);
_Static_assert((SL_SUMMARY_MAX + SL_WORDS_MAX) * sizeof(__u64) <=
		       SL_TABLE_SLACK,
	       "a vector is within the slack");
_Static_assert(sizeof(struct sl_trie_node) + 1024 <= SL_TABLE_SLACK,
	       "a node and its children are within the slack");
_Static_assert(SL_SLOTS_MAX <= 1 << (SL_MATCH_BITS - SL_MATCH_KIND_BITS),
	       "a slot fits into an answer");

/*
 * The names of the entries, by which a filter is known in the kernel; the
 * last two are those with extensions.
 */
#define SL_PROGRAM "sluice_xdp"
#define SL_PROGRAM_FRAGS "sluice_frags"
#define SL_PROGRAM_EXT "sluice_ext"
#define SL_PROGRAM_EXT_FRAGS "sluice_ext_frag"

#endif /* SLUICE_ABI_H */
