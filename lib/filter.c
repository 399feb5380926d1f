// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "filter.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "error.h"
#include "live.h"

/* A program of ours uses about ten maps; another's may use more. */
#define MAPS_MAX 64

static const char *const map_names[SL_MAP_COUNT] = {
	[SL_MAP_TOTALS] = "sl_totals",
	[SL_MAP_PORTS] = "sl_ports",
	[SL_MAP_RULES] = "sl_rules",
	[SL_MAP_XSKS] = "xsks_map",
	[SL_MAP_TABLES] = "sl_tables",
	[SL_MAP_CACHE] = "sl_cache",
	[SL_MAP_LIMITERS] = "sl_limiters",
	[SL_MAP_LIMIT_CPUS] = "sl_limit_cpus",
	[SL_MAP_LIMIT_LINES] = "sl_limit_lines",
	[SL_MAP_LIVE] = SL_LIVE_MAP,
	[SL_MAP_DEVS] = "sl_devs",
	[SL_MAP_HOP] = "sl_hop",
	[SL_MAP_HOPS] = "sl_hops",
	[SL_MAP_GEN] = ".rodata.gen",
	[SL_MAP_NAMES] = "sl_names",
	[SL_MAP_TEXT] = "sl_text",
	[SL_MAP_LOG] = "sl_log",
	[SL_MAP_EXT] = "sl_ext",
	[SL_MAP_EXT_STATE] = "sl_ext_state",
};

const char *sl_filter_map_name(enum sl_filter_map map)
{
	return map_names[map];
}

int sl_cpus_possible(void)
{
	return libbpf_num_possible_cpus();
}

static void take_map(struct sl_filter *filter, uint32_t id)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id);

	if (fd < 0)
		return; /* gone since the program was asked */
	if (bpf_obj_get_info_by_fd(fd, &info, &length) == 0) {
		for (int m = 0; m < SL_MAP_COUNT; m++) {
			if (filter->map_fd[m] >= 0 ||
			    strcmp(info.name, map_names[m]) != 0)
				continue;
			filter->map_fd[m] = fd;
			if (m == SL_MAP_RULES)
				filter->n_slots =
					info.max_entries * SL_RULE_BLOCK;
			return;
		}
	}
	close(fd);
}

static int take_maps(struct sl_filter *filter)
{
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info info = { .nr_map_ids = MAPS_MAX,
				      .map_ids = (uintptr_t)ids };
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(filter->prog_fd, &info, &length) < 0)
		return -errno;
	filter->frags = strcmp(info.name, SL_PROGRAM_FRAGS) == 0 ||
			strcmp(info.name, SL_PROGRAM_EXT_FRAGS) == 0;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++)
		take_map(filter, ids[i]);
	return 0;
}

static bool is_ours(const struct sl_filter *filter)
{
	for (int m = 0; m < SL_MAP_NAMES; m++)
		if (filter->map_fd[m] < 0)
			return false;
	return true;
}

static int read_gen(struct sl_filter *filter)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info), zero = 0;

	if (bpf_obj_get_info_by_fd(filter->map_fd[SL_MAP_GEN], &info, &length) <
	    0)
		return -errno;
	if (info.value_size != sizeof(filter->gen))
		return -EPROTO;
	if (bpf_map_lookup_elem(filter->map_fd[SL_MAP_GEN], &zero,
				&filter->gen) < 0)
		return -errno;
	if (filter->gen.magic != SL_ABI_MAGIC ||
	    filter->gen.abi_version != SL_ABI_VERSION)
		return -EPROTO;
	return 0;
}

int sl_filter_open(uint32_t prog_id, struct sl_filter *filter,
		   struct sl_error *error)
{
	int err;

	*filter = (struct sl_filter){ .prog_id = prog_id, .prog_fd = -1 };
	memset(filter->map_fd, 0xff, sizeof(filter->map_fd)); /* all -1 */
	filter->prog_fd = bpf_prog_get_fd_by_id(prog_id);
	if (filter->prog_fd < 0)
		return sl_error_set(error, -errno, "program id %u: open: %s%s",
				    prog_id, strerror(errno),
				    errno == EPERM ? "; run as root" : "");
	err = take_maps(filter);
	if (!err && !is_ours(filter))
		err = -ENOMSG;
	if (!err)
		err = read_gen(filter);
	if (!err)
		return 0;
	sl_filter_close(filter);
	if (err == -EPROTO)
		sl_error_set(error, err,
			     "program id %u: it is a Sluice filter of another "
			     "version; use that version's `sluice down` first",
			     prog_id);
	else if (err != -ENOMSG)
		sl_error_set(error, err, "program id %u: read: %s", prog_id,
			     strerror(-err));
	return err;
}

void sl_filter_close(struct sl_filter *filter)
{
	for (int m = 0; m < SL_MAP_COUNT; m++)
		if (filter->map_fd[m] >= 0)
			close(filter->map_fd[m]);
	if (filter->prog_fd >= 0)
		close(filter->prog_fd);
	*filter = (struct sl_filter){ .prog_fd = -1 };
	memset(filter->map_fd, 0xff, sizeof(filter->map_fd));
}

int sl_filter_names(const struct sl_filter *filter, struct sl_rule_name *names)
{
	struct bpf_map_info info = { 0 };
	uint32_t length = sizeof(info);
	int fd = filter->map_fd[SL_MAP_NAMES];
	size_t bytes;
	void *map;

	if (fd < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0)
		return -errno;
	if (info.max_entries != filter->n_slots ||
	    info.value_size != sizeof(*names))
		return -EPROTO;
	bytes = filter->n_slots * sizeof(*names);
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	memcpy(names, map, bytes);
	munmap(map, bytes);
	return 0;
}
