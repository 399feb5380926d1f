// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * libbpf's handlers of the sections that filters are in. The one moment when
 * instructions may be changed is libbpf's callback before the load: maps are
 * resolved and the constants frozen by then. It is given no context, so the
 * constants are read from the map that the instructions name.
 */
#include "handler.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "filter.h"
#include "insn.h"
#include "sluice/abi.h"
#include "specialise.h"

/* More than the filter has. */
#define ARRAYS_MAX 16

struct maps {
	int constants; /* the map of struct sl_gen, or -1 */
	int arrays[ARRAYS_MAX];
	size_t n_arrays;
};

static void look_at_map(int fd, struct maps *maps)
{
	struct bpf_map_info info = { 0 };
	uint32_t bytes = sizeof(info);

	for (size_t i = 0; i < maps->n_arrays; i++)
		if (maps->arrays[i] == fd)
			return;
	if (fd == maps->constants || bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return;
	if (strcmp(info.name, sl_filter_map_name(SL_MAP_GEN)) == 0 &&
	    info.value_size == sizeof(struct sl_gen))
		maps->constants = fd;
	else if (info.type == BPF_MAP_TYPE_ARRAY && info.max_entries == 1 &&
		 maps->n_arrays < ARRAYS_MAX)
		maps->arrays[maps->n_arrays++] = fd;
}

static void find_maps(const struct bpf_insn *insns, size_t n, struct maps *maps)
{
	*maps = (struct maps){ .constants = -1 };
	for (size_t i = 0; i < n; i++)
		if (sl_insn_is_wide(&insns[i]) &&
		    (insns[i].src_reg == BPF_PSEUDO_MAP_VALUE ||
		     insns[i].src_reg == BPF_PSEUDO_MAP_FD))
			look_at_map(insns[i].imm, maps);
}

/* What libbpf says is constant, but is the program's own to change here. */
#define SL_OWN(array) ((void *)(uintptr_t)(array))

static int specialise(struct bpf_program *program,
		      struct bpf_prog_load_opts *opts)
{
	struct sl_constants constants = { .bytes = sizeof(struct sl_gen) };
	struct sl_code code = {
		.insns = SL_OWN(bpf_program__insns(program)),
		.n = bpf_program__insn_cnt(program),
		.func_info = SL_OWN(opts->func_info),
		.func_info_bytes = opts->func_info_rec_size,
		.n_func_info = opts->func_info_cnt,
		.line_info = SL_OWN(opts->line_info),
		.line_info_bytes = opts->line_info_rec_size,
		.n_line_info = opts->line_info_cnt,
	};
	size_t bytes = code.n * sizeof(*code.insns);
	struct bpf_insn *copy;
	struct maps maps;
	struct sl_gen gen;
	uint32_t zero = 0;
	int err;

	find_maps(code.insns, code.n, &maps);
	if (maps.constants < 0)
		return 0; /* not a filter */
	if (bpf_map_lookup_elem(maps.constants, &zero, &gen))
		return -errno;
	constants.fd = maps.constants;
	constants.data = &gen;
	constants.arrays = maps.arrays;
	constants.n_arrays = maps.n_arrays;
	copy = malloc(bytes);
	if (!copy)
		return -ENOMEM;
	code.insns = memcpy(copy, code.insns, bytes);
	err = sl_specialise(&code, &constants);
	if (!err)
		err = bpf_program__set_insns(program, code.insns, code.n);
	if (!err) {
		opts->func_info_cnt = code.n_func_info;
		opts->line_info_cnt = code.n_line_info;
	}
	free(copy);
	return err;
}

/* `frags`: as the section says. */
static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts,
		   long frags)
{
	/* What libbpf's own handler does for "xdp.frags". */
	if (frags && bpf_program__type(program) == BPF_PROG_TYPE_XDP)
		opts->prog_flags |= BPF_F_XDP_HAS_FRAGS;
	return specialise(program, opts);
}

int sl_handler_register(void)
{
	/* NULL: sections that libbpf does not know, those of chain.h. */
	static const char *const sections[] = { "xdp", "xdp.frags", NULL };
	static bool done;

	for (size_t i = 0; !done && i < 3; i++) {
		LIBBPF_OPTS(libbpf_prog_handler_opts, opts,
			    .prog_prepare_load_fn = prepare, .cookie = i == 1);
		int err = libbpf_register_prog_handler(
			sections[i], BPF_PROG_TYPE_XDP, BPF_XDP, &opts);

		if (err < 0)
			return err;
	}
	done = true;
	return 0;
}
