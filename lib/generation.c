// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Order matters. The constants and the size of the tables are set before the
 * load, because the verifier reads the one and checks offsets against the
 * other. The tables and devices are filled before it too: under libxdp's
 * dispatcher, loading is attaching. Names and text are bound to the loaded
 * program.
 */
#include "generation.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "compile.h"
#include "config.h"
#include "error.h"
#include "filter.h"
#include "handler.h"
#include "limit_maps.h"
#include "log.h"
#include "object.h"
#include "slots.h"

/* Maps that go from one generation to the next. */
static const enum sl_filter_map inherited[] = { SL_MAP_TOTALS, SL_MAP_PORTS,
						SL_MAP_RULES, SL_MAP_XSKS };

static struct bpf_map *find_map(const struct sl_generation *g,
				enum sl_filter_map map)
{
	return bpf_object__find_map_by_name(g->object, sl_filter_map_name(map));
}

static int map_fd(const struct sl_generation *g, enum sl_filter_map map)
{
	return bpf_map__fd(find_map(g, map));
}

/* The programs of the flavour: without extensions the entry, else three. */
static struct bpf_program **chosen(const struct sl_generation_input *input,
				   const char *name, struct sl_generation *g)
{
	const struct {
		const char *name;
		struct bpf_program **program;
	} wanted[] = {
		{ input->frags ? SL_PROGRAM_EXT_FRAGS : SL_PROGRAM_EXT,
		  &g->program },
		{ input->frags ? "sluice_classify_frag" : "sluice_classify",
		  &g->classify },
		{ "sluice_end", &g->end },
	};

	if (!input->extensions)
		return strcmp(name, input->frags ? SL_PROGRAM_FRAGS :
						   SL_PROGRAM) == 0 ?
			       &g->program :
			       NULL;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (strcmp(name, wanted[i].name) == 0)
			return wanted[i].program;
	return NULL;
}

/* What libbpf would take from a section that it knows. */
static void make_xdp(struct bpf_program *program, bool frags)
{
	bpf_program__set_type(program, BPF_PROG_TYPE_XDP);
	bpf_program__set_expected_attach_type(program, BPF_XDP);
	if (frags)
		bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
}

static int open_object(const struct sl_generation_input *input,
		       struct sl_generation *g)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, opts,
			    .object_name = "sluice");
	struct bpf_program *program;
	int err = sl_handler_register();

	if (err)
		return err;
	g->object = bpf_object__open_mem(
		sl_object, (size_t)(sl_object_end - sl_object), &opts);
	if (!g->object)
		return -errno;
	bpf_object__for_each_program(program, g->object) {
		struct bpf_program **to =
			chosen(input, bpf_program__name(program), g);

		bpf_program__set_autoload(program, to != NULL);
		if (to)
			*to = program;
		if (to && input->extensions)
			make_xdp(program, input->frags);
	}
	return g->program ? 0 : -ENOENT;
}

/*
 * What the caches of all CPUs may take together: on machines with very many,
 * each gets a smaller one. (The verifier refuses offsets of 512 MiB.)
 */
#define CACHE_BYTES_MAX ((uint64_t)128 << 20)
#define CACHE_SET_BYTES (SL_CACHE_WAYS * sizeof(uint64_t))

static uint64_t cache_bytes(const struct sl_gen *gen)
{
	return ((uint64_t)gen->cache_cpus << gen->cache_bits) * CACHE_SET_BYTES;
}

/* No cache where its words could not tell the keys apart. */
static int fit_cache(struct sl_gen *gen)
{
	int cpus = sl_cpus_possible();

	if (cpus < 0)
		return cpus;
	gen->cache_cpus = (uint32_t)cpus;
	while (gen->cache_bits && cache_bytes(gen) > CACHE_BYTES_MAX)
		gen->cache_bits--;
	if (64 - gen->cache_key_shift > gen->cache_bits + SL_CACHE_TAG_BITS)
		gen->cache_bits = 0;
	return 0;
}

static int set_constants(const struct sl_generation_input *input,
			 struct sl_generation *g)
{
	struct sl_gen gen = input->compiled->gen;

	gen.live = *input->live;
	gen.generation = input->previous ? input->previous->gen.generation + 1 :
					   1;
	if (input->netlink)
		gen.flags |= SL_GEN_NETLINK;
	if (input->extensions)
		gen.flags |= SL_GEN_EXT;
	do {
		if (getrandom(&gen.nonce, sizeof(gen.nonce), 0) !=
		    sizeof(gen.nonce))
			return -EIO;
	} while (!gen.nonce);
	return bpf_map__set_initial_value(find_map(g, SL_MAP_GEN), &gen,
					  sizeof(gen));
}

/* Makes a map before libbpf would, so that it can be filled before the load. */
static int create_map(const struct sl_generation *g, enum sl_filter_map which)
{
	struct bpf_map *map = find_map(g, which);
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = bpf_map__map_flags(map));
	int err, fd = bpf_map_create(bpf_map__type(map), bpf_map__name(map),
				     bpf_map__key_size(map),
				     bpf_map__value_size(map),
				     bpf_map__max_entries(map), &opts);

	if (fd < 0)
		return -errno;
	err = bpf_map__reuse_fd(map, fd); /* duplicates it */
	close(fd);
	return err;
}

