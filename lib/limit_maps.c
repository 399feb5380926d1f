// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "limit_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "compile.h"
#include "config.h"
#include "error.h"
#include "filter.h"
#include "limiter.h"
#include "running.h"

/* Live rules count with those of the file, which were counted before. */
static int count_rules(const struct sl_config *config,
		       struct sl_limiter_sum *sum, struct sl_error *error)
{
	const char *why;
	const struct sl_rule *rule = sl_limiter_count_rules(config, sum, &why);

	return rule ? sl_error_set(error, -EINVAL, "rule \"%s\": %s",
				   rule->name, why) :
		      0;
}

static int want_rules(const struct sl_config *config, struct sl_limit_maps *l)
{
	int cpus = sl_cpus_possible(), err = 0;

	if (cpus < 0)
		return cpus;
	l->wants = calloc(config->n_rules + 1, sizeof(*l->wants));
	l->names = calloc(config->n_rules + 1, sizeof(*l->names));
	if (!l->wants || !l->names)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rules && !err; i++) {
		const struct sl_rule *rule = &config->rules[i];
		uint64_t secret;

		if (rule->verdict.action != SL_ACTION_LIMIT)
			continue;
		if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
			return -EIO;
		l->names[l->n_wants] = rule->name;
		err = sl_limiter_init(&l->wants[l->n_wants++].limiter,
				      rule->name, &rule->verdict,
				      (unsigned)cpus, secret);
	}
	return err;
}

static int read_table(int fd, struct sl_limiter table[SL_LIMITERS_MAX])
{
	for (uint32_t i = 0; i < SL_LIMITERS_MAX; i++)
		if (bpf_map_lookup_elem(fd, &i, &table[i]) < 0)
			return -errno;
	return 0;
}

/* Takes the running maps, if all the limiters have room there. */
static int take_running(const struct sl_filter *previous,
			struct sl_limit_maps *l)
{
	struct sl_limiter table[SL_LIMITERS_MAX];
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	int err;

	if (bpf_obj_get_info_by_fd(previous->map_fd[SL_MAP_LIMIT_LINES], &info,
				   &length) < 0)
		return -errno;
	err = read_table(previous->map_fd[SL_MAP_LIMITERS], table);
	if (!err)
		err = sl_limiters_place(table, info.max_entries, l->wants,
					l->n_wants);
	if (err)
		return err;
	l->n_lines = info.max_entries;
	l->limiters_fd = dup(previous->map_fd[SL_MAP_LIMITERS]);
	l->cpus_fd = dup(previous->map_fd[SL_MAP_LIMIT_CPUS]);
	l->lines_fd = dup(previous->map_fd[SL_MAP_LIMIT_LINES]);
	return l->limiters_fd < 0 || l->cpus_fd < 0 || l->lines_fd < 0 ?
		       -EMFILE :
		       0;
}

static int create(enum bpf_map_type type, enum sl_filter_map which,
		  uint32_t value_bytes, uint32_t n, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, sl_filter_map_name(which),
				sizeof(uint32_t), value_bytes, n, &opts);

	return fd < 0 ? -errno : fd;
}

static int make_new(uint32_t n_lines, struct sl_limit_maps *l)
{
	static const struct sl_limiter empty[SL_LIMITERS_MAX];

	l->n_lines = n_lines;
	l->limiters_fd = create(BPF_MAP_TYPE_ARRAY, SL_MAP_LIMITERS,
				sizeof(struct sl_limiter), SL_LIMITERS_MAX,
				BPF_F_RDONLY_PROG);
	l->cpus_fd = create(BPF_MAP_TYPE_PERCPU_ARRAY, SL_MAP_LIMIT_CPUS,
			    sizeof(struct sl_limit_cpu), SL_LIMITERS_MAX, 0);
	l->lines_fd = create(BPF_MAP_TYPE_ARRAY, SL_MAP_LIMIT_LINES,
			     sizeof(struct sl_limit_line), l->n_lines,
			     BPF_F_MMAPABLE);
	if (l->limiters_fd < 0 || l->cpus_fd < 0 || l->lines_fd < 0)
		return -ENOMEM;
	return sl_limiters_place(empty, l->n_lines, l->wants, l->n_wants);
}

