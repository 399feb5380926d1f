// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the NAPI polls that the threads of one process make themselves, by NAPI id: what a
 * busy poll is. A softirq that interrupts such a thread polls in its context, too, and is told
 * apart by what opened it: between softirq_entry and softirq_exit of the same thread a poll is
 * the softirq's. By thread, not by CPU: on a preemptible kernel (PREEMPT_RT) a softirq is
 * run by a thread that another one may displace. NAPI threads and ksoftirqd are other
 * processes. net/core/dev.c: __napi_busy_loop() has the trace point of net_rx_action().
 *
 * It runs for a fraction of a second at a time.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sluice/witness.h"

/* More than a forwarder has threads, and queues; what does not fit is not seen. */
#define THREADS_MAX 1024
#define NAPIS_MAX 4096

/* The one member that is read; CO-RE finds where it is. */
struct napi_struct {
	unsigned int napi_id;
} __attribute__((preserve_access_index));

const volatile struct sl_witness_of witness_of;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, THREADS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} in_softirq SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NAPIS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} own_polls SEC(".maps");

/* The current thread, if it is one of the process; 0: it is not. */
static __u32 own_thread(void)
{
	struct bpf_pidns_info info = { 0 };

	if (bpf_get_ns_current_pid_tgid(witness_of.ns_dev, witness_of.ns_ino,
					&info, sizeof(info)) ||
	    info.tgid != witness_of.process)
		return 0;
	return info.pid;
}

SEC("tp_btf/softirq_entry")
int witness_softirq_entry(const __u64 *context)
{
	__u32 thread = own_thread(), one = 1;

	(void)context;
	if (thread)
		bpf_map_update_elem(&in_softirq, &thread, &one, BPF_ANY);
	return 0;
}

SEC("tp_btf/softirq_exit")
int witness_softirq_exit(const __u64 *context)
{
	__u32 thread = own_thread();

	(void)context;
	if (thread)
		bpf_map_delete_elem(&in_softirq, &thread);
	return 0;
}

SEC("tp_btf/napi_poll")
int witness_napi_poll(const __u64 *context)
{
	/* Of (napi, work, budget), include/trace/events/napi.h. */
	const struct napi_struct *napi = (const struct napi_struct *)context[0];
	__u32 thread = own_thread(), id;
	__u64 one = 1, *count;

	if (!thread || bpf_map_lookup_elem(&in_softirq, &thread))
		return 0;
	id = napi->napi_id;
	count = bpf_map_lookup_elem(&own_polls, &id);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		/* Two that are first at once: one poll of thousands is lost. */
		bpf_map_update_elem(&own_polls, &id, &one, BPF_NOEXIST);
	return 0;
}

char _license[] SEC("license") = "GPL";