/* One set at least, with no cache. */
static uint32_t cache_map_bytes(const struct sl_gen *gen)
{
	return gen->cache_bits ? (uint32_t)cache_bytes(gen) : CACHE_SET_BYTES;
}

/* A page at least: the smallest ring there is. */
static uint32_t log_bytes(const struct sl_gen *gen)
{
	return gen->flags & SL_GEN_LOGS ? SL_LOG_BYTES :
					  (uint32_t)sysconf(_SC_PAGESIZE);
}

/* Sizes that the object does not know. */
static int size_maps(const struct sl_generation_input *input,
		     const struct sl_generation *g)
{
	const struct sl_compiled *compiled = input->compiled;
	uint32_t text_bytes = (uint32_t)strlen(input->text) + 1;
	int err = 0;

	if (compiled->gen.table_bytes)
		err = bpf_map__set_value_size(find_map(g, SL_MAP_TABLES),
					      compiled->gen.table_bytes);
	if (!err)
		err = bpf_map__set_value_size(find_map(g, SL_MAP_CACHE),
					      cache_map_bytes(&compiled->gen));
	if (!err)
		err = bpf_map__set_value_size(find_map(g, SL_MAP_TEXT),
					      text_bytes);
	if (!err)
		err = bpf_map__set_max_entries(find_map(g, SL_MAP_LOG),
					       log_bytes(&compiled->gen));
	if (!err)
		err = bpf_map__set_max_entries(find_map(g, SL_MAP_RULES),
					       compiled->n_slots /
						       SL_RULE_BLOCK);
	if (!err)
		err = bpf_map__set_max_entries(find_map(g, SL_MAP_NAMES),
					       compiled->n_slots);
	return err;
}

/* The ring goes on, and a reader with it, as long as it is of the right size. */
static int inherit_log(const struct sl_generation_input *input,
		       const struct sl_generation *g)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = input->previous->map_fd[SL_MAP_LOG];

	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return -errno;
	if (info.max_entries != log_bytes(&input->compiled->gen))
		return 0;
	return bpf_map__reuse_fd(find_map(g, SL_MAP_LOG), fd);
}

static int share_limits(const struct sl_limit_maps *limits,
			const struct sl_generation *g)
{
	int err = bpf_map__reuse_fd(find_map(g, SL_MAP_LIMITERS),
				    limits->limiters_fd);

	if (!err)
		err = bpf_map__reuse_fd(find_map(g, SL_MAP_LIMIT_CPUS),
					limits->cpus_fd);
	if (!err)
		err = bpf_map__reuse_fd(find_map(g, SL_MAP_LIMIT_LINES),
					limits->lines_fd);
	return err;
}

/* Its programs are of the filter's flavour, so it goes on with that only. */
static int inherit_chain(const struct sl_generation_input *input,
			 const struct sl_generation *g)
{
	const struct sl_filter *previous = input->previous;
	int err;

	if (!input->extensions || !(previous->gen.flags & SL_GEN_EXT) ||
	    previous->frags != input->frags)
		return 0;
	err = bpf_map__reuse_fd(find_map(g, SL_MAP_EXT),
				previous->map_fd[SL_MAP_EXT]);
	if (!err)
		err = bpf_map__reuse_fd(find_map(g, SL_MAP_EXT_STATE),
					previous->map_fd[SL_MAP_EXT_STATE]);
	return err;
}

static int set_maps(const struct sl_generation_input *input,
		    struct sl_generation *g)
{
	size_t n = sizeof(inherited) / sizeof(*inherited);
	int err = size_maps(input, g);

	if (!err)
		err = create_map(g, SL_MAP_TABLES);
	if (!err)
		err = create_map(g, SL_MAP_DEVS);
	if (!err && input->live->bytes)
		err = bpf_map__reuse_fd(find_map(g, SL_MAP_LIVE),
					input->live_fd);
	if (!err && input->limits->n_wants)
		err = share_limits(input->limits, g);
	for (size_t i = 0; i < n && input->previous && !err; i++)
		err = bpf_map__reuse_fd(find_map(g, inherited[i]),
					input->previous->map_fd[inherited[i]]);
	if (input->previous && !err)
		err = inherit_log(input, g);
	if (input->previous && !err)
		err = inherit_chain(input, g);
	return err;
}

static int fill_tables(const struct sl_generation_input *input,
		       const struct sl_generation *g)
{
	size_t bytes = input->compiled->gen.table_bytes;
	void *tables;
	int err;

	if (!bytes)
		return 0;
	err = sl_compiled_finish(input->compiled);
	if (err)
		return err;
	tables = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      map_fd(g, SL_MAP_TABLES), 0);
	if (tables == MAP_FAILED)
		return -errno;
	memcpy(tables, input->compiled->tables, bytes);
	munmap(tables, bytes);
	return 0;
}