/* What nothing that runs looks at is zeroed, then entered. */
static int write_fresh(const struct sl_limit_maps *l)
{
	size_t bytes = (size_t)l->n_lines * sizeof(struct sl_limit_line);
	int cpus = sl_cpus_possible(), err = 0;
	struct sl_limit_line *lines;
	struct sl_limit_cpu *zeroes;

	if (cpus < 0)
		return cpus;
	zeroes = calloc((size_t)cpus, sizeof(*zeroes));
	lines = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		     l->lines_fd, 0);
	if (!zeroes || lines == MAP_FAILED)
		err = -ENOMEM;
	for (size_t i = 0; i < l->n_wants && !err; i++) {
		const struct sl_limiter_want *w = &l->wants[i];
		size_t n = (size_t)1 << (64 - w->limiter.line_shift);

		if (!w->fresh)
			continue;
		memset(&lines[w->limiter.line], 0, n * sizeof(*lines));
		if (bpf_map_update_elem(l->cpus_fd, &w->slot, zeroes, 0) < 0 ||
		    bpf_map_update_elem(l->limiters_fd, &w->slot, &w->limiter,
					0) < 0)
			err = -errno;
	}
	if (lines != MAP_FAILED)
		munmap(lines, bytes);
	free(zeroes);
	return err;
}

static uint32_t id_of(int map_fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(map_fd, &info, &length) < 0)
		return 0;
	return info.id;
}

static uint32_t map_id(const struct sl_filter *filter)
{
	return id_of(filter->map_fd[SL_MAP_LIMITERS]);
}

static bool is_among(int ifindex, const struct sl_limit_place *places, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (places[i].ifindex == ifindex)
			return true;
	return false;
}

/* Are the limiters in use on other interfaces of this network namespace? */
static int used_elsewhere(uint32_t id, const struct sl_limit_place *places,
			  size_t n, struct sl_error *error)
{
	struct sl_runnings runnings;
	int elsewhere = 0;
	int err = sl_runnings_open(&runnings, error);

	if (err)
		return err;
	for (size_t i = 0; i < runnings.n_items; i++)
		for (size_t f = 0; f < runnings.items[i].n_filters; f++) {
			const struct sl_running_filter *r =
				&runnings.items[i].filters[f];

			if (map_id(&r->filter) == id &&
			    !is_among(r->ifindex, places, n))
				elsewhere = 1;
		}
	sl_runnings_close(&runnings);
	return elsewhere;
}

/*
 * The filter in whose maps the limiters go on. Not if others use them: then they
 * are not this change's to place and to sweep.
 */
static int choose_maps(const struct sl_limit_place *places, size_t n,
		       const struct sl_filter **chosen, struct sl_error *error)
{
	const struct sl_filter *found = NULL;
	int elsewhere = 0;

	for (size_t i = 0; i < n && !found; i++)
		found = places[i].previous;
	if (found)
		elsewhere = used_elsewhere(map_id(found), places, n, error);
	*chosen = elsewhere ? NULL : found;
	return elsewhere < 0 ? elsewhere : 0;
}

int sl_limit_maps_open(const struct sl_config *config,
		       const struct sl_limit_place *places, size_t n,
		       struct sl_limit_maps *limits, struct sl_error *error)
{
	const struct sl_filter *previous = NULL;
	struct sl_limit_maps l = { -1, -1, -1, 0, NULL, NULL, 0 };
	struct sl_limiter_sum sum = { 0 };
	int err = count_rules(config, &sum, error);

	if (!err && sum.n_limiters)
		err = choose_maps(places, n, &previous, error);
	if (err)
		return err;
	err = want_rules(config, &l);
	if (!err && l.n_wants) {
		err = previous ? take_running(previous, &l) : -ENOSPC;
		if (err == -ENOSPC)
			err = make_new(2 * sum.n_lines, &l);
		if (!err)
			err = write_fresh(&l);
	}
	if (!err) {
		*limits = l;
		return 0;
	}
	sl_limit_maps_close(&l);
	return sl_error_set(error, err, "limiters: prepare: %s",
			    strerror(-err));
}

/* Both maps of lines, mapped. */
struct view {
	struct sl_limit_line *to;
	const struct sl_limit_line *from;
	size_t to_bytes, from_bytes;
};

