// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stats.h"

#include <errno.h>
#include <jansson.h>

#include "forwarder.h"
#include "ledger.h"
#include "sockets.h"
#include "lib/config.h"
#include "lib/jsontext.h"
#include "lib/keyword.h"

static const char *const drop_text[SL_FWD_DROP_COUNT] = {
#define X(id, text, help) [SL_FWD_DROP_##id] = #text,
	SL_FWD_DROPS(X)
#undef X
};

/* The kernel's counters, in the order and by the names of struct xdp_statistics. */
#define KERNEL_COUNTERS(X)          \
	X(rx_dropped)               \
	X(rx_invalid_descs)         \
	X(tx_invalid_descs)         \
	X(rx_ring_full)             \
	X(rx_fill_ring_empty_descs) \
	X(tx_ring_empty_descs)

struct calls {
	uint64_t poll, send, recv, stages, packets;
	uint64_t idle_polls; /* of recv */
};

static struct calls worker_calls(const struct sl_fwd_worker *worker)
{
	struct calls calls = { .poll = sl_count_read(&worker->count_poll) };

	for (uint32_t i = 0; i < worker->n_ports; i++) {
		calls.send += sl_count_read(&worker->ports[i].count.wake_tx);
		calls.idle_polls +=
			sl_count_read(&worker->ports[i].count.idle_polls);
		calls.packets +=
			sl_count_read(&worker->ports[i].count.tx_packets);
	}
	for (uint32_t i = 0; i < worker->n_steps; i++)
		calls.stages += sl_count_read(&worker->steps[i].wakes);
	/* Read last, and still it may be one behind its part. */
	calls.recv = sl_count_read(&worker->count_wake_rx);
	if (calls.idle_polls > calls.recv)
		calls.idle_polls = calls.recv;
	return calls;
}

static double calls_per_packet(const struct calls *calls)
{
	/* A worker that spins makes idle polls at its own pace, not the packets'. */
	uint64_t sum = calls->poll + calls->send + calls->recv + calls->stages -
		       calls->idle_polls;

	return calls->packets ? (double)sum / (double)calls->packets : 0.0;
}

bool sl_fwd_stats_accounted(const struct sl_fwd *fwd)
{
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		struct sl_fwd_frames frames;
		uint64_t sum = 0;

		sl_fwd_worker_ledger(&fwd->workers[w], &frames);
		for (int s = 0; s < SL_FRAME_STATES; s++)
			sum += frames.count[s];
		if (sum != fwd->workers[w].umem.frames || frames.violations)
			return false;
	}
	return true;
}

