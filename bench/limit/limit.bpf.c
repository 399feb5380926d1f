// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limiter (xdp/limit.h) by itself, to be run by BPF_PROG_TEST_RUN: the
 * programs "limit_*" ask it about a packet of one source, of a random one, or
 * one in sixteen of the one and else random; "base_*" do all but that. The
 * frame's size is the packet's; its bytes do not matter.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench/limit/limit.h"
#include "xdp/limit.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(max_entries, SL_LIMITERS_MAX);
	__type(key, __u32);
	__type(value, struct sl_limiter);
} sl_limiters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_LIMITERS_MAX);
	__type(key, __u32);
	__type(value, struct sl_limit_cpu);
} sl_limit_cpus SEC(".maps");

/* The number of lines is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_limit_line);
} sl_limit_lines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct limit_counts);
} limit_counts SEC(".maps");

/* xorshift64: a random source costs 2 ns, bpf_get_prandom_u32() 10. */
static __always_inline __u64 draw(struct limit_counts *counts)
{
	__u64 x = counts->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	counts->random = x;
	return x;
}

static __always_inline bool ask(const __u64 src[2], __u32 bytes)
{
	struct sl_limit_line *line;
	struct sl_limit_cpu *cpu;
	struct sl_limiter *l;
	__u32 slot = LIMIT_SLOT, key;
	__u64 hash;

	l = bpf_map_lookup_elem(&sl_limiters, &slot);
	cpu = bpf_map_lookup_elem(&sl_limit_cpus, &slot);
	if (!l || !cpu)
		return false;
	key = sl_limit_locate(l, src, SL_FAMILY_IP4, &hash);
	line = bpf_map_lookup_elem(&sl_limit_lines, &key);
	return line && sl_limit_conforms(l, cpu, line, hash, bytes);
}

enum sources { ONE, RANDOM, MIXED };

static __always_inline int run(struct xdp_md *ctx, enum sources sources,
			       bool limit)
{
	__u64 bytes = (__u64)ctx->data_end - (__u64)ctx->data;
	struct limit_counts *counts;
	__u64 src[2] = { LIMIT_HITTER, 0 };
	bool hitter = true, passed = true;
	__u32 zero = 0;

	/* Or clang keeps halves of the pointers, which the verifier refuses. */
	SL_KEEP(bytes);
	counts = bpf_map_lookup_elem(&limit_counts, &zero);
	if (!counts)
		return XDP_ABORTED;
	if (sources != ONE) {
		__u64 x = draw(counts);

		hitter = sources == MIXED && x % 16 == 0;
		if (!hitter)
			src[0] = x & 0xffffffff00000000ull;
	}
	if (limit)
		passed = ask(src, (__u32)bytes);
	if (passed && hitter)
		counts->hitter_passed++;
	else if (hitter)
		counts->hitter_refused++;
	else if (passed)
		counts->passed++;
	else
		counts->refused++;
	return passed ? XDP_PASS : XDP_DROP;
}

#define PROGRAMS(name, sources)                  \
	SEC("xdp")                               \
	int limit_##name(struct xdp_md *ctx)     \
	{                                        \
		return run(ctx, sources, true);  \
	}                                        \
                                                 \
	SEC("xdp")                               \
	int base_##name(struct xdp_md *ctx)      \
	{                                        \
		return run(ctx, sources, false); \
	}

PROGRAMS(one, ONE)
PROGRAMS(random, RANDOM)
PROGRAMS(mixed, MIXED)
