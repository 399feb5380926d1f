// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "grace.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

static int make_array(enum bpf_map_type type, const char *name, int inner)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	if (inner >= 0)
		opts.inner_map_fd = (uint32_t)inner;
	return bpf_map_create(type, name, sizeof(uint32_t), sizeof(uint32_t), 1,
			      &opts);
}

/*
 * With nohz_full CPUs membarrier() is refused. A change of a map in a map waits
 * for the same grace period before it returns (maybe_wait_bpf_programs(),
 * kernel/bpf/syscall.c).
 */
static int wait_by_map(void)
{
	int inner = make_array(BPF_MAP_TYPE_ARRAY, "sl_grace", -1), outer;
	uint32_t zero = 0;
	int err = 0;

	if (inner < 0)
		return -errno;
	outer = make_array(BPF_MAP_TYPE_ARRAY_OF_MAPS, "sl_grace", inner);
	if (outer < 0 || bpf_map_update_elem(outer, &zero, &inner, BPF_ANY) < 0)
		err = -errno;
	if (outer >= 0)
		close(outer);
	close(inner);
	return err;
}

/* MEMBARRIER_CMD_GLOBAL is synchronize_rcu() (kernel/sched/membarrier.c). */
int sl_grace_wait(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0)
		return 0;
	return wait_by_map();
}
