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
 *   sl_rules    PERCPU_ARRAY   rule slot      sl_counter        interface
 *   xsks_map    XSKMAP         RX queue       AF_XDP socket     interface
 *   sl_names    ARRAY          rule slot      sl_rule_name      generation
 *   sl_tables   ARRAY, mmap    0              compiled tables   generation
 *   sl_devs     DEVMAP_HASH    ifindex        bpf_devmap_val    generation
 *   sl_text     ARRAY          0              canonical config  generation
 *   .rodata.gen ARRAY, frozen  0              sl_gen            generation
 *
 * "interface" maps are handed from one generation to the next, so counters and
 * sockets survive a reload; "generation" maps live and die with the program.
 */
#ifndef SLUICE_ABI_H
#define SLUICE_ABI_H

#include <linux/types.h>

#define SL_ABI_MAGIC 0x45434c53u /* "SLCE" in memory, little endian */
#define SL_ABI_VERSION 1

/* Names are at most this long, with the terminating NUL. */
#define SL_NAME_BYTES 64

/* Limits of this version of the compiler and the lookup. */
#define SL_RULES_MAX 256 /* ordered rules in a configuration */
#define SL_WORDS_MAX (SL_RULES_MAX / 64)
#define SL_SLOTS_MAX 1024 /* rule counters kept at once, old and new */
/* RX queues an XSKMAP covers: on one beyond, `forward` takes its fallback. */
#define SL_QUEUES_MAX 64

/*
 * What happens to a packet. The order is the order of the columns of struct
 * sl_verdict_counters.
 */
#define SL_VERDICTS(X)                                                  \
	X(PASS, pass, "to the kernel's network stack")                  \
	X(DROP, drop, "dropped here")                                   \
	X(BOUNCE, bounce, "sent back where it came from, MACs swapped") \
	X(REDIRECT, redirect, "sent out of another device")             \
	X(FORWARD, forward, "handed to the forwarder's AF_XDP socket")

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
	X(NO_DEVICE, no_device, "redirect to a device that is gone: drop")    \
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

/* Who the rule slot belongs to in this generation; name[0] == 0: nobody. */
struct sl_rule_name {
	char name[SL_NAME_BYTES];
	__u32 position; /* from 0, in the order of evaluation */
	__u32 verdict;	/* enum sl_verdict */
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
	__u32 position; /* rule position, or SL_SLOT_NONE */
	__u64 generation;
};

#define SL_SLOT_NONE 0xffffffffu

/*
 * Dimensions of the classification. Each maps a field of the packet to a
 * class, and each class has a bit vector: bit i set means "rule i may match". A
 * class is the index of its vector's first word among the dimension's.
 */
enum sl_dim {
	SL_DIM_SRC,
	SL_DIM_DST,
	SL_DIM_KIND, /* (family, protocol) */
	SL_DIM_SPORT,
	SL_DIM_DPORT,
	SL_DIM_FRAGMENT,
	SL_DIM_VLAN,
	SL_DIM_COUNT
};

/* A packet's address family. */
#define SL_FAMILY_NONE 0
#define SL_FAMILY_IP4 1
#define SL_FAMILY_IP6 2
#define SL_FAMILY_COUNT 3

#define SL_PROTO_NONE 256 /* not IP, or the protocol could not be read */
#define SL_KINDS 771	  /* SL_FAMILY_COUNT x (256 protocols, none) */

#define SL_FRAGMENT_NO 0
#define SL_FRAGMENT_FIRST 1
#define SL_FRAGMENT_LATER 2
#define SL_FRAGMENT_NONE 3 /* not IP, or it could not be read */
#define SL_FRAGMENT_COUNT 4

#define SL_VLAN_NONE 4096 /* no tag */
#define SL_VLANS 4097

/*
 * Address -> class: a multibit trie with path compression, one for each of
 * (IPv4, IPv6) x (source, destination). A node tests the bits it skipped
 * against key/mask; on a difference the address has class `miss`. Else
 * (address[word] >> shift) & index_mask picks one of the entries that follow
 * the node: SL_TRIE_LEAF | class, or the offset of the next node. IPv4
 * addresses stand in the top 32 bits of address[0].
 */
#define SL_TRIE_LEAF 0x80000000u
#define SL_TRIE_STRIDE_MIN 4 /* so depth <= 8 for IPv4, <= 32 for IPv6 */
#define SL_TRIE_STRIDE_MAX 8 /* what index_mask holds */
#define SL_TRIE_DEPTH4 (32 / SL_TRIE_STRIDE_MIN)
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

/* What a rule says once it is the first that matches; indexed by position. */
struct sl_rule_info {
	__u32 slot;
	__u16 verdict;	/* enum sl_verdict */
	__u16 fallback; /* forward: enum sl_verdict PASS or DROP */
	__u32 ifindex;	/* redirect: the device */
	__u32 pad;
};

/*
 * The tables end in as many bytes that nothing points at, so that one
 * comparison with an offset makes what is at it readable: any entry, a whole
 * vector, a node with all its children.
 */
#define SL_TABLE_SLACK (sizeof(struct sl_trie_node) + 1024)

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
	__u32 default_verdict;
	__u32 words;	   /* 64-bit words in a bit vector; 0: no rules */
	__u32 table_bytes; /* size of sl_tables's value */
	__u32 dims;	   /* bit d: some rule looks at enum sl_dim d */
	__u32 trie4[2];	   /* root node, [SL_DIM_SRC], [SL_DIM_DST] */
	__u32 trie6[2];
	__u32 class_no_address[2]; /* of a packet that is not IP */
	__u32 kind_classes;	   /* __u32[SL_KINDS] */
	__u32 port_pages[2]; /* source, destination: __u16[256] page numbers */
	__u32 port_classes[2];	     /* __u32[pages][256] */
	__u32 class_no_port[2];	     /* of a packet without ports */
	__u32 vlan_classes;	     /* __u32[SL_VLANS] */
	__u32 vectors[SL_DIM_COUNT]; /* __u64[classes][words] */
	__u32 rules;		     /* struct sl_rule_info[] */
	__u32 flags;		     /* SL_GEN_* */
	__u32 n_rules;
};

#define SL_GEN_REDIRECTS 1u /* some rule redirects: sl_devs is in use */
#define SL_GEN_FORWARDS 2u  /* some rule forwards: xsks_map is in use */
#define SL_GEN_BOUNCES 4u   /* some rule bounces */
#define SL_GEN_NETLINK 8u   /* Sluice attached it by netlink, without a link */

#define SL_ASSERT_SIZE(type, bytes) \
	_Static_assert(sizeof(type) == (bytes), #type " is " #bytes " bytes")

SL_ASSERT_SIZE(struct sl_counter, 16);
SL_ASSERT_SIZE(struct sl_verdict_counters, 16 * SL_VERDICT_COUNT);
SL_ASSERT_SIZE(struct sl_totals, 16 + 16 * SL_VERDICT_COUNT * SL_REASON_COUNT);
SL_ASSERT_SIZE(struct sl_port_block, 4096);
SL_ASSERT_SIZE(struct sl_rule_name, 72);
SL_ASSERT_SIZE(struct sl_probe, 32);
SL_ASSERT_SIZE(struct sl_trie_node, 40);
SL_ASSERT_SIZE(struct sl_rule_info, 16);
SL_ASSERT_SIZE(struct sl_gen, 136);

/* The names of the two entries, by which a filter is known in the kernel. */
#define SL_PROGRAM "sluice_xdp"
#define SL_PROGRAM_FRAGS "sluice_frags"

#endif /* SLUICE_ABI_H */
