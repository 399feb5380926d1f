// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `sluice trace` sees of interrupts and polling: counts and histograms of each
 * CPU, which no other CPU writes, so nothing is atomic.
 *
 * The first six programs are the default set; the others cost something and load
 * with `--deep` only. They are tp_btf programs: no kernel function is patched, and
 * what they read of the kernel's structs is relocated by BTF (CO-RE).
 *
 * A program may be interrupted by another: by one of an interrupt in one of a
 * softirq, but not the other way. Each writes fields of its own, so none is lost,
 * but for `raised`: a vector that an interrupt raises again between the kernel's
 * taking it and softirq_entry is served later without its wait being counted.
 *
 * The clock is what costs: 30 ns a reading on a virtual machine. So all events are
 * counted but not all are timed: of each CPU's softirqs and interrupts the first TIMED
 * in a tick, then each EVERY-th. At a low rate that is all of them; at full load timing all
 * took twice as much of the rate as this does (bench/trace.py).
 *
 * napi_poll fires when a poll has ended. Its time is from the softirq's begin, or
 * the poll before in it. A thread and a task have no such begin: their polls are
 * counted, not timed.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "sluice/trace.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define TIMED 4
#define EVERY 16

/* Of the kernel's types the fields that are read; offsets are the kernel's BTF's. */
#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)
struct task_struct {
	unsigned int flags;
	char comm[16];
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
};

struct napi_struct {
	struct net_device *dev;
	unsigned int napi_id;
};
#pragma clang attribute pop

/*
 * A tp_btf program's context is the tracepoint's arguments, 64 bits each; the verifier
 * knows the type of those that are pointers. Most programs need none.
 */
#define HOOK(tracepoint, name)     \
	SEC("tp_btf/" #tracepoint) \
	int name(const __u64 *arguments __attribute__((unused)))

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sl_trace_cpu);
} sl_trace SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SL_TRACE_NAPIS);
	__type(key, struct sl_trace_key);
	__type(value, __u32);
} sl_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SL_TRACE_NAPIS);
	__type(key, __u32);
	__type(value, struct sl_trace_napi);
} sl_napis SEC(".maps");

__u32 slots_used; /* of sl_napis; by atomic addition */

static __always_inline struct sl_trace_cpu *here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&sl_trace, &zero);
}

/* How many bits a value has, which is its slot. BPF has no instruction for it. */
static __always_inline __u32 slot_of(__u64 value)
{
	__u32 v = value, bits = 0;

	if (value >> (SL_TRACE_SLOTS - 2))
		return SL_TRACE_SLOTS - 1;
	if (v >> 16) {
		v >>= 16;
		bits = 16;
	}
	if (v >> 8) {
		v >>= 8;
		bits += 8;
	}
	if (v >> 4) {
		v >>= 4;
		bits += 4;
	}
	if (v >> 2) {
		v >>= 2;
		bits += 2;
	}
	return bits + (v >> 1) + (v > 0);
}

static __always_inline void add(struct sl_trace_histogram *histogram,
				__u64 value)
{
	histogram->sum += value;
	histogram->slot[slot_of(value) & (SL_TRACE_SLOTS - 1)]++;
}

/* The time since *from, which is over; now. */
static __always_inline __u64 add_since(struct sl_trace_histogram *histogram,
				       __u64 *from)
{
	__u64 now = bpf_ktime_get_ns();

	add(histogram, now - *from);
	*from = 0;
	return now;
}

static __always_inline bool is_timed(struct sl_trace_pace *pace)
{
	__u64 tick = bpf_jiffies64(), n;

	if (pace->tick != tick) {
		pace->tick = tick;
		pace->n = 0;
	}
	n = pace->n++;
	return n < TIMED || n % EVERY == 0;
}

HOOK(irq_handler_entry, irq_entry)
{
	struct sl_trace_cpu *cpu = here();

	if (cpu && is_timed(&cpu->state.irqs))
		cpu->state.irq_from = bpf_ktime_get_ns();
	return 0;
}

HOOK(irq_handler_exit, irq_exit)
{
	struct sl_trace_cpu *cpu = here();

	if (cpu && cpu->state.irq_from)
		add_since(&cpu->hard_irq, &cpu->state.irq_from);
	return 0;
}

