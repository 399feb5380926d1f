/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the tracing programs (BPF) and user space share. Three maps:
 *
 *   name        kind            key             value
 *   sl_trace    PERCPU_ARRAY    0               sl_trace_cpu
 *   sl_slots    HASH            sl_trace_key    slot of a NAPI instance
 *   sl_napis    PERCPU_ARRAY    slot            sl_trace_napi
 *
 * All counts rise from 0 and are never reset: a reader takes differences.
 */
#ifndef SLUICE_TRACE_H
#define SLUICE_TRACE_H

#include <linux/types.h>

/* Slot 0 counts zeros, slot k values from 2^(k-1) to 2^k-1, the last all above, too. */
#define SL_TRACE_SLOTS 32

struct sl_trace_histogram {
	__u64 sum;
	__u64 slot[SL_TRACE_SLOTS];
};

/* include/linux/interrupt.h, in its order. X(id, name as in /proc/softirqs) */
#define SL_TRACE_SOFTIRQS(X)    \
	X(HI, "HI")             \
	X(TIMER, "TIMER")       \
	X(NET_TX, "NET_TX")     \
	X(NET_RX, "NET_RX")     \
	X(BLOCK, "BLOCK")       \
	X(IRQ_POLL, "IRQ_POLL") \
	X(TASKLET, "TASKLET")   \
	X(SCHED, "SCHED")       \
	X(HRTIMER, "HRTIMER")   \
	X(RCU, "RCU")

enum sl_trace_softirq {
#define X(id, name) SL_SOFTIRQ_##id,
	SL_TRACE_SOFTIRQS(X)
#undef X
		SL_SOFTIRQ_COUNT
};

/*
 * Who polls a NAPI instance. X(id, name, what it is). A poll with a budget of 0 is
 * netpoll's (netconsole): it only cleans what was sent.
 */
#define SL_TRACE_CONTEXTS(X)                                              \
	X(SOFTIRQ, "softirq", "after an interrupt, or at its end")        \
	X(KSOFTIRQD, "ksoftirqd", "the thread that softirqs overflow to") \
	X(THREAD, "thread", "the instance's own thread")                  \
	X(USER, "user", "a task that polls its socket's queue")           \
	X(NETPOLL, "netpoll", "netpoll, with no budget")

enum sl_trace_context {
#define X(id, name, help) SL_POLL_##id,
	SL_TRACE_CONTEXTS(X)
#undef X
		SL_POLL_COUNT
};

/* What `--deep` counts. X(id, name, tracepoint). All but these are always on. */
#define SL_TRACE_EVENTS(X)                               \
	X(SYSCALL, "system_calls", "sys_enter")          \
	X(SWITCH, "context_switches", "sched_switch")    \
	X(KMALLOC, "kmalloc", "kmalloc")                 \
	X(CACHE, "kmem_cache_alloc", "kmem_cache_alloc") \
	X(TASKLET, "tasklets", "tasklet_entry")          \
	X(WORK, "work_items", "workqueue_execute_start")

enum sl_trace_event {
#define X(id, name, tracepoint) SL_EVENT_##id,
	SL_TRACE_EVENTS(X)
#undef X
		SL_EVENT_COUNT
};

/* x86's interrupts that no handler is registered for; `--deep` times them. */
#define SL_TRACE_VECTORS(X)                    \
	X(TIMER, "local_timer")                \
	X(RESCHEDULE, "reschedule")            \
	X(CALL, "call_function")               \
	X(CALL_SINGLE, "call_function_single") \
	X(IRQ_WORK, "irq_work")

enum sl_trace_vector {
#define X(id, name) SL_VECTOR_##id,
	SL_TRACE_VECTORS(X)
#undef X
		SL_VECTOR_COUNT
};

/* Of which softirqs or interrupts the time is taken: xdp/trace.bpf.c. */
struct sl_trace_pace {
	__u64 tick;
	__u64 n; /* in this tick */
};

/*
 * What only the programs use, in the order of use: a softirq's run touches the first
 * line of it. A time is since when, and 0 when it is not so now, or not timed.
 */
struct sl_trace_state {
	__u64 in_rx; /* NET_RX runs */
	__u64 softirq_from, poll_from;
	__u64 raised[SL_SOFTIRQ_COUNT]; /* NET_RX's is in the first line */
	struct sl_trace_pace softirqs;
	__u64 napi; /* address of the instance polled last, its id and its slot */
	__u32 napi_id, napi_slot;
	struct sl_trace_pace irqs;
	__u64 irq_from, vector_from, run_from;
};

/* Times in ns. Only softirqs have a beginning to time polls from. */
struct sl_trace_cpu {
	struct sl_trace_state state;
	struct sl_trace_histogram hard_irq; /* in a registered handler */
	struct sl_trace_histogram softirq_wait[SL_SOFTIRQ_COUNT];
	struct sl_trace_histogram softirq_time[SL_SOFTIRQ_COUNT];
	struct sl_trace_histogram poll_time; /* in softirq or ksoftirqd */
	struct sl_trace_histogram poll_work[SL_POLL_COUNT]; /* packets */
	struct sl_trace_histogram vector[SL_VECTOR_COUNT];
	__u64 event[SL_EVENT_COUNT];
	__u64 ksoftirqd_ns, napi_thread_ns; /* on the CPU; `--deep` */
	__u64 napi_lost; /* polls of instances beyond the room for them */
};

/* Interfaces of two network namespaces may have one index. */
struct sl_trace_key {
	__u32 napi_id; /* 0: the driver gives none */
	__u32 ifindex; /* 0: the CPU's backlog, which is no interface's */
	__u32 netns;   /* inode; 0: without network namespaces */
	__u32 pad;
};

struct sl_trace_napi {
	char interface[16]; /* as it was called when a CPU began to poll it */
	__u64 polls[SL_POLL_COUNT];
	__u64 work[SL_POLL_COUNT];
	__u64 full[SL_POLL_COUNT]; /* polls that used their whole budget */
};

#define SL_TRACE_NAPIS 1024

_Static_assert(sizeof(struct sl_trace_histogram) == 264, "a histogram");
_Static_assert(sizeof(struct sl_trace_cpu) <= 32768,
	       "what a CPU may have of a map");
_Static_assert(sizeof(struct sl_trace_key) == 16, "a key");
_Static_assert(sizeof(struct sl_trace_napi) == 16 + 24 * SL_POLL_COUNT,
	       "an instance");

#endif /* SLUICE_TRACE_H */