static int fill_device(const struct sl_generation *g, uint32_t ifindex)
{
	struct bpf_devmap_val value = { .ifindex = ifindex };

	return bpf_map_update_elem(map_fd(g, SL_MAP_DEVS), &ifindex, &value,
				   BPF_ANY) < 0 ?
		       -errno :
		       0;
}

static int fill_devices(const struct sl_generation_input *input,
			const struct sl_generation *g)
{
	const struct sl_compiled *compiled = input->compiled;
	int err = 0;

	for (size_t i = 0; i < compiled->n_rules && !err; i++)
		if (compiled->rules[i].step.ifindex)
			err = fill_device(g, compiled->rules[i].step.ifindex);
	for (size_t i = 0; i < compiled->n_outs && !err; i++)
		err = fill_device(g, compiled->outs[i]);
	return err;
}

static int fill_names(const struct sl_generation_input *input,
		      const struct sl_generation *g)
{
	const struct sl_compiled *compiled = input->compiled;
	size_t bytes = compiled->n_slots * sizeof(struct sl_rule_name);
	struct sl_rule_name *names = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
					  MAP_SHARED, map_fd(g, SL_MAP_NAMES),
					  0);

	if (names == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < compiled->n_rules; i++) {
		const struct sl_compiled_rule *r = &compiled->rules[i];
		struct sl_rule_name *name = &names[r->step.slot];

		memcpy(name->name, r->rule->name,
		       strnlen(r->rule->name, sizeof(name->name) - 1));
		name->position = (uint32_t)i;
		name->action = r->step.action;
		name->verdict = r->step.verdict;
		name->flags = r->step.flags & SL_STEP_OBSERVE;
		name->expires_ns = r->step.expires_ns;
		name->base = r->base;
	}
	munmap(names, bytes);
	return 0;
}

/*
 * Has the program hold its maps, by which it is known: those that these rules
 * do not use are no longer named in it (specialise.h).
 */
static int bind_maps(const struct sl_generation_input *input,
		     const struct sl_generation *g)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(map_fd(g, SL_MAP_TEXT), &zero, input->text,
				BPF_ANY) < 0)
		return -errno;
	for (int map = 0; map <= SL_MAP_TEXT; map++)
		if (bpf_prog_bind_map(g->prog_fd, map_fd(g, map), NULL) < 0)
			return -errno;
	return 0;
}

static int refuse_slots(const struct sl_generation_input *input,
			struct sl_error *error)
{
	return sl_error_set(
		error, -ENOSPC,
		"filter: the running one has %u rule counters, too few for its "
		"rules and the %zu new ones side by side; `sluice down` first, "
		"then apply (this loses the counters)",
		input->previous->n_slots, input->compiled->n_rules);
}

int sl_generation_open(const struct sl_generation_input *input,
		       struct sl_generation *generation, struct sl_error *error)
{
	struct sl_generation g = { .prog_fd = -1 };
	int err = sl_slots_assign(input->compiled, input->previous);

	if (err == -ENOSPC && input->previous)
		return refuse_slots(input, error);
	sl_log_clear();
	if (!err)
		err = fit_cache(&input->compiled->gen);
	if (!err)
		err = open_object(input, &g);
	if (!err)
		err = set_constants(input, &g);
	if (!err)
		err = set_maps(input, &g);
	if (!err)
		err = fill_tables(input, &g);
	if (!err)
		err = fill_devices(input, &g);
	if (err) {
		sl_generation_close(&g);
		return sl_error_set(error, err, "filter: prepare: %s\n%s",
				    strerror(-err), sl_log_tail());
	}
	*generation = g;
	return 0;
}

int sl_generation_load(struct sl_generation *generation, struct sl_error *error)
{
	int err;

	sl_log_clear();
	err = bpf_object__load(generation->object);
	if (!err) {
		generation->prog_fd = bpf_program__fd(generation->program);
		return 0;
	}
	sl_generation_close(generation);
	if (err == -EPERM)
		return sl_error_set(error, err,
				    "filter: load: %s; run as root (CAP_BPF, "
				    "CAP_NET_ADMIN)",
				    strerror(-err));
	return sl_error_set(error, err, "filter: load: %s\n%s", strerror(-err),
			    sl_log_tail());
}

int sl_generation_bind(const struct sl_generation_input *input,
		       struct sl_generation *generation, struct sl_error *error)
{
	int err = fill_names(input, generation);

	if (!err)
		err = bind_maps(input, generation);
	if (!err)
		return 0;
	sl_generation_close(generation);
	return sl_error_set(error, err, "filter: bind maps: %s",
			    strerror(-err));
}

int sl_generation_map(const struct sl_generation *generation,
		      enum sl_filter_map map)
{
	return map_fd(generation, map);
}

const char *sl_generation_section(const struct sl_generation *generation)
{
	return bpf_program__section_name(generation->program);
}

void sl_generation_close(struct sl_generation *generation)
{
	bpf_object__close(generation->object);
	*generation = (struct sl_generation){ .prog_fd = -1 };
}
