// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "observe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "filter.h"

const char *sl_reason_text(enum sl_reason reason)
{
	static const char *const texts[SL_REASON_COUNT] = {
#define X(id, text, help) [SL_REASON_##id] = #text,
		SL_REASONS(X)
#undef X
	};

	return (unsigned)reason < SL_REASON_COUNT ? texts[reason] : "unknown";
}

const char *sl_verdict_text(enum sl_verdict verdict)
{
	static const char *const texts[SL_VERDICT_COUNT] = {
#define X(id, text, help) [SL_VERDICT_##id] = #text,
		SL_VERDICTS(X)
#undef X
	};

	return (unsigned)verdict < SL_VERDICT_COUNT ? texts[verdict] :
						      "unknown";
}

const char *sl_rule_name_action(const struct sl_rule_name *name)
{
	switch (name->action) {
	case SL_STEP_VERDICT:
		return sl_verdict_text(name->verdict);
	case SL_STEP_COUNT:
		return "count";
	case SL_STEP_LOG:
		return "log";
	case SL_STEP_LIMIT:
		return "limit";
	default:
		return "unknown";
	}
}

const struct sl_counter *sl_totals_get(const struct sl_totals *totals,
				       enum sl_reason reason,
				       enum sl_verdict verdict)
{
	/* rx, then SL_REASON_COUNT rows of SL_VERDICT_COUNT. */
	size_t cell = (size_t)reason * SL_VERDICT_COUNT + verdict;

	return &totals->rx + 1 + cell;
}

struct sl_counter sl_totals_reason(const struct sl_totals *totals,
				   enum sl_reason reason)
{
	struct sl_counter sum = { 0 };

	for (int v = 0; v < SL_VERDICT_COUNT; v++) {
		const struct sl_counter *c = sl_totals_get(totals, reason, v);

		sum.packets += c->packets;
		sum.bytes += c->bytes;
	}
	return sum;
}

struct sl_counter sl_totals_verdict(const struct sl_totals *totals,
				    enum sl_verdict verdict)
{
	struct sl_counter sum = { 0 };

	for (int r = 0; r < SL_REASON_COUNT; r++) {
		const struct sl_counter *c = sl_totals_get(totals, r, verdict);

		sum.packets += c->packets;
		sum.bytes += c->bytes;
	}
	return sum;
}

/*
 * Reads `n` values of `bytes` (an array of counters) and adds the CPUs up into
 * `sum`, which is n values long. The keys are 0 .. n-1.
 */
static int read_sums(int map_fd, uint32_t n, size_t bytes,
		     struct sl_counter *sum)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	size_t per_value = bytes / sizeof(*sum);
	int cpus = sl_cpus_possible();
	struct sl_counter *values, *from;
	uint32_t *keys, next, count = n;
	int err = -ENOMEM;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)n * (size_t)cpus, bytes);
	keys = calloc(n, sizeof(*keys));
	if (!values || !keys)
		goto out;
	err = 0;
	/* ENOENT says that the end was reached, with everything read. */
	if (bpf_map_lookup_batch(map_fd, NULL, &next, keys, values, &count,
				 &opts) < 0 &&
	    errno != ENOENT) {
		err = -errno;
		goto out;
	}
	memset(sum, 0, n * bytes);
	from = values;
	for (uint32_t i = 0; i < count; i++)
		for (int cpu = 0; cpu < cpus; cpu++)
			for (size_t c = 0; c < per_value; c++, from++) {
				sum[keys[i] * per_value + c].packets +=
					from->packets;
				sum[keys[i] * per_value + c].bytes +=
					from->bytes;
			}
out:
	free(values);
	free(keys);
	return err;
}

int sl_rules_sum(const struct sl_filter *filter, struct sl_counter *sums)
{
	return read_sums(filter->map_fd[SL_MAP_RULES],
			 filter->n_slots / SL_RULE_BLOCK,
			 sizeof(struct sl_rule_block), sums);
}

/* What the rule has counted since it was given the slot. */
static struct sl_counter since(struct sl_counter sum,
			       const struct sl_counter *base)
{
	sum.packets -= base->packets;
	sum.bytes -= base->bytes;
	return sum;
}

static int compare_rules(const void *a, const void *b)
{
	const struct sl_rule_stats *x = a, *y = b;

	return (x->name.position > y->name.position) -
	       (x->name.position < y->name.position);
}

static int read_rules(const struct sl_filter *filter, struct sl_stats *stats)
{
	size_t n = 0, room = filter->n_slots;
	struct sl_counter *sums = calloc(room + 1, sizeof(*sums));
	struct sl_rule_name *names = calloc(room + 1, sizeof(*names));
	struct sl_rule_stats *rules = calloc(room + 1, sizeof(*rules));
	int err = sums && names && rules ? 0 : -ENOMEM;

	if (!err)
		err = sl_rules_sum(filter, sums);
	if (!err)
		err = sl_filter_names(filter, names);
	for (uint32_t slot = 0; slot < room && !err; slot++)
		if (names[slot].name[0])
			rules[n++] = (struct sl_rule_stats){
				names[slot], slot,
				since(sums[slot], &names[slot].base)
			};
	free(sums);
	free(names);
	if (err) {
		free(rules);
		return err;
	}
	qsort(rules, n, sizeof(*rules), compare_rules);
	stats->rules = rules;
	stats->n_rules = n;
	return 0;
}

int sl_totals_read(int map_fd, struct sl_totals *totals)
{
	return read_sums(map_fd, 1, sizeof(*totals), &totals->rx);
}

int sl_stats_read(const struct sl_filter *filter, struct sl_stats *stats)
{
	struct sl_stats read = { 0 };
	int err = sl_totals_read(filter->map_fd[SL_MAP_TOTALS], &read.totals);

	if (!err && filter->map_fd[SL_MAP_NAMES] >= 0)
		err = read_rules(filter, &read);
	if (!err)
		*stats = read;
	return err;
}

void sl_stats_fini(struct sl_stats *stats)
{
	free(stats->rules);
	*stats = (struct sl_stats){ 0 };
}

const char *sl_port_proto_text(uint8_t proto)
{
	return proto == SL_PORT_TCP ? "tcp" : "udp";
}

int sl_port_count_compare(const void *a, const void *b)
{
	const struct sl_port_count *x = a, *y = b;

	if (x->counter.packets != y->counter.packets)
		return x->counter.packets < y->counter.packets ? 1 : -1;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

int sl_ports_read(const struct sl_filter *filter,
		  struct sl_counter ports[SL_PORT_PROTOS][65536])
{
	/* Blocks are numbered as the ports run, so the sums fall into place. */
	return read_sums(filter->map_fd[SL_MAP_PORTS], SL_PORT_BLOCKS,
			 sizeof(struct sl_port_block), &ports[0][0]);
}

char *sl_filter_text(const struct sl_filter *filter)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info), zero = 0;
	int fd = filter->map_fd[SL_MAP_TEXT];
	char *text;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return NULL;
	text = calloc(1, (size_t)info.value_size + 8); /* rounded up to 8 */
	if (text && bpf_map_lookup_elem(fd, &zero, text) < 0) {
		free(text);
		return NULL;
	}
	return text;
}
