// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generator's program. The kernel runs it by BPF_PROG_RUN with live
 * frames: it takes a page from a page pool, copies the input into it once, and
 * runs the program, whose redirect hands the frame to the device. When the
 * receiver is done with a frame the page comes back as the receiver left it:
 * with a VLAN tag taken out, a TTL counted down, MACs swapped. So nothing is
 * ever derived from what the frame holds: all headers are written anew, from
 * constants, and the checksums are computed from partial sums of these
 * constants plus the varying fields. In replay the whole frame is written.
 *
 * The payload of generated packets is written only by the kernel's copy: to
 * write it each time would cost 30 ns at 1,500 bytes.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench/gen/checksum.h"
#include "bench/gen/draw.h"
#include "bench/gen/gen.h"

/* Offsets in IPv4, IPv6, TCP and UDP headers (RFC 791, 8200, 9293, 768). */
#define IP4_CHECK 10
#define IP4_SRC 12
#define IP4_DST 16
#define IP6_SRC_LOW 16
#define IP6_DST_LOW 32
#define L4_SPORT 0
#define L4_DPORT 2

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} device SEC(".maps");

/* Size and number of the values are set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct gen_frame) + 64);
} frames SEC(".maps");

const volatile struct gen_config config;
struct gen_state state;

GEN_INLINE int emit(__u32 bytes)
{
	int action = bpf_redirect_map(&device, 0, 0);

	/* Else the device is gone, and the map has let go of it. */
	if (action == XDP_REDIRECT) {
		state.attempted++;
		state.bytes += bytes;
	}
	return action;
}

/* The field's value in this packet. */
GEN_INLINE __u64 field_next(enum gen_field field)
{
	__u64 last = config.range[field].last;
	__u64 pos;

	if (config.random) {
		__u64 seed = state.seed;

		pos = gen_draw(&seed, last);
		state.seed = seed;
	} else {
		pos = state.pos[field];
		state.pos[field] =
			gen_advance(pos, last, gen_wrap(config.step, last));
	}
	return config.range[field].base + pos;
}

/* Packet data need not be aligned; the verifier minds on few architectures. */
GEN_INLINE void put16(void *to, __u16 value)
{
	*(__u16 *)to = value;
}

GEN_INLINE void put32(void *to, __u32 value)
{
	*(__u32 *)to = value;
}

GEN_INLINE void put64(void *to, __u64 value)
{
	*(__u64 *)to = value;
}

GEN_INLINE void write_head(void *data)
{
	__u32 bytes = config.head_bytes;
	__u32 i;

#pragma unroll
	for (i = 0; i < GEN_HEAD_WORDS; i++)
		if ((i + 1) * 8 <= bytes)
			put64(data + i * 8, config.head[i]);
		else if (i * 8 + 6 == bytes) {
			put32(data + i * 8, config.head[i]);
			put16(data + i * 8 + 4, config.head[i] >> 32);
		} else if (i * 8 + 4 == bytes)
			put32(data + i * 8, config.head[i]);
		else if (i * 8 + 2 == bytes)
			put16(data + i * 8, config.head[i]);
}

GEN_INLINE __u32 write_port(void *to, enum gen_field field)
{
	__u16 port;

	if (!config.range[field].last)
		return 0;
	port = bpf_htons((__u16)field_next(field));
	put16(to, port);
	return gen_sum16(port);
}

GEN_INLINE __u32 write_address(void *to4, void *to6, enum gen_field field)
{
	__u64 low;
	__u32 addr;

	if (!config.range[field].last)
		return 0;
	if (config.ip6) {
		low = bpf_cpu_to_be64(field_next(field));
		put64(to6, low);
		return gen_sum64(low);
	}
	addr = bpf_htonl((__u32)field_next(field));
	put32(to4, addr);
	return gen_sum32(addr);
}

SEC("xdp")
int gen_vary(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *l3 = data + config.l3;
	void *l4 = data + config.l4;
	__u32 addresses, ports;

	if (data + config.head_bytes > end)
		return XDP_ABORTED;
	write_head(data);
	addresses = write_address(l3 + IP4_SRC, l3 + IP6_SRC_LOW, GEN_SRC);
	addresses += write_address(l3 + IP4_DST, l3 + IP6_DST_LOW, GEN_DST);
	ports = write_port(l4 + L4_SPORT, GEN_SPORT);
	ports += write_port(l4 + L4_DPORT, GEN_DPORT);
	if (!config.ip6)
		put16(l3 + IP4_CHECK, gen_sum_fold(config.ip_sum + addresses));
	if (config.udp)
		put16(data + config.l4_check,
		      gen_sum_fold_udp(config.l4_sum + addresses + ports));
	else
		put16(data + config.l4_check,
		      gen_sum_fold(config.l4_sum + addresses + ports));
	return emit(end - data);
}

SEC("xdp")
int gen_replay(struct xdp_md *ctx)
{
	__u32 key = state.next;
	__u32 next = key + config.step;
	struct gen_frame *frame;
	__u32 length;

	/* One subtraction: user space keeps step <= frames. */
	state.next = next >= config.frames ? next - config.frames : next;
	frame = bpf_map_lookup_elem(&frames, &key);
	if (!frame)
		return XDP_ABORTED;
	length = frame->length;
	if (length < 14 || length > config.frame_bytes)
		return XDP_ABORTED;
	/* Each run starts at the full length again: the kernel resets the frame. */
	if (bpf_xdp_adjust_tail(ctx, (int)(length - config.frame_bytes)))
		return XDP_ABORTED;
	if (bpf_xdp_store_bytes(ctx, 0, frame->bytes, length))
		return XDP_ABORTED;
	return emit(length);
}

/* Asks whether this kernel has live frames, and how long they may be. */
SEC("xdp")
int gen_probe(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