HOOK(softirq_raise, softirq_raise)
{
	struct sl_trace_cpu *cpu = here();
	__u32 vector = arguments[0];

	/* The first raise is what it waits from. */
	if (cpu && vector < SL_SOFTIRQ_COUNT && !cpu->state.raised[vector] &&
	    is_timed(&cpu->state.softirqs))
		cpu->state.raised[vector] = bpf_ktime_get_ns();
	return 0;
}

HOOK(softirq_entry, softirq_entry)
{
	struct sl_trace_cpu *cpu = here();
	__u32 vector = arguments[0];
	struct sl_trace_state *state;

	if (!cpu || vector >= SL_SOFTIRQ_COUNT)
		return 0;
	state = &cpu->state;
	if (vector == SL_SOFTIRQ_NET_RX)
		state->in_rx = 1;
	if (!state->raised[vector])
		return 0;
	state->softirq_from =
		add_since(&cpu->softirq_wait[vector], &state->raised[vector]);
	if (vector == SL_SOFTIRQ_NET_RX)
		state->poll_from = state->softirq_from;
	return 0;
}

HOOK(softirq_exit, softirq_exit)
{
	struct sl_trace_cpu *cpu = here();
	__u32 vector = arguments[0];

	if (!cpu || vector >= SL_SOFTIRQ_COUNT)
		return 0;
	if (cpu->state.softirq_from)
		add_since(&cpu->softirq_time[vector], &cpu->state.softirq_from);
	if (vector == SL_SOFTIRQ_NET_RX)
		cpu->state.in_rx = cpu->state.poll_from = 0;
	return 0;
}

/* Kernel threads only: a program may call itself anything. */
static __always_inline bool is_ksoftirqd(const struct task_struct *task)
{
	return task->flags & PF_KTHREAD && task->comm[0] == 'k' &&
	       task->comm[1] == 's' && task->comm[2] == 'o' &&
	       task->comm[3] == 'f' && task->comm[4] == 't' &&
	       task->comm[5] == 'i';
}

static __always_inline bool is_napi_thread(const struct task_struct *task)
{
	return task->flags & PF_KTHREAD && task->comm[0] == 'n' &&
	       task->comm[1] == 'a' && task->comm[2] == 'p' &&
	       task->comm[3] == 'i' && task->comm[4] == '/';
}

static __always_inline enum sl_trace_context
context_of(const struct sl_trace_cpu *cpu, int budget)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();

	if (budget <= 0)
		return SL_POLL_NETPOLL;
	if (cpu->state.in_rx)
		return is_ksoftirqd(task) ? SL_POLL_KSOFTIRQD : SL_POLL_SOFTIRQ;
	/* The backlog's threads have another name than "napi/...". */
	return task->flags & PF_KTHREAD ? SL_POLL_THREAD : SL_POLL_USER;
}

/*
 * The slot of an instance that another was polled before: 0 or above; -1: none is
 * left. Two CPUs that meet a new one at once take two slots, and use one.
 */
static __always_inline long find_slot(const struct napi_struct *napi)
{
	struct net_device *dev = napi->dev; /* NULL reads as 0 */
	struct sl_trace_key key = { .napi_id = napi->napi_id,
				    .ifindex = dev->ifindex };
	__u32 *found, slot;

	if (bpf_core_field_exists(dev->nd_net.net))
		key.netns = dev->nd_net.net->ns.inum;
	found = bpf_map_lookup_elem(&sl_slots, &key);
	if (found)
		return *found;
	if (slots_used >= SL_TRACE_NAPIS)
		return -1;
	slot = __sync_fetch_and_add(&slots_used, 1);
	if (slot >= SL_TRACE_NAPIS)
		return -1;
	bpf_map_update_elem(&sl_slots, &key, &slot, BPF_NOEXIST);
	found = bpf_map_lookup_elem(&sl_slots, &key);
	return found ? *found : -1;
}

/*
 * What is counted of an instance. Mostly it is the one of the poll before; its id is
 * compared, too, because memory is used again.
 */
