// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worked example of an extension: drops DNS queries of type ANY, which
 * amplification attacks ask for and hardly anybody else (RFC 8482). Rules see
 * headers; this looks into the payload.
 *
 * Build (`make` does it for this one):
 *
 *	clang -target bpf -O2 -g -I/usr/local/include \
 *		-I/usr/include/$(gcc -print-multiarch) \
 *		-c drop_dns_any.bpf.c -o drop_dns_any.bpf.o
 *
 * Try it on what runs, look at it, take it out again:
 *
 *	sluice ext load -i eth1 before 0 drop_dns_any.bpf.o
 *	sluice ext list
 *	sluice stats eth1                  # reason "extension"
 *	sluice ext unload -i eth1 before 0
 *
 * Or for good, in the configuration, with the object beside it:
 *
 *	extension before 0 "drop_dns_any.bpf.o"
 *
 * IPv4 without options and IPv6 without extension headers, no VLAN tags, one
 * question a query: the rest goes on to the rules.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#ifdef SLUICE_TREE
#include "xdp/extension.h"
#else
#include <sluice/extension.h>
#endif

#define DNS_PORT 53
#define DNS_TYPE_ANY 255
#define DNS_NAME_MAX 255    /* RFC 1035, 2.3.4 */
#define IP4_FRAGMENT 0x3fff /* more fragments, or an offset */

struct dns_header {
	__be16 id, flags, questions, answers, authorities, additionals;
};

char LICENSE[] SEC("license") = "GPL";

/* The UDP header of a packet that has one at the usual place, or NULL. */
static __always_inline struct udphdr *find_udp(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > end)
		return NULL;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (ip->protocol != IPPROTO_UDP || ip->ihl != 5 ||
		    ip->frag_off & bpf_htons(IP4_FRAGMENT))
			return NULL;
		return (void *)(ip + 1);
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ip6 + 1) > end ||
	    ip6->nexthdr != IPPROTO_UDP)
		return NULL;
	return (void *)(ip6 + 1);
}

/* The type of the question, whose name is behind `pos`; 0: not there. */
static __always_inline __u16 question_type(__u8 *pos, void *end)
{
	for (int i = 0; i < DNS_NAME_MAX; i++) {
		if ((void *)(pos + 3) > end)
			return 0;
		if (*pos++ == 0)
			return pos[0] << 8 | pos[1];
		/*
		 * Byte by byte, not label by label: a 0 inside a label is legal
		 * but no resolver's, and the bound is simple.
		 */
	}
	return 0;
}

static __always_inline int is_any_query(void *data, void *end)
{
	struct udphdr *udp = find_udp(data, end);
	struct dns_header *dns;

	if (!udp)
		return 0;
	dns = (void *)(udp + 1);
	if ((void *)(dns + 1) > end || udp->dest != bpf_htons(DNS_PORT) ||
	    dns->flags & bpf_htons(0x8000) || dns->questions != bpf_htons(1))
		return 0;
	return question_type((void *)(dns + 1), end) == DNS_TYPE_ANY;
}

SEC("xdp")
int drop_dns_any(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data,
	     *end = (void *)(long)ctx->data_end;

	return is_any_query(data, end) ? XDP_DROP : sluice_next(ctx);
}