static void put(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *port_json(const struct sl_fwd *fwd,
			 const struct sl_fwd_worker *worker,
			 const struct sl_fwd_port *port)
{
	const char *copied = sl_fwd_sockets_copy_reason(fwd, worker, port);
	const struct sl_fwd_counters *count = &port->count;
	json_t *rx = json_object(), *tx = json_object(), *drops = json_object();
	json_t *kernel = json_object(), *object = json_object();

	put(rx, "packets", sl_count_read(&count->rx_packets));
	put(rx, "bytes", sl_count_read(&count->rx_bytes));
	put(tx, "packets", sl_count_read(&count->tx_packets));
	put(tx, "bytes", sl_count_read(&count->tx_bytes));
	put(tx, "refused", sl_count_read(&count->tx_refused));
	put(tx, "unsent", port->unsent);
	for (int d = SL_FWD_KEEP + 1; d < SL_FWD_DROP_COUNT; d++)
		put(drops, drop_text[d], sl_count_read(&count->drops[d]));
#define X(name) put(kernel, #name, port->kernel.name);
	KERNEL_COUNTERS(X)
#undef X
	json_object_set_new(object, "interface",
			    sl_json_text(fwd->ifaces[port->iface].name));
	put(object, "queue", port->queue);
	json_object_set_new(object, "mode",
			    json_string(port->xsk.zerocopy ? "zero-copy" :
							     "copy"));
	json_object_set_new(object, "copy_reason",
			    copied ? json_string(copied) : json_null());
	json_object_set_new(object, "busy_poll", json_boolean(port->busy_seen));
	json_object_set_new(object, "deferred", json_boolean(port->deferred));
	json_object_set_new(object, "link", json_boolean(port->link));
	json_object_set_new(object, "rx", rx);
	json_object_set_new(object, "tx", tx);
	json_object_set_new(object, "drops", drops);
	json_object_set_new(object, "xdp", kernel);
	return object;
}

/* Whether end `e` is the first of its worker on its queue: wires and sides share numbers. */
static bool queue_first(const struct sl_fwd_plan *plan, uint32_t e)
{
	for (uint32_t k = 0; k < e; k++)
		if (plan->ends[k].worker == plan->ends[e].worker &&
		    plan->ends[k].queue == plan->ends[e].queue)
			return false;
	return true;
}

static json_t *worker_json(const struct sl_fwd *fwd, uint32_t w)
{
	const struct sl_fwd_worker *worker = &fwd->workers[w];
	struct calls calls = worker_calls(worker);
	json_t *frames = json_object(), *system = json_object(),
	       *object = json_object();
	json_t *queues = json_array(), *ports = json_array();
	struct sl_fwd_frames ledger;

	sl_fwd_worker_ledger(worker, &ledger);
	put(frames, "total", worker->umem.frames);
	for (int s = 0; s < SL_FRAME_STATES; s++)
		put(frames, sl_frame_state_text((enum sl_frame_state)s),
		    ledger.count[s]);
	put(system, "poll", calls.poll);
	put(system, "send", calls.send);
	put(system, "recv", calls.recv);
	put(system, "stages", calls.stages);
	for (uint32_t e = 0; e < fwd->plan.n_ends; e++) {
		const struct sl_fwd_plan_end *end = &fwd->plan.ends[e];

		if (end->worker != w)
			continue;
		if (queue_first(&fwd->plan, e))
			json_array_append_new(queues, json_integer(end->queue));
		json_array_append_new(ports,
				      port_json(fwd, worker, fwd->end_port[e]));
	}
	put(object, "cpu", (uint64_t)worker->cpu);
	json_object_set_new(object, "queues", queues);
	json_object_set_new(object, "frames", frames);
	put(object, "violations", ledger.violations);
	put(object, "idle_polls", calls.idle_polls);
	json_object_set_new(object, "polling",
			    json_boolean(__atomic_load_n(&worker->polling,
							 __ATOMIC_RELAXED)));
	put(object, "turns", sl_count_read(&worker->count_turns));
	json_object_set_new(object, "syscalls", system);
	json_object_set_new(object, "syscalls_per_packet",
			    json_real(calls_per_packet(&calls)));
	json_object_set_new(object, "ports", ports);
	return object;
}

static json_t *stage_json(const struct sl_fwd *fwd, uint32_t i)
{
	const struct sl_fwd_stage *stage = &fwd->stages.stages[i];
	char target[SL_FWD_STAGE_TARGET];
	struct sl_fwd_stage_counts counts;
	json_t *object = json_object();

	sl_fwd_stage_count(&fwd->stages, i, &counts);
	json_object_set_new(object, "stage",
			    json_string(sl_stage_words[stage->config->kind]));
	json_object_set_new(object, "target",
			    sl_json_text(sl_fwd_stage_target(stage, target)));
	put(object, "packets", counts.packets);
	put(object, "dropped", counts.dropped);
	if (stage->ops->copies) {
		put(object, "copied", counts.copied);
		put(object, "lost", counts.lost);
	}
	return object;
}

static int print_json(const struct sl_fwd *fwd, bool accounted, FILE *out)
{
	json_t *root = json_object(), *workers = json_array();
	json_t *stages = json_array();
	int err = 0;

	for (uint32_t w = 0; w < fwd->n_workers; w++)
		json_array_append_new(workers, worker_json(fwd, w));
	json_object_set_new(root, "workers", workers);
	for (uint32_t i = 0; i < fwd->stages.n; i++)
		json_array_append_new(stages, stage_json(fwd, i));
	json_object_set_new(root, "stages", stages);
	json_object_set_new(root, "ledger", sl_fwd_ledger_json(fwd));
	json_object_set_new(root, "accounted", json_boolean(accounted));
	/* Each step above hands a failed allocation on as NULL; the root tells. */
	if (!root || json_array_size(workers) != fwd->n_workers ||
	    json_array_size(stages) != fwd->stages.n ||
	    !json_object_get(root, "ledger"))
		err = -ENOMEM;
	else if (json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(6)))
		err = -EIO;
	json_decref(root);
	fputc('\n', out);
	return err;
}

