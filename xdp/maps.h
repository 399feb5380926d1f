/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of the filter; sluice/abi.h says what each is for. */
#ifndef SLUICE_XDP_MAPS_H
#define SLUICE_XDP_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "sluice/abi.h"
#include "sluice/limit.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_totals);
} sl_totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_PORT_BLOCKS);
	__type(key, __u32);
	__type(value, struct sl_port_block);
} sl_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_SLOTS_DEFAULT / SL_RULE_BLOCK);
	__type(key, __u32);
	__type(value, struct sl_rule_block);
} sl_rules SEC(".maps");

/* The name that libxdp and DPDK's net_af_xdp look for. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, SL_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

/* Its size is set before loading; libbpf rounds this up to a page. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} sl_log SEC(".maps");

/* One value of exactly the size that the tables need (set before loading). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 2 * SL_TABLE_SLACK);
} sl_tables SEC(".maps");

/* (sl_cache_bytes() in lib/generation.c sets the size before loading.) */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* for its alignment */
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, SL_CACHE_WAYS * sizeof(__u64));
} sl_cache SEC(".maps");

/* A hash, because a plain DEVMAP cannot be shared by the two flavours. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, SL_DEVICES_MAX);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} sl_devs SEC(".maps");

/* Of rules that ask the kernel's FIB (route.h). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_hop);
} sl_hop SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_hops);
} sl_hops SEC(".maps");

/* Limiters (sluice/limit.h), of a configuration: its interfaces share them. */
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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* for its alignment */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_limit_line);
} sl_limit_lines SEC(".maps");

/* Live sets (sluice/live.h); of the size that they were planned with. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 64);
} sl_live SEC(".maps");

/* Of the programs with extensions only, so that those without need neither. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SL_EXT_ENTRIES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} sl_ext SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_ext_state);
} sl_ext_state SEC(".maps");

/*
 * The program does not look at these two: user space binds them to it
 * (BPF_PROG_BIND_MAP), so that whoever finds the program finds what it was
 * made from. They are given their sizes before loading.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_rule_name);
} sl_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 8);
} sl_text SEC(".maps");

/* Frozen before the program loads; as it stands here in the object. */
const volatile struct sl_gen sl_gen SEC(".rodata.gen") = {
	.magic = SL_ABI_MAGIC,
	.abi_version = SL_ABI_VERSION,
	.default_verdict = SL_VERDICT_PASS,
};

#endif /* SLUICE_XDP_MAPS_H */