static int open_view(const struct sl_limit_maps *l, int from_fd, struct view *v)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	void *to, *from;

	if (bpf_obj_get_info_by_fd(from_fd, &info, &length) < 0)
		return -EIO;
	v->to_bytes = (size_t)l->n_lines * sizeof(*v->to);
	v->from_bytes = (size_t)info.max_entries * sizeof(*v->from);
	to = mmap(NULL, v->to_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		  l->lines_fd, 0);
	if (to == MAP_FAILED)
		return -ENOMEM;
	from = mmap(NULL, v->from_bytes, PROT_READ, MAP_SHARED, from_fd, 0);
	if (from == MAP_FAILED) {
		munmap(to, v->to_bytes);
		return -ENOMEM;
	}
	v->to = to;
	v->from = from;
	return 0;
}

static void close_view(const struct view *v)
{
	munmap(v->to, v->to_bytes);
	munmap((void *)(uintptr_t)v->from, v->from_bytes);
}

/*
 * Tags in the buckets are made with the key, so it goes with them. What CPUs have
 * claimed and not spent, at most a 16th of the burst, is given up.
 */
static int carry_limiter(const struct sl_limit_maps *l, const struct view *v,
			 const struct sl_limiter *from,
			 struct sl_limiter_want *want)
{
	size_t n = (size_t)1 << (64 - from->line_shift);
	struct sl_limiter limiter = *from;

	limiter.line = want->limiter.line;
	if (bpf_map_update_elem(l->limiters_fd, &want->slot, &limiter, 0) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++)
		for (int w = 0; w < SL_LIMIT_WAYS; w++)
			v->to[limiter.line + i].way[w] =
				__atomic_load_n(&v->from[from->line + i].way[w],
						__ATOMIC_RELAXED);
	want->limiter = limiter;
	want->fresh = false;
	return 0;
}

static int carry(struct sl_limit_maps *l, const struct sl_filter *from)
{
	struct sl_limiter table[SL_LIMITERS_MAX];
	struct view v = { 0 };
	int err = read_table(from->map_fd[SL_MAP_LIMITERS], table);

	for (size_t i = 0; i < l->n_wants && !err; i++) {
		struct sl_limiter_want *w = &l->wants[i];
		uint32_t slot = sl_limiter_find(table, &w->limiter);

		if (!w->fresh || slot == SL_LIMITERS_MAX)
			continue;
		if (!v.to)
			err = open_view(l, from->map_fd[SL_MAP_LIMIT_LINES],
					&v);
		if (!err)
			err = carry_limiter(l, &v, &table[slot], w);
	}
	if (v.to)
		close_view(&v);
	return err;
}

int sl_limit_maps_carry(struct sl_limit_maps *limits,
			const struct sl_limit_place *places, size_t n,
			struct sl_error *error)
{
	uint32_t own = id_of(limits->limiters_fd);
	int err = 0;

	for (size_t i = 0; i < n && limits->n_wants && !err; i++)
		if (places[i].previous && map_id(places[i].previous) != own)
			err = carry(limits, places[i].previous);
	return err ? sl_error_set(error, err,
				  "limiters: take over what runs: %s",
				  strerror(-err)) :
		     0;
}

void sl_limit_maps_assign(const struct sl_limit_maps *limits,
			  struct sl_compiled *compiled)
{
	for (size_t i = 0; i < compiled->n_rules; i++) {
		struct sl_compiled_rule *r = &compiled->rules[i];

		if (r->rule->verdict.action != SL_ACTION_LIMIT)
			continue;
		for (size_t w = 0; w < limits->n_wants; w++)
			if (limits->names[w] == r->rule->name)
				r->step.limiter = limits->wants[w].slot;
	}
}

static bool is_wanted(const struct sl_limit_maps *limits, uint32_t slot)
{
	for (size_t w = 0; w < limits->n_wants; w++)
		if (limits->wants[w].slot == slot)
			return true;
	return false;
}

void sl_limit_maps_sweep(const struct sl_limit_maps *limits)
{
	static const struct sl_limiter empty;

	for (uint32_t i = 0; limits->limiters_fd >= 0 && i < SL_LIMITERS_MAX;
	     i++)
		if (!is_wanted(limits, i))
			bpf_map_update_elem(limits->limiters_fd, &i, &empty, 0);
}

void sl_limit_maps_close(struct sl_limit_maps *limits)
{
	if (limits->limiters_fd >= 0)
		close(limits->limiters_fd);
	if (limits->cpus_fd >= 0)
		close(limits->cpus_fd);
	if (limits->lines_fd >= 0)
		close(limits->lines_fd);
	free(limits->wants);
	free(limits->names);
	*limits = (struct sl_limit_maps){ -1, -1, -1, 0, NULL, NULL, 0 };
}