static void port_text(const struct sl_fwd *fwd, const struct sl_fwd_port *port,
		      FILE *out)
{
	const struct sl_fwd_counters *count = &port->count;
	char name[SL_FWD_END_NAME];

	fprintf(out,
		"  %-24s %-9s rx %llu packets %llu bytes, tx %llu packets %llu bytes",
		sl_fwd_end_name(fwd, port, name),
		port->xsk.zerocopy ? "zero-copy" : "copy",
		(unsigned long long)sl_count_read(&count->rx_packets),
		(unsigned long long)sl_count_read(&count->rx_bytes),
		(unsigned long long)sl_count_read(&count->tx_packets),
		(unsigned long long)sl_count_read(&count->tx_bytes));
	if (sl_count_read(&count->tx_refused))
		fprintf(out, " (%llu refused)",
			(unsigned long long)sl_count_read(&count->tx_refused));
	if (port->unsent)
		fprintf(out, " (%u unsent)", port->unsent);
	fprintf(out, "%s%s\n    drops:", port->link ? "" : ", link down",
		port->busy_seen ? ", busy polling" : "");
	for (int d = SL_FWD_KEEP + 1; d < SL_FWD_DROP_COUNT; d++)
		fprintf(out, " %s %llu", drop_text[d],
			(unsigned long long)sl_count_read(&count->drops[d]));
	fputs("; kernel:", out);
#define X(name) \
	fprintf(out, " %s %llu", #name, (unsigned long long)port->kernel.name);
	KERNEL_COUNTERS(X)
#undef X
	fputc('\n', out);
}

static void stage_text(const struct sl_fwd *fwd, uint32_t i, FILE *out)
{
	const struct sl_fwd_stage *stage = &fwd->stages.stages[i];
	char name[SL_FWD_STAGE_NAME];
	struct sl_fwd_stage_counts counts;

	sl_fwd_stage_count(&fwd->stages, i, &counts);
	fprintf(out, "%s: %llu packets, %llu dropped",
		sl_fwd_stage_name(stage, name),
		(unsigned long long)counts.packets,
		(unsigned long long)counts.dropped);
	if (stage->ops->copies)
		fprintf(out, ", %llu copied, %llu copies lost",
			(unsigned long long)counts.copied,
			(unsigned long long)counts.lost);
	fputc('\n', out);
}

static void print_text(const struct sl_fwd *fwd, bool accounted, FILE *out)
{
	for (uint32_t w = 0; w < fwd->n_workers; w++) {
		const struct sl_fwd_worker *worker = &fwd->workers[w];
		struct calls calls = worker_calls(worker);
		struct sl_fwd_frames frames;

		sl_fwd_worker_ledger(worker, &frames);
		fprintf(out,
			"worker %u on CPU %d: system calls: poll %llu send %llu recv %llu "
			"stages %llu, %.4f a packet\n",
			w, worker->cpu, (unsigned long long)calls.poll,
			(unsigned long long)calls.send,
			(unsigned long long)calls.recv,
			(unsigned long long)calls.stages,
			calls_per_packet(&calls));
		fprintf(out, "  frames: total %u =", worker->umem.frames);
		for (int s = 0; s < SL_FRAME_STATES; s++)
			fprintf(out, "%s %s %u", s ? " +" : "",
				sl_frame_state_text((enum sl_frame_state)s),
				frames.count[s]);
		if (frames.violations)
			fprintf(out, ", violations %llu",
				(unsigned long long)frames.violations);
		fputc('\n', out);
		for (uint32_t i = 0; i < worker->n_ports; i++)
			port_text(fwd, &worker->ports[i], out);
	}
	for (uint32_t i = 0; i < fwd->stages.n; i++)
		stage_text(fwd, i, out);
	sl_fwd_ledger_text(fwd, out);
	fprintf(out, "frames accounted for: %s\n", accounted ? "yes" : "NO");
}

int sl_fwd_stats_print(const struct sl_fwd *fwd, bool json, bool accounted,
		       FILE *out)
{
	int err = 0;

	if (json)
		err = print_json(fwd, accounted, out);
	else
		print_text(fwd, accounted, out);
	if (fflush(out) || ferror(out))
		return -EIO;
	return err;
}