static __always_inline struct sl_trace_napi *
instance(struct sl_trace_state *state, const struct napi_struct *napi)
{
	struct sl_trace_napi *seen;
	long slot;

	if (state->napi == (__u64)napi && state->napi_id == napi->napi_id)
		return bpf_map_lookup_elem(&sl_napis, &state->napi_slot);
	slot = find_slot(napi);
	if (slot < 0)
		return 0;
	state->napi = (__u64)napi;
	state->napi_id = napi->napi_id;
	state->napi_slot = slot;
	seen = bpf_map_lookup_elem(&sl_napis, &state->napi_slot);
	if (seen)
		bpf_probe_read_kernel_str(seen->interface,
					  sizeof(seen->interface),
					  napi->dev->name);
	return seen;
}

/* (struct napi_struct *napi, int work, int budget) */
HOOK(napi_poll, napi_poll)
{
	const struct napi_struct *napi = (const void *)arguments[0];
	int work = arguments[1], budget = arguments[2];
	struct sl_trace_cpu *cpu = here();
	struct sl_trace_napi *seen;
	__u32 context;

	if (!cpu)
		return 0;
	context = context_of(cpu, budget);
	if (context >= SL_POLL_COUNT)
		return 0;
	if (work < 0)
		work = 0;
	add(&cpu->poll_work[context], work);
	if (cpu->state.poll_from)
		cpu->state.poll_from =
			add_since(&cpu->poll_time, &cpu->state.poll_from);
	seen = instance(&cpu->state, napi);
	if (!seen) {
		cpu->napi_lost++;
		return 0;
	}
	seen->polls[context]++;
	seen->work[context] += work;
	if (budget > 0 && work >= budget)
		seen->full[context]++;
	return 0;
}

/* ---- what `--deep` adds -------------------------------------------------- */

static __always_inline int count(enum sl_trace_event event)
{
	struct sl_trace_cpu *cpu = here();

	if (cpu)
		cpu->event[event]++;
	return 0;
}

HOOK(sys_enter, sys_enter)
{
	return count(SL_EVENT_SYSCALL);
}

HOOK(kmalloc, kmalloc)
{
	return count(SL_EVENT_KMALLOC);
}

HOOK(kmem_cache_alloc, kmem_cache_alloc)
{
	return count(SL_EVENT_CACHE);
}

HOOK(tasklet_entry, tasklet_entry)
{
	return count(SL_EVENT_TASKLET);
}

HOOK(workqueue_execute_start, workqueue_execute_start)
{
	return count(SL_EVENT_WORK);
}

/* (bool preempt, struct task_struct *prev, struct task_struct *next, ...) */
HOOK(sched_switch, sched_switch)
{
	const struct task_struct *from = (const void *)arguments[1];
	const struct task_struct *to = (const void *)arguments[2];
	struct sl_trace_cpu *cpu = here();
	bool ksoftirqd = is_ksoftirqd(from);

	if (!cpu)
		return 0;
	cpu->event[SL_EVENT_SWITCH]++;
	if (cpu->state.run_from) {
		__u64 ran = bpf_ktime_get_ns() - cpu->state.run_from;

		if (ksoftirqd)
			cpu->ksoftirqd_ns += ran;
		else
			cpu->napi_thread_ns += ran;
		cpu->state.run_from = 0;
	}
	if (is_ksoftirqd(to) || is_napi_thread(to))
		cpu->state.run_from = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int vector_entry(void)
{
	struct sl_trace_cpu *cpu = here();

	if (cpu)
		cpu->state.vector_from = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int vector_exit(enum sl_trace_vector vector)
{
	struct sl_trace_cpu *cpu = here();

	if (cpu && cpu->state.vector_from)
		add_since(&cpu->vector[vector], &cpu->state.vector_from);
	return 0;
}

#define VECTOR(id, name)                            \
	HOOK(name##_entry, name##_entry)            \
	{                                           \
		return vector_entry();              \
	}                                           \
	HOOK(name##_exit, name##_exit)              \
	{                                           \
		return vector_exit(SL_VECTOR_##id); \
	}

VECTOR(TIMER, local_timer)
VECTOR(RESCHEDULE, reschedule)
VECTOR(CALL, call_function)
VECTOR(CALL_SINGLE, call_function_single)
VECTOR(IRQ_WORK, irq_work)

char licence[] SEC("license") = "GPL";
